import type { Command } from 'commander'

interface Noun {
  readonly description: string
  readonly load: () => Promise<Command>
  readonly hidden?: boolean
}

/** The table of commands. Each is loaded when its word is on the command line, so that none pays for the others. */
export const nouns: Readonly<Record<string, Noun>> = {
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
