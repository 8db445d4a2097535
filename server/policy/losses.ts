import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { zonesOfRow, type Members } from './members.ts'

/** Something that works now and would not after a change. */
export interface Loss {
  readonly kind: 'zone' | 'adminPath'
  readonly zone: string
  readonly spiffeId: string
  readonly message: string
}

/** A policy with the members that it has now, or would have. */
export interface Placed {
  readonly set: PolicySet
  readonly members: Members
}

/** Every zone in use that would lose all of its rights, and every administrator who would lose the last one. */
export function lossesOf(before: Placed | undefined, after: Placed, admins: readonly SpiffeId[]): Loss[] {
  if (before === undefined) return []
  const has = rightsOf(after)
  // Mostly nothing is lost; then it does not matter what there was.
  let then: Rights | undefined
  const had = (): Rights => (then ??= rightsOf(before))
  const losses: Loss[] = []
  for (const [zone, identities] of [...identitiesByZone(before.members)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const isKept = identities.some((id) => has.identities.has(id))
    if (isKept || !had().zones.has(zone)) continue
    const message = `zone ${zone} with ${identities.length} registered identities would have no right left, in or out`
    losses.push({ kind: 'zone', zone, spiffeId: '', message })
  }
  for (const admin of admins.map(String)) {
    if (has.identities.has(admin) || !had().identities.has(admin)) continue
    const [zone = ''] = before.members.partyOf(admin).zoneIds
    losses.push({
      kind: 'adminPath',
      zone,
      spiffeId: admin,
      message: `administrator ${admin} would have no right left`,
    })
  }
  return losses
}

function identitiesByZone(members: Members): Map<string, string[]> {
  const byZone = new Map<string, string[]>()
  for (const row of members.rows()) {
    for (const zone of zonesOfRow(row)) {
      const identities = byZone.get(zone)
      if (identities === undefined) byZone.set(zone, [row.spiffeId])
      else identities.push(row.spiffeId)
    }
  }
  return byZone
}

interface Rights {
  readonly zones: ReadonlySet<string>
  readonly identities: ReadonlySet<string>
}

/**
 * Who has a right that a path leads to, in either direction: the subject of an allow rule and the identity of its service, when the
 * zones of both are joined by a conduit. A slice says exactly that.
 */
function rightsOf({ set, members }: Placed): Rights {
  const zones = new Set<string>()
  const identities = new Set<string>()
  const joined = new Set(
    set.conduits.filter(({ stage }) => stage === 'live').map(({ from, to }) => `${from.zone}\n${to.zone}`),
  )
  const destinations = new Map(
    set.services.map(({ id, identity }) => [id, members.partyOf(`spiffe://${set.trustDomain}${identity}`)]),
  )
  for (const { spiffeId } of members.rows()) {
    const source = members.partyOf(spiffeId)
    for (const { to, effect, stage } of members.rulesOf(source)) {
      const destination = destinations.get(to)
      if (effect !== 'allow' || stage !== 'live' || source.zone === undefined || destination?.zone === undefined)
        continue
      if (!joined.has(`${source.zone.id}\n${destination.zone.id}`)) continue
      for (const { id, zone } of [source, destination]) {
        identities.add(id)
        if (zone !== undefined) zones.add(zone.id)
      }
    }
  }
  return { zones, identities }
}
