import type { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { parseDuration } from '../src/config/field-types.ts'
import { DAY_MS, type Observation } from '../src/policy/analysis/observed.ts'
import type { Transport } from '../src/wire/client.ts'
import type { DecisionCounter } from '../src/wire/messages/sallyport-policy-v1.ts'
import { decisionsService } from '../src/wire/messages/sallyport-server-v1.ts'
import type { Analysed, AnalysisOptions } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { readDecisionLog } from './decision-log.ts'
import { policyName, policyText } from './policy-source.ts'

/** Where an analysis takes observed traffic from: a log, or the counters of a server. */
export interface DecisionOptions {
  readonly decisions?: string
  readonly since?: string
}

export const withDecisions = (command: Command): Command =>
  command.option(
    '--decisions <file>',
    'a log of decisions, one JSON object a line (default: the counters of the server)',
  )

export const withSince = (command: Command, span: string): Command =>
  withDecisions(command).option('--since <span>', 'only traffic of this span, such as 14d', span)

/** Observed traffic; undefined: neither a log nor a server was named. */
export async function observed(
  options: AnalysisOptions & DecisionOptions,
  now = Date.now(),
): Promise<Observation[] | undefined> {
  const sinceMs = options.since === undefined ? 0 : now - spanMs(options.since)
  if (options.decisions !== undefined) {
    const log = readDecisionLog(await policyText(options.decisions), policyName(options.decisions))
    return log.filter(({ lastMs }) => lastMs >= sinceMs)
  }
  if (options.policy !== undefined) return undefined
  return withServer(options, (transport) => countersOf(transport, sinceMs))
}

/** As `observed`, for what says nothing without traffic. */
export async function observedTraffic(options: AnalysisOptions & DecisionOptions): Promise<Observation[]> {
  const found = await observed(options)
  if (found !== undefined) return found
  throw new SallyportError(
    'COMMAND_INVALID',
    'Cannot look at traffic: with --policy a log of decisions is needed too',
    {
      hint: 'Give one with --decisions; `sallyport report traffic` prints one.',
    },
  )
}

export async function countersOf(transport: Transport, sinceMs: number): Promise<Observation[]> {
  const found: Observation[] = []
  const filter = { sinceMs: Math.max(0, Math.floor(sinceMs)) }
  for await (const { counters } of transport.client(decisionsService).listCounters({ filter }))
    for (const { counter, day } of counters) if (counter !== null) found.push(observationOf(counter, day))
  return found
}

function observationOf(counter: DecisionCounter, day: number): Observation {
  const orNull = (text: string): string | null => (text === '' ? null : text)
  const opener = (kind: string, by: string): string | null =>
    by.startsWith(`${kind}:`) ? by.slice(kind.length + 1) : null
  return {
    source: counter.source,
    sourceZone: orNull(counter.sourceZone),
    service: counter.service,
    destinationZone: orNull(counter.destinationZone),
    action: orNull(counter.action),
    conduit: opener('conduit', counter.movementBy),
    rule: opener('rule', counter.accessBy),
    decision: counter.decision === 'allow' ? 'allow' : 'deny',
    wouldDeny: counter.wouldDeny,
    deniedBy: orNull(counter.deniedBy),
    code: orNull(counter.code),
    side: counter.side === 'client' ? 'client' : 'server',
    port: counter.port,
    protocol: counter.protocol,
    route: orNull(counter.route),
    count: counter.count,
    firstMs: counter.firstMs,
    lastMs: counter.lastMs,
    day,
  }
}

/** Services that nobody was seen to guard: their own end has reported no decision. */
export async function enforcement(
  options: AnalysisOptions & DecisionOptions,
  { set }: Analysed,
): Promise<{ readonly unenforced: ReadonlySet<string>; readonly isKnown: boolean }> {
  const traffic = await observed(options)
  if (traffic === undefined) return { unenforced: new Set(), isKnown: false }
  const seen = new Set(traffic.filter(({ side }) => side === 'server').map(({ service }) => service))
  return { unenforced: new Set(set.services.map(({ id }) => id).filter((id) => !seen.has(id))), isKnown: true }
}

export function spanMs(text: string): number {
  return /^\d{1,5}d$/.test(text) ? Number(text.slice(0, -1)) * DAY_MS : parseDuration(text) * 1000
}
