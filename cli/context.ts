import type { Command } from 'commander'

export const outputFormats = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

/** Options that every command has. */
export interface GlobalOptions {
  readonly output: OutputFormat
  /** Admin socket of a server. */
  readonly serverSocket?: string
  /** host:port of a server, to be used as an administrator with an SVID. */
  readonly serverAddress?: string
  /** Which of its SPIFFE IDs this process is to that server. */
  readonly as?: string
  /** Workload socket of an agent. */
  readonly agentSocket?: string
  /** Admin socket of an agent. */
  readonly agentAdminSocket?: string
}

/** Exit codes, documented in docs/cli.md: never renumber. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const

export const globalsOf = (command: Command): GlobalOptions => command.optsWithGlobals<GlobalOptions>()
