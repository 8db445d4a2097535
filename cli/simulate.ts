import { Command } from 'commander'
import { simulate, type Replayed } from '../src/policy/analysis/simulate.ts'
import { action } from './action.ts'
import { analysedFile, type Analysed } from './analysis-source.ts'
import { compile } from '../src/policy/compile.ts'
import { resolveMembership } from '../src/policy/resolve-membership.ts'
import { analysedLive } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { EXIT, type GlobalOptions } from './context.ts'
import { observed } from './decision-source.ts'
import { usablePolicy } from './policy-validate.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'

export interface SimulateOptions extends GlobalOptions {
  readonly policy: string
  readonly log?: string
  readonly entries?: string
  readonly since?: string
}

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('decide what was seen by another policy: what would be refused or allowed that was not')
    .requiredOption('--policy <file>', 'the policy to try')
    .option('--log <file>', 'a log of decisions, one JSON object a line (default: the counters of the server)')
    .option(
      '--entries <file>',
      'with --log: registered identities, a file of `entry apply` or `entry list --output json`',
    )
    .option('--since <span>', 'only traffic of this span, such as 14d')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing would be refused that was allowed, 1 something would.

Examples:
  sallyport simulate --policy new.yaml --since 30d
  sallyport simulate --policy new.yaml --log decisions.ndjson --entries entries.yaml`,
    )
    .action(action(simulatePolicy))
}

export async function simulatePolicy({ policy, log, ...options }: SimulateOptions): Promise<Result> {
  const { tables } = await sourceOf(policy, log !== undefined, options)
  const found = simulate(tables, (await observed(log === undefined ? options : { ...options, decisions: log })) ?? [])
  process.exitCode = found.newlyDenied.length === 0 ? EXIT.ok : EXIT.failed
  const count = (some: readonly Replayed[]): number => some.reduce((sum, { count }) => sum + count, 0)
  return {
    value: {
      newlyDenied: found.newlyDenied.map(valueOf),
      newlyAllowed: found.newlyAllowed.map(valueOf),
      unchanged: found.unchanged,
      leftOut: found.leftOut,
    },
    rows: [...found.newlyDenied, ...found.newlyAllowed].map(rowOf),
    sentence: [
      `${counted(count(found.newlyDenied), 'request')} newly denied, ${count(found.newlyAllowed)} newly allowed, ${found.unchanged} as before.`,
      ...(found.leftOut === 0
        ? []
        : [
            `${counted(found.leftOut, 'request')} not replayed: identity, lifecycle, grants or break-glass decided them.`,
          ]),
    ].join('\n'),
  }
}

/** The policy to try, with the identities of a file, or those of the server. */
async function sourceOf(
  policy: string,
  isOffline: boolean,
  options: GlobalOptions & { readonly entries?: string },
): Promise<Pick<Analysed, 'tables'>> {
  if (isOffline || options.entries !== undefined) return analysedFile(policy, options.entries)
  const { set } = await usablePolicy(policy)
  const { entries } = await withServer(options, analysedLive)
  return { tables: compile(set, resolveMembership(set, entries)) }
}

const valueOf = ({ observation, count, decision }: Replayed) => ({
  ...{ source: observation.source, service: observation.service, action: observation.action, route: observation.route },
  ...{ requests: count, lastSeen: new Date(observation.lastMs).toISOString() },
  ...{ decision: decision.decision, deniedBy: decision.deniedBy, code: decision.code },
})

const rowOf = ({ observation, count, decision }: Replayed): Row => ({
  now: decision.decision,
  from: observation.source,
  to: observation.service,
  action: observation.action ?? '-',
  why: [decision.deniedBy, decision.code].filter((part) => part !== null).join(' '),
  requests: count,
  'last seen': printInstant(new Date(observation.lastMs), new Date()),
})
