import { SallyportError } from '../src/errors.ts'
import { runUntilSignal } from '../src/process/run-until-signal.ts'
import type { Transport } from '../src/wire/client.ts'
import {
  decisionsService,
  type DecisionFilter,
  type StoredDecision,
  type StoredDecisionCounter,
} from '../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../src/wire/service.ts'
import { agentArgument } from './agent-argument.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions, OutputFormat } from './context.ts'
import { askedOf, recordOf, verdictOf, type DecisionRecord } from './decision-record.ts'
import { printId } from './ids.ts'
import { parseInstant } from './instants.ts'
import { printable, printInstant, printJson, renderResult, type Result, type Row } from './print.ts'
import { wholeIdAt } from './whole-id.ts'

export interface FilterOptions extends GlobalOptions {
  readonly decision?: string
  readonly wouldDeny: boolean
  readonly deniedBy?: string
  readonly code?: string
  readonly from?: string
  readonly fromZone?: string
  readonly to?: string
  readonly toZone?: string
  readonly agent?: string
  readonly since?: string
  readonly until?: string
}

export interface TailOptions extends FilterOptions {
  readonly follow: boolean
  readonly limit: string
}

/** The most records of one page. */
const PAGE = 1_000

export async function listDecisions(options: FilterOptions & { readonly limit: string }): Promise<Result> {
  const limit = countOf(options.limit)
  return withServer(options, async (transport) => {
    const filter = await filterOf(options, transport)
    return shown(await newest(transport, filter, limit))
  })
}

export async function tailDecisions(options: TailOptions): Promise<Result | undefined> {
  const limit = countOf(options.limit)
  return withServer(options, async (transport) => {
    const filter = await filterOf(options, transport)
    if (!options.follow) return shown((await newest(transport, filter, limit)).toReversed())
    await follow(transport, { filter, limit: Math.min(limit, PAGE) }, options.output)
    return undefined
  })
}

/** Prints each as it comes, until somebody ends it or nobody reads it. */
async function follow(
  transport: Transport,
  request: { readonly filter: Sent<DecisionFilter>; readonly limit: number },
  format: OutputFormat,
): Promise<void> {
  process.stdout.once('error', () => process.exit(0))
  await runUntilSignal(async (signal) => {
    try {
      for await (const stored of transport.client(decisionsService).tail(request, { signal }))
        process.stdout.write(await lineOf(stored, format))
    } catch (error) {
      if (!signal.aborted) throw error
    }
  })
}

export async function lineOf(stored: StoredDecision, format: OutputFormat): Promise<string> {
  if (format === 'json') return `${printJson(readable(stored))}\n`
  if (format === 'yaml') return `---\n${await renderResult({ value: readable(stored) }, 'yaml', Infinity)}`
  const { at, decision, from, to, asked, id } = rowOf(recordOf(stored))
  const line = `${String(at)}  ${String(decision)}  ${String(from)} → ${String(to)}  ${String(asked)}  ${String(id)}`
  return `${printable(line)}\n`
}

export async function countDecisions(options: FilterOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const filter = await filterOf(options, transport)
    const found: StoredDecisionCounter[] = []
    for await (const { counters } of transport.client(decisionsService).listCounters({ filter }))
      found.push(...counters)
    const none = found.length === 0 ? { sentence: 'Nothing like that was decided.' } : {}
    return { value: found.map(readableCounter), rows: summed(found), ...none }
  })
}

async function newest(
  transport: Transport,
  filter: Sent<DecisionFilter>,
  limit: number,
): Promise<readonly StoredDecision[]> {
  const found: StoredDecision[] = []
  for (let beforePosition = 0; found.length < limit;) {
    const page = await transport
      .client(decisionsService)
      .list({ filter, limit: Math.min(PAGE, limit - found.length), beforePosition })
    found.push(...page.decisions)
    beforePosition = page.nextPosition
    if (beforePosition === 0) break
  }
  return found
}

function shown(found: readonly StoredDecision[]): Result {
  const none =
    found.length === 0
      ? { sentence: 'No decision like that was recorded. Agents tell refusals within a second, and counts every ten.' }
      : {}
  return { value: found.map(readable), rows: found.map((one) => rowOf(recordOf(one))), ...none }
}

/** The record itself, with who told it. */
const readable = (stored: StoredDecision) => ({
  ...recordOf(stored),
  agent: stored.agent,
  received: new Date(stored.receivedMs).toISOString(),
})

function rowOf(record: DecisionRecord): Row {
  const { id, ts, src, dst } = record
  return {
    at: `${ts.slice(0, 19).replace('T', ' ')}Z`,
    decision: verdictOf(record),
    from: placed(pathIn(src.id, dst.id), src.zone),
    to: placed(dst.service, dst.zone),
    asked: askedOf(record),
    id,
  }
}

const placed = (name: string, zone: string | null): string => `${name} (${zone ?? 'no zone'})`

/** Ids of the own trust domain as policies write them. */
function pathIn(id: string | null, neighbour: string | null): string {
  if (id === null) return 'nobody'
  const own = /^spiffe:\/\/[^/]+/.exec(neighbour ?? '')?.[0]
  return own !== undefined && id.startsWith(`${own}/`) ? id.slice(own.length) : id
}

const readableCounter = ({ agent, day, counter }: StoredDecisionCounter) => ({
  agent,
  day: new Date(day * 86_400_000).toISOString().slice(0, 10),
  ...counter,
})

/** Over all agents and days: one row for each kind, the most frequent first. */
function summed(counters: readonly StoredDecisionCounter[]): Row[] {
  const kinds = new Map<string, { row: Row; count: number; lastMs: number }>()
  for (const { counter } of counters) {
    if (counter === null) continue
    const { source, sourceZone, service, destination, destinationZone, action, movementBy, accessBy } = counter
    const verdict = counter.wouldDeny ? 'WOULD DENY' : counter.decision.toUpperCase()
    const row = {
      decision: [verdict, counter.deniedBy, counter.code].filter((part) => part !== '').join(' '),
      from: placed(pathIn(source === '' ? null : source, destination), sourceZone === '' ? null : sourceZone),
      to: placed(service, destinationZone === '' ? null : destinationZone),
      action,
      by: [movementBy, accessBy].filter((part) => part !== '').join(' '),
    }
    const key = JSON.stringify(row)
    const kind = kinds.get(key) ?? { row, count: 0, lastMs: 0 }
    kinds.set(key, { row, count: kind.count + counter.count, lastMs: Math.max(kind.lastMs, counter.lastMs) })
  }
  const now = new Date()
  return [...kinds.values()]
    .toSorted((a, b) => b.count - a.count)
    .map(({ row, count, lastMs }) => ({ count, ...row, last: printInstant(new Date(lastMs), now) }))
}

async function filterOf(options: FilterOptions, transport: Transport): Promise<Sent<DecisionFilter>> {
  const { decision = '', wouldDeny, deniedBy = '', code = '', from, fromZone = '', to = '', toZone = '' } = options
  const nowMs = Date.now()
  const instant = (text: string | undefined): number => (text === undefined ? 0 : parseInstant(text, nowMs))
  return {
    ...{ decision, wouldDeny, deniedBy, code, sourceZone: fromZone, service: to, destinationZone: toZone },
    source: from === undefined ? '' : await wholeIdAt(transport, from),
    agent: options.agent === undefined ? '' : printId(await agentArgument(options.agent, transport)),
    ...{ sinceMs: instant(options.since), untilMs: instant(options.until) },
  }
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new SallyportError('COMMAND_INVALID', `Cannot show ${text.slice(0, 40)} decisions: not a number from 1`)
}
