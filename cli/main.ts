import { Command, Option } from 'commander'
import { VERSION } from '../src/version.ts'
import { SallyportError } from '../src/errors.ts'
import { EXIT, outputFormats } from './context.ts'
import { printError } from './print.ts'

interface Noun {
  readonly description: string
  readonly load: () => Promise<Command>
  readonly hidden?: boolean
}

/** The table of commands. Each is loaded when its word is on the command line, so that none pays for the others. */
const nouns: Readonly<Record<string, Noun>> = {
  dev: {
    description: 'run the whole system in a temporary folder: a server, an agent, two services and a call between them',
    load: async () => (await import('./dev.ts')).devCommand(),
  },
  server: { description: 'set up and run a server', load: async () => (await import('./server.ts')).serverCommand() },
  agent: {
    description: 'run an agent; list, ban and evict agents',
    load: async () => (await import('./agent.ts')).agentCommand(),
  },
  token: {
    description: 'let a node join with a token that works once',
    load: async () => (await import('./token.ts')).tokenCommand(),
  },
  entry: {
    description: 'register workloads: which processes on which nodes are which identity',
    load: async () => (await import('./entry.ts')).entryCommand(),
  },
  policy: {
    description: 'zones as code: validate, test, explain, apply and roll back a policy',
    load: async () => (await import('./policy.ts')).policyCommand(),
  },
  zone: {
    description: 'zones as they are: members, security levels, whether one may begin to enforce',
    load: async () => (await import('./zone.ts')).zoneCommand(),
  },
  reach: {
    description: 'say what an identity reaches, or who reaches a service',
    load: async () => (await import('./reach.ts')).reachCommand(),
  },
  'blast-radius': {
    description: 'say how far an attacker gets who has taken an identity',
    load: async () => (await import('./blast-radius.ts')).blastRadiusCommand(),
  },
  quarantine: {
    description: 'stop an identity, a node or a zone at once: no SVIDs, no connections',
    load: async () => (await import('./quarantine.ts')).quarantineCommand(),
  },
  offboard: {
    description: 'take identities out of service for good',
    load: async () => (await import('./offboard.ts')).offboardCommand(),
  },
  serial: {
    description: 'revoke single certificates',
    load: async () => (await import('./serial.ts')).serialCommand(),
  },
  grant: {
    description: 'rights for a while: ask, approve, end',
    load: async () => (await import('./grant.ts')).grantCommand(),
  },
  breakglass: {
    description: 'emergency access by two people',
    load: async () => (await import('./breakglass.ts')).breakGlassCommand(),
  },
  decisions: {
    description: 'what was allowed and refused, and why',
    load: async () => (await import('./decisions.ts')).decisionsCommand(),
  },
  paths: {
    description: 'show the ways that lead to what is worth most, where they meet, and what to cut',
    load: async () => (await import('./paths.ts')).pathsCommand(),
  },
  suggest: {
    description: 'draft conduits and rules for what observe mode let pass',
    load: async () => (await import('./suggest.ts')).suggestCommand(),
  },
  simulate: {
    description: 'decide what was seen by another policy: what would be refused or allowed that was not',
    load: async () => (await import('./simulate.ts')).simulateCommand(),
  },
  report: {
    description: 'what somebody should look at: unused, standing, excessive and stale rights and identities',
    load: async () => (await import('./report.ts')).reportCommand(),
  },
  bundle: {
    description: "show and exchange bundles: the keys that verify a trust domain's SVIDs",
    load: async () => (await import('./bundle.ts')).bundleCommand(),
  },
  fetch: {
    description: 'fetch what this process is entitled to, as any workload would',
    load: async () => (await import('./fetch.ts')).fetchCommand(),
  },
  validate: { description: 'validate tokens', load: async () => (await import('./fetch.ts')).validateCommand() },
  mint: {
    description: 'issue an SVID by hand, without a registration',
    load: async () => (await import('./mint.ts')).mintCommand(),
  },
  explain: {
    description: 'say what a process of this node is given, and why',
    load: async () => (await import('./explain.ts')).explainCommand(),
  },
  status: {
    description: 'how the server does (authorities, agents, warnings), or on a node the agent',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  audit: {
    description: 'the hash-chained journal of what was signed, changed and refused',
    load: async () => (await import('./audit.ts')).auditCommand(),
  },
  health: {
    description: 'ask whether a server or agent is serving; exit code 0 when it is',
    load: async () => (await import('./health.ts')).healthCommand(),
  },
  completion: {
    description: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completionCommand(),
  },
  'dev-service': {
    description: 'a service of the demo',
    load: async () => (await import('./dev-service.ts')).devServiceCommand(),
    hidden: true,
  },
}

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

const words = process.argv.slice(2)
await (await program(words)).parseAsync()
