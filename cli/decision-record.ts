import * as z from 'zod'
import { parseJsonObject } from '../src/jws/strict-json.ts'
import { codes, type CodeRow } from '../src/policy/codes.ts'
import type { Decision } from '../src/policy/decision.ts'
import type { StoredDecision } from '../src/wire/messages/sallyport-server-v1.ts'

/** A decision record (zones.md §3.16) as far as commands show it. */
export interface DecisionRecord extends Pick<
  Decision,
  'decision' | 'raw' | 'mode' | 'wouldDeny' | 'deniedBy' | 'code' | 'caller'
> {
  readonly id: string
  readonly ts: string
  readonly pep: { readonly kind: string; readonly side: string; readonly service: string }
  readonly gates: Decision['gates'] & { readonly access: { readonly action: string | null } }
  readonly src: Decision['src'] & {
    readonly svid: { readonly serial: string; readonly notAfter: string | null } | null
    readonly ip: string | null
    readonly port: number | null
  }
  readonly dst: Decision['dst'] & { readonly port: number }
  readonly net: {
    readonly conn: string
    readonly proto: string
    readonly tls: string | null
    readonly alpn: string | null
  }
  readonly req: { readonly method: string; readonly route: string | null } | null
  readonly policy: {
    readonly name: string
    readonly revision: number
    readonly fastLane: number
    readonly ageMs: number
  }
  readonly reeval: string | null
}

const textOrNull = z.string().nullable().catch(null)
const text = z.string().catch('')
const number = z.number().catch(0)
const verdict = z.enum(['allow', 'deny']).catch('deny')
/** What is missing, or is something else, is read as nothing known; whatever else there is stays. */
const part = <S extends z.ZodRawShape>(shape: S) =>
  z.looseObject(shape).catch(() => z.looseObject(shape).parse({}) as never)

const by = z.looseObject({ kind: z.string(), id: z.string() }).nullable().catch(null)
const gate = { result: z.enum(['allow', 'deny', 'notEvaluated']).catch('notEvaluated'), code: textOrNull, by }
const end = { id: textOrNull, zone: textOrNull }
const record = part({
  ...{ id: text, ts: z.iso.datetime({ offset: true }).catch(new Date(0).toISOString()) },
  pep: part({ kind: text, side: text, service: text }),
  ...{ decision: verdict, raw: verdict, mode: z.enum(['enforce', 'observe']).catch('enforce') },
  ...{ wouldDeny: z.boolean().catch(false), deniedBy: textOrNull, code: textOrNull, caller: textOrNull },
  gates: part({ movement: part(gate), access: part({ ...gate, action: textOrNull }) }),
  src: part({
    ...end,
    svid: z.looseObject({ serial: text, notAfter: textOrNull }).nullable().catch(null),
    ip: textOrNull,
    port: z.number().nullable().catch(null),
  }),
  dst: part({ ...end, service: text, port: number }),
  net: part({ conn: text, proto: text, tls: textOrNull, alpn: textOrNull }),
  req: z.looseObject({ method: text, route: textOrNull }).nullable().catch(null),
  policy: part({ name: text, revision: number, fastLane: number, ageMs: number }),
  reeval: textOrNull,
})

/** Reads a record. Workloads write them, and whatever one of them writes must not keep anybody from the others. */
export const recordOf = ({ content }: StoredDecision): DecisionRecord =>
  record.parse(fieldsOf(content)) as DecisionRecord

/** Of what is nested so deep that it could not be printed, the plain fields. */
function fieldsOf(content: Buffer): object {
  try {
    return parseJsonObject(content, 'a record')
  } catch {
    const fields = Object.entries(JSON.parse(content.toString()) as object)
    return Object.fromEntries(fields.filter(([, value]) => typeof value !== 'object'))
  }
}

/** `DENY movement NO_CONDUIT`, `WOULD DENY access NO_RULE` or `ALLOW`. */
export function verdictOf({ decision, wouldDeny, deniedBy, code }: DecisionRecord): string {
  const word = wouldDeny ? 'WOULD DENY' : decision.toUpperCase()
  return [word, deniedBy, code].filter((part) => part !== null).join(' ')
}

/** What was asked for: `GET /v1/orders/{id}`, `ledger.v1.Ledger/Get`, or a connection. */
export function askedOf({ req, net }: DecisionRecord): string {
  if (req === null) return `connection (${net.proto})`
  if (net.proto === 'grpc') return req.route ?? 'a method that is no action'
  return `${req.method} ${req.route ?? '(no action)'}`
}

/** Codes that hold for some time only: explained as of then. */
const TIMED = /EXPIRED$|^OUTSIDE_WINDOW$/

/**
 * The command that explains a decision by the policy of now. What a record does not hold, a raw path, is made up from the
 * template; undefined where nobody is known to have asked.
 */
export function explainCommandOf(record: DecisionRecord): string | undefined {
  const { src, dst, req, net, ts, code } = record
  if (src.id === null) return undefined
  const request =
    req?.route == null
      ? ''
      : net.proto === 'grpc'
        ? ` --rpc ${shellWord(req.route)}`
        : ` --http ${shellWord(`${req.method} ${exampleOf(req.route)}`)}`
  const at = code !== null && TIMED.test(code) ? ` --at ${ts}` : ''
  const [from, to] = [src.id, dst.service].map(shellWord)
  return `sallyport policy explain --from ${from} --to ${to} --port ${dst.port}${request}${at}`
}

/** One argument for a shell, which takes nothing in it for a command: people run what they are shown. */
function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return /^[\w@%+=:,./ {}*?&;~()'[\]-]+$/.test(text) ? `"${text}"` : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** `/v1/orders/{id}` → `/v1/orders/1`: a path that the template matches. */
const exampleOf = (route: string): string => route.replaceAll(/\{[^/{}]*\}|\*\*/g, '1')

/** What a code means and what to do; a newer server may have codes that this command line does not know. */
export const codeRowOf = ({ code }: Pick<DecisionRecord, 'code'>): CodeRow | undefined =>
  code !== null && Object.hasOwn(codes, code) ? codes[code] : undefined
