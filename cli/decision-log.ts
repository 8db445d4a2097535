import * as z from 'zod'
import { SallyportError } from '../src/errors.ts'
import { DAY_MS, type Observation } from '../src/policy/analysis/observed.ts'

/** The largest log that is read, and the longest line of one. */
export const LOG_MAX_BYTES = 512 << 20
const LINE_MAX = 64 << 10

const text = z.string().max(4096)
const nameOrNull = text.nullable()
const by = z.object({ kind: text, id: text }).nullable()
const gate = z.object({ by: by.optional() })
const side = z.enum(['server', 'client'])
const decision = z.enum(['allow', 'deny'])
const count = z.number().int().min(0)

/** A decision record as in zones.md §3.16. */
const record = z
  .object({
    ts: z.iso.datetime({ offset: true }),
    pep: z.object({ side, service: text }),
    decision,
    wouldDeny: z.boolean(),
    deniedBy: nameOrNull,
    code: nameOrNull,
    gates: z.object({ movement: gate, access: gate.extend({ action: nameOrNull.optional() }) }),
    src: z.object({ id: nameOrNull, zone: nameOrNull }),
    dst: z.object({ service: text, zone: nameOrNull, port: z.number() }),
    net: z.object({ proto: text }).optional(),
    req: z.object({ route: nameOrNull.optional() }).nullish(),
  })
  .transform(({ ts, pep, gates, src, dst, net, req, ...rest }): Observation => {
    const at = Date.parse(ts)
    const opener = (kind: string, { by }: z.output<typeof gate>): string | null => (by?.kind === kind ? by.id : null)
    return {
      source: src.id ?? '',
      sourceZone: src.zone,
      service: dst.service,
      destinationZone: dst.zone,
      action: gates.access.action ?? null,
      conduit: opener('conduit', gates.movement),
      rule: opener('rule', gates.access),
      ...rest,
      side: pep.side,
      port: dst.port,
      protocol: net?.proto ?? '',
      route: req?.route ?? null,
      count: 1,
      firstMs: at,
      lastMs: at,
      day: Math.floor(at / DAY_MS),
    }
  })

/** What `report traffic` prints. */
const observation = z
  .object({
    source: text,
    sourceZone: nameOrNull,
    service: text,
    destinationZone: nameOrNull,
    action: nameOrNull,
    conduit: nameOrNull,
    rule: nameOrNull,
    decision,
    wouldDeny: z.boolean(),
    deniedBy: nameOrNull,
    code: nameOrNull,
    side,
    port: z.number(),
    protocol: text,
    route: nameOrNull,
    count,
    firstMs: count,
    lastMs: count,
    day: count,
  })
  .transform((read): Observation => read)

/**
 * Reads a log of one JSON object a line: decision records, or exact counters as `report traffic` prints them. Where there are
 * counters records are left aside, because counters count them too.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function readDecisionLog(log: string, name: string): Observation[] {
  if (Buffer.byteLength(log) > LOG_MAX_BYTES) throw invalid(name, `it is larger than ${LOG_MAX_BYTES} bytes`)
  const records: Observation[] = []
  const counters: Observation[] = []
  for (const [at, line] of log.split('\n').entries()) {
    if (line.trim() === '') continue
    const value = parseLine(line, `${name}:${at + 1}`)
    const isRecord = typeof value === 'object' && value !== null && 'pep' in value
    const read = (isRecord ? record : observation).safeParse(value)
    if (!read.success)
      throw invalid(`${name}:${at + 1}`, z.prettifyError(read.error).replaceAll('\n', ' ').slice(0, 200))
    if (isRecord) records.push(read.data)
    else counters.push(read.data)
  }
  return counters.length > 0 ? counters : records
}

function parseLine(line: string, place: string): unknown {
  if (line.length > LINE_MAX) throw invalid(place, `the line is longer than ${LINE_MAX} characters`)
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw invalid(place, 'the line is not JSON', cause)
  }
}

const invalid = (place: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot read ${place}: ${why}`, {
    hint: 'A log has one decision record or counter a line; `sallyport report traffic` prints counters.',
    ...(cause === undefined ? {} : { cause }),
  })
