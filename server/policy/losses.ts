import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { printLongSlices } from '../../src/policy-file/check-slices.ts'
import { longSlices } from '../../src/policy/long-slices.ts'
import type { Party } from '../../src/policy/party.ts'
import type { PolicySet, Rule } from '../../src/policy/policy-set.ts'
import { zonesOfRow, type Members } from './members.ts'

/** Something that works now and would not after a change. */
export interface Loss {
  readonly kind: 'zone' | 'adminPath' | 'slice'
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
  const [had, has] = [new Rights(before), new Rights(after)]
  const losses: Loss[] = []
  for (const [zone, identities] of [...identitiesByZone(before.members)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    // Mostly the first one keeps a right, and nobody else has to be asked.
    if (identities.some((id) => has.of(id)) || !identities.some((id) => had.of(id))) continue
    const message = `zone ${zone} with ${identities.length} registered identities would have no right left, in or out`
    losses.push({ kind: 'zone', zone, spiffeId: '', message })
  }
  for (const admin of admins.map(String)) {
    if (has.of(admin) || !had.of(admin)) continue
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

/** Identities whose slice would be too long to be sent, and was not before: one loss for all of them. */
export function slicesLost(before: Members | undefined, after: Members): Loss[] {
  const already = new Set(before === undefined ? [] : longSlices(before.sliceIndex).map(({ spiffeId }) => spiffeId))
  const lost = longSlices(after.sliceIndex).filter(({ spiffeId }) => !already.has(spiffeId))
  const [longest] = lost
  if (longest === undefined) return []
  const { spiffeId } = longest
  const [zone = ''] = after.partyOf(spiffeId).zoneIds
  return [{ kind: 'slice', zone, spiffeId, message: printLongSlices(lost) }]
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

/**
 * Who has a right that a path leads to, in either direction: the registered subject of an allow rule and the identity of its service,
 * when the zones of both are joined by a conduit.
 */
class Rights {
  readonly #members: Members
  readonly #joined: ReadonlySet<string>
  /** By the name of the service: who it is, and the rules that allow somebody to call it. */
  readonly #destinations = new Map<string, Party>()
  readonly #rulesTo: ReadonlyMap<string, readonly Rule[]>
  readonly #reached = new Map<string, boolean>()

  constructor({ set, members }: Placed) {
    this.#members = members
    this.#joined = new Set(
      set.conduits.filter(({ stage }) => stage === 'live').map(({ from, to }) => `${from.zone}\n${to.zone}`),
    )
    for (const { id, identity } of set.services) {
      this.#destinations.set(id, members.partyOf(`spiffe://${set.trustDomain}${identity}`))
    }
    this.#rulesTo = Map.groupBy(set.rules.filter(isOpening), ({ to }) => this.#destinations.get(to)?.id ?? '')
  }

  of(spiffeId: string): boolean {
    return this.#maySend(spiffeId) || this.#isReached(spiffeId)
  }

  #maySend(spiffeId: string): boolean {
    // Who is not registered sends nothing.
    if (this.#members.row(spiffeId) === undefined) return false
    const source = this.#members.partyOf(spiffeId)
    return this.#members.rulesOf(source).some((rule) => isOpening(rule) && this.#leads(source, rule))
  }

  #isReached(spiffeId: string): boolean {
    let reached = this.#reached.get(spiffeId)
    if (reached === undefined) {
      const rules = this.#rulesTo.get(spiffeId) ?? []
      reached = rules.some((rule) =>
        Iterator.from(this.#members.subjectsOf(rule)).some((row) =>
          this.#leads(this.#members.partyOf(row.spiffeId), rule),
        ),
      )
      this.#reached.set(spiffeId, reached)
    }
    return reached
  }

  #leads({ zone }: Party, { to }: Rule): boolean {
    const destination = this.#destinations.get(to)?.zone
    return zone !== undefined && destination !== undefined && this.#joined.has(`${zone.id}\n${destination.id}`)
  }
}

const isOpening = ({ effect, stage }: Rule): boolean => effect === 'allow' && stage === 'live'
