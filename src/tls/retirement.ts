import type { CloseReason, OpenConnection } from './connection.ts'

/** When a connection that works is ended all the same. */
export interface Retirement {
  /** Once the SVID of either side has expired, because what the handshake has proven is no longer true. Default: yes. */
  readonly onExpiry?: boolean | undefined
  /** How long a request may still take after that. Default: 30 seconds. */
  readonly drainMs?: number | undefined
  /** Once it is this old. Default: at any age. */
  readonly maxAgeMs?: number | undefined
}

/** A client stops before the server does, else a request that is on its way is lost: by a tenth of its time, … */
const CLIENT_AHEAD_SHARE = 0.1
/** … but at least this, if that is no more than half of it, … */
const CLIENT_AHEAD_MIN_MS = 1_000
/** … and at most this. */
const CLIENT_AHEAD_MAX_MS = 30_000

/** When a connection begins to end by itself, and why. */
export interface Due {
  readonly at: Date
  readonly reason: CloseReason
}

/**
 * The moment at which a connection should begin to end, if it should.
 *
 * @param random from 0 to 1: clients that lose their proof together, with the SVID of one server, do not come back together
 */
export function retirementOf(
  { peer, own, role, openedAt }: OpenConnection & { readonly openedAt: Date },
  retire: Retirement | undefined,
  random: number,
): Due | undefined {
  if (retire === undefined) return undefined
  const leaves = [peer.svid.chain[0], own.chain[0]]
  const expiresMs = (retire.onExpiry ?? true) ? Math.min(...leaves.map(({ notAfter }) => notAfter.getTime())) : Infinity
  const ageMs = openedAt.getTime() + (retire.maxAgeMs ?? Infinity)
  const endsMs = Math.min(expiresMs, ageMs)
  if (endsMs === Infinity) return undefined
  const leftMs = Math.max(0, endsMs - openedAt.getTime())
  const aheadMs = role === 'client' ? clientAheadMs(leftMs) * (1 + random / 2) : 0
  return { at: new Date(endsMs - aheadMs), reason: endsMs === ageMs ? 'aged' : 'expired' }
}

function clientAheadMs(leftMs: number): number {
  const atLeastMs = Math.min(CLIENT_AHEAD_MIN_MS, leftMs / 2)
  return Math.min(Math.max(leftMs * CLIENT_AHEAD_SHARE, atLeastMs), CLIENT_AHEAD_MAX_MS)
}
