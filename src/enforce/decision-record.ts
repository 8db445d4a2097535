import type { Decision } from '../policy/decision.ts'
import type { PolicyContext } from '../workload/policy-context.ts'

/** Which end decided. */
export type Side = 'server' | 'client'

/** What an enforcement point knows about a decision besides the decision itself. Never a raw path, a query or a token. */
export interface DecisionContext {
  readonly side: Side
  readonly service: string
  readonly version: string
  readonly connection: {
    readonly id: string
    readonly openedAtMs: number
    readonly protocol: 'http' | 'grpc' | 'tcp'
    readonly tls: string | null
    readonly alpn: string | null
    readonly port: number
    readonly peerIp: string | null
    readonly peerPort: number | null
  }
  readonly peer: { readonly serialNumber: string; readonly notAfterMs: number } | undefined
  readonly request:
    { readonly method: string; readonly authority: string | null; readonly trace: string | null } | undefined
  /** Why it was decided again on a connection that was open; undefined: somebody asked. */
  readonly reeval: string | undefined
  /** What drafts would have decided, where that differs. */
  readonly shadow: Pick<Decision, 'decision' | 'deniedBy' | 'code'> | undefined
}

/** The longest text of a peer that goes into a record. */
const TEXT_MAX_LENGTH = 256

/**
 * A decision as it is kept (§3.16); the agent adds its own name, the sequence and the link to the record before.
 *
 * @param id of the decision, which the refused caller is told
 */
export function decisionRecord(
  id: string,
  atMs: number,
  decision: Decision,
  { side, service, version, connection, peer, request, reeval, shadow }: DecisionContext,
  { status, lifecycle }: Pick<PolicyContext, 'status' | 'lifecycle'>,
  policy: { readonly name: string; readonly digest: string; readonly ageMs: number },
): object {
  const { movement, access } = decision.gates
  const elevation = (kind: 'grant' | 'breakGlass'): string | null =>
    [movement.by, access.by].find((by) => by?.kind === kind)?.id ?? null
  return {
    v: 1,
    id,
    ts: new Date(atMs).toISOString(),
    pep: { kind: 'sdk', side, service, version },
    decision: decision.decision,
    raw: decision.raw,
    mode: decision.mode,
    wouldDeny: decision.wouldDeny,
    deniedBy: decision.deniedBy,
    code: decision.code,
    gates: { movement, access: { ...access, action: decision.action } },
    src: {
      ...decision.src,
      svid: peer === undefined ? null : { kind: 'x509', serial: peer.serialNumber, notAfter: instant(peer.notAfterMs) },
      ip: connection.peerIp,
      port: connection.peerPort,
    },
    caller: decision.caller,
    jwt: decision.jwt,
    dst: { ...decision.dst, port: connection.port },
    net: {
      conn: connection.id,
      direction: side === 'server' ? 'inbound' : 'outbound',
      proto: connection.protocol,
      tls: connection.tls,
      alpn: connection.alpn,
      resumed: false,
      ageMs: Math.max(0, Math.round(atMs - connection.openedAtMs)),
    },
    req:
      request === undefined
        ? null
        : {
            method: short(request.method),
            route: decision.route,
            authority: request.authority === null ? null : short(request.authority),
            trace: request.trace,
          },
    policy: {
      name: policy.name,
      epoch: status.policyEpoch,
      revision: status.policyRevision,
      digest: policy.digest,
      fastLane: lifecycle.sequence,
      ageMs: Math.round(policy.ageMs),
    },
    elevation: { grant: elevation('grant'), breakGlass: elevation('breakGlass') },
    expires: instant(decision.expires),
    reeval: reeval ?? null,
    shadow: shadow ?? null,
  }
}

const instant = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null)
const short = (text: string): string => text.slice(0, TEXT_MAX_LENGTH)
