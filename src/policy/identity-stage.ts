import { firstOf, type Code } from './codes.ts'
import type { Party } from './party.ts'
import type { PolicyRequest } from './request.ts'
import type { Tables } from './tables.ts'
import { HARD_STALE_MS } from './zone.ts'

/** Who asks, or the first reason why nobody is believed. */
export type IdentityVerdict =
  { readonly source: Party; readonly serialNumber: string; readonly expires: number } | { readonly code: Code }

/**
 * Stage 0. What the handshake refused stays refused; of several reasons the first of ZO-01 is told.
 *
 * @see zones.md §3.5 stage 0, ZO-01, ZO-02
 */
export function checkIdentity(tables: Tables, request: PolicyRequest): IdentityVerdict {
  const { peer, now, policyAgeMs } = request
  if ('refused' in peer) {
    const claimed = peer.claimedId === undefined ? undefined : tables.parties.of(peer.claimedId)
    return { code: typeof claimed === 'string' ? firstOf(peer.refused, claimed) : peer.refused }
  }
  const source = tables.parties.of(peer.spiffeId)
  if (typeof source === 'string') return { code: source }
  if (!(peer.notAfter > now)) return { code: 'SVID_EXPIRED' }
  const limit = hardStaleMs(tables, request.service)
  // Written so that an age which is no number denies.
  if (!(policyAgeMs < limit)) return { code: 'POLICY_STALE' }
  return {
    source,
    serialNumber: peer.serialNumber,
    expires: Math.min(peer.notAfter, now + (limit - policyAgeMs)),
  }
}

/** Of the destination's zone; without one the settings' own, which always denies in the end. */
function hardStaleMs({ services, set }: Tables, service: string): number {
  return services.get(service)?.party.zone?.hardStaleMs ?? set.settings.bundle.hardStaleMs ?? HARD_STALE_MS
}
