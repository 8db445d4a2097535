import { Command, Option } from 'commander'
import { VERSION } from '../src/process/version.ts'
import { agentCommand } from './agent.ts'
import { auditCommand } from './audit.ts'
import { bundleCommand } from './bundle.ts'
import { completionCommand } from './completion.ts'
import { EXIT, outputFormats } from './context.ts'
import { devCommand } from './dev.ts'
import { devServiceCommand } from './dev-service.ts'
import { entryCommand } from './entry.ts'
import { explainCommand } from './explain.ts'
import { fetchCommand, validateCommand } from './fetch.ts'
import { healthCommand } from './health.ts'
import { mintCommand } from './mint.ts'
import { serverCommand } from './server.ts'
import { statusCommand } from './status.ts'
import { tokenCommand } from './token.ts'

/** The whole command line: the table of commands. */
export function program(): Command {
  const root = new Command('sallyport')
    .description('Short-lived identities for every workload, and zones that they cannot leave')
    .version(VERSION)
    .addOption(new Option('--output <format>', 'how results are printed').choices(outputFormats).default('table'))
    .option('--server-socket <path>', "the server's admin socket (SALLYPORT_SERVER_SOCKET)")
    .option('--agent-socket <address>', "the agent's workload socket (SPIFFE_ENDPOINT_SOCKET)")
    .option('--agent-admin-socket <path>', "the agent's admin socket (SALLYPORT_AGENT_ADMIN_SOCKET)")
    .showHelpAfterError('(add --help for the options of this command)')
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      '\nStart here:\n  sallyport dev                      the whole system in a temporary folder\n  sallyport server init --help       a server of your own',
    )
  const commands = [
    devCommand(),
    serverCommand(),
    agentCommand(),
    tokenCommand(),
    entryCommand(),
    bundleCommand(),
    fetchCommand(),
    validateCommand(),
    mintCommand(),
    explainCommand(),
    statusCommand(),
    auditCommand(),
    healthCommand(),
    completionCommand(),
  ]
  for (const command of commands) root.addCommand(command)
  root.addCommand(devServiceCommand(), { hidden: true })
  exitWithUsage(root)
  return root
}

/** Wrong words on the command line end with the code for that, everywhere. */
function exitWithUsage(command: Command): void {
  command.exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
  })
  for (const child of command.commands) exitWithUsage(child)
}

await program().parseAsync()
