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

export const recordOf = ({ content }: StoredDecision): DecisionRecord =>
  JSON.parse(content.toString()) as DecisionRecord

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
        ? ` --rpc ${req.route}`
        : ` --http "${req.method} ${exampleOf(req.route)}"`
  const at = code !== null && TIMED.test(code) ? ` --at ${ts}` : ''
  return `sallyport policy explain --from ${src.id} --to ${dst.service} --port ${dst.port}${request}${at}`
}

/** `/v1/orders/{id}` → `/v1/orders/1`: a path that the template matches. */
const exampleOf = (route: string): string => route.replaceAll(/\{[^/{}]*\}|\*\*/g, '1')

/** What a code means and what to do; a newer server may have codes that this command line does not know. */
export const codeRowOf = ({ code }: Pick<DecisionRecord, 'code'>): CodeRow | undefined =>
  code !== null && Object.hasOwn(codes, code) ? codes[code] : undefined
