import { indexLifecycle } from '../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Quarantine } from '../../src/policy/lifecycle.ts'
import { GOOD_STANDING, type Standing, type Withheld } from '../entries/standing.ts'
import type { PolicyState } from './policy-state.ts'
import { zonesOf, zonesOfPeer } from './zones-of.ts'

/**
 * What the fast lane says of the identities of this node: the same as the server's gate asks before it signs, so that what was
 * signed before is not given out either (§3.11 "issuance stops").
 *
 * @param agentId of this node, once it has one
 */
export function standingOf({ fastLane, slices }: PolicyState, agentId: string | undefined): Standing {
  const { standing } = fastLane
  const { quarantines, offboarded, revokedSerials } = standing
  if (quarantines.length + offboarded.length + revokedSerials.length === 0) return GOOD_STANDING
  const index = indexLifecycle({ ...NO_LIFECYCLE, ...standing })
  const ofNode = quarantines.filter(({ target }) => 'node' in target && target.node === agentId)
  const hasZones = quarantines.some(({ target }) => 'zone' in target)
  return {
    stopped(spiffeId) {
      const zoneIds = hasZones ? zonesOfPeer({ slices }, spiffeId) : []
      if (index.quarantinesOf({ id: spiffeId, zoneIds }).length > 0) return 'quarantined'
      return index.offboarded.has(spiffeId) ? 'offboarded' : undefined
    },
    isRevoked: (spiffeId, serialNumber) => index.isRevoked(spiffeId, serialNumber),
    withheld(spiffeId) {
      const zoneIds = hasZones ? zonesOf({ slices }, spiffeId) : []
      const own = index.quarantinesOf({ id: spiffeId, zoneIds })
      // Peers know of those that the node was issued before, and hold them to what is kept open.
      const isNew = ofNode.some((quarantine) => !own.includes(quarantine))
      if (isNew) return { why: 'quarantined', isX509Withheld: true }
      if (index.offboarded.has(spiffeId)) return { why: 'offboarded', isX509Withheld: true }
      return own.length === 0 ? undefined : quarantinedBy(own)
    },
  }
}

function quarantinedBy(quarantines: readonly Quarantine[]): Withheld {
  const [first, ...others] = quarantines.map(({ forensics }) => forensics)
  const isKeptOpen = first?.some((id) => others.every((list) => list.includes(id))) === true
  return { why: 'quarantined', isX509Withheld: !isKeptOpen }
}
