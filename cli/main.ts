import { Command, Option } from 'commander'
import { VERSION } from '../src/version.ts'
import { SallyportError } from '../src/errors.ts'
import { EXIT, outputFormats } from './context.ts'
import { nouns } from './nouns.ts'
import { printError } from './print.ts'
import { guardStandardStreams } from './standard-streams.ts'

/** The command line as far as these words need it: the commands they name whole, the others by name. */
export async function program(words: readonly string[]): Promise<Command> {
  const root = new Command('sallyport')
    .description('Short-lived identities for every workload, and zones that they cannot leave')
    .version(VERSION)
    .addOption(new Option('--output <format>', 'how results are printed').choices(outputFormats).default('table'))
    .option('--server-socket <path>', "the server's admin socket (SALLYPORT_SERVER_SOCKET)")
    .option(
      '--server-address <host:port>',
      'a server elsewhere, as the identity of this process (SALLYPORT_SERVER_ADDRESS)',
    )
    .option('--as <spiffe id>', 'which identity of this process, with --server-address')
    .option('--agent-socket <address>', "the agent's workload socket (SPIFFE_ENDPOINT_SOCKET)")
    .option('--agent-admin-socket <path>', "the agent's admin socket (SALLYPORT_AGENT_ADMIN_SOCKET)")
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nStart here:\n  sallyport dev                      the whole system in a temporary folder\n  sallyport server init --help       a server of your own\n\n`--output json|yaml` works with every command; exit codes are listed in docs/cli.md.',
    )
  // A completion script needs the words of all commands.
  const all = words.includes('completion')
  for (const [name, { description, load, hidden = false }] of Object.entries(nouns)) {
    const command = all || words.includes(name) ? await load() : new Command(name)
    root.addCommand(command.description(description), { hidden })
  }
  exitWithUsage(
    root,
    words.some((word, at) => word === '--output=json' || (word === 'json' && words[at - 1] === '--output')),
  )
  return root
}

/** Wrong words on the command line say where help is and end with the code for that, everywhere. */
function exitWithUsage(command: Command, asJson: boolean): void {
  command.configureOutput({
    outputError(text) {
      const message = text
        .trim()
        .replace(/^error: /, '')
        .replace('\n', ' ')
      const hint = `Its options: sallyport ${pathOf(command)}--help`
      printError(new SallyportError('COMMAND_INVALID', message, { hint }), asJson ? 'json' : 'table')
    },
  })
  command.exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
  })
  for (const child of command.commands) exitWithUsage(child, asJson)
}

const pathOf = (command: Command): string =>
  command.parent === null ? '' : `${pathOf(command.parent)}${command.name()} `

guardStandardStreams()
const words = process.argv.slice(2)
await (await program(words)).parseAsync()
