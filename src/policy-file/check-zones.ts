import type { Member } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import type { PolicyIndex } from './policy-index.ts'

/** Modes, members, audiences and federation of zones. @see zones.md §3.19, §3.20; SE-42, ZO-10, ZO-12, ZO-30 */
export function* checkZones(index: PolicyIndex): Generator<Found> {
  yield* checkModes(index)
  yield* checkMembers(index)
  yield* checkAudiences(index)
  yield* checkFederation(index)
}

function* checkModes({ set }: PolicyIndex): Generator<Found> {
  for (const [at, { id, mode, target, crownJewel, enforceOnly }] of set.zones.entries()) {
    if (mode === 'observe' && (crownJewel || target >= 3)) {
      const why = crownJewel ? 'is a crown jewel' : `has target ${target}`
      yield { code: 'OBSERVE_REFUSED', path: ['zones', at, 'mode'], message: `zone ${id} ${why} and must not observe` }
    }
    if (mode === 'enforce' && enforceOnly.length > 0)
      yield {
        code: 'ENFORCE_ONLY_WITHOUT_OBSERVE',
        path: ['zones', at, 'enforceOnly'],
        message: `zone ${id} enforces all ports`,
      }
  }
}

/** Only equal items tie: of two different patterns one is more specific (ZO-10). */
function* checkMembers({ set }: PolicyIndex): Generator<Found> {
  const owners = new Map<string, string>()
  for (const [at, { id, members }] of set.zones.entries()) {
    for (const [i, member] of members.entries()) {
      const key = keyOf(member)
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, id)
      else if (owner !== id)
        yield {
          code: 'MEMBER_REPEATED',
          path: ['zones', at, 'members', i],
          message: `zone ${owner} has the same members already`,
        }
    }
  }
}

const keyOf = ({ spiffe, entryLabel, selector }: Member): string =>
  JSON.stringify([spiffe, selector, Object.entries(entryLabel ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))])

function* checkAudiences({ set }: PolicyIndex): Generator<Found> {
  const owners = new Map<string, string>()
  for (const [at, { id, target, audiences }] of set.zones.entries()) {
    if (audiences.length > 0 && target !== 0)
      yield {
        code: 'AUDIENCE_NOT_EXTERNAL',
        path: ['zones', at, 'audiences'],
        message: `zone ${id} has target ${target}, and only external zones own audiences`,
      }
    for (const [i, audience] of audiences.entries()) {
      const owner = owners.get(audience)
      if (owner !== undefined)
        yield {
          code: 'AUDIENCE_REPEATED',
          path: ['zones', at, 'audiences', i],
          message: `zone ${owner} owns "${audience}" already`,
        }
      owners.set(audience, id)
    }
  }
}

function* checkFederation({ set, zones }: PolicyIndex): Generator<Found> {
  const seen = new Set<string>()
  for (const [at, { trustDomain, zone: id }] of set.federation.entries()) {
    const path = ['federation', at, 'trustDomain']
    if (trustDomain === set.trustDomain)
      yield { code: 'FEDERATION_OWN', path, message: `${trustDomain} is the own trust domain` }
    if (seen.has(trustDomain)) yield { code: 'FEDERATION_REPEATED', path, message: `${trustDomain} is there already` }
    seen.add(trustDomain)
    const zone = zones.get(id)
    if (zone !== undefined && (zone.target !== 0 || zone.members.length > 0)) {
      const why = zone.target === 0 ? 'has members of its own' : `has target ${zone.target}`
      yield { code: 'FEDERATION_ZONE', path: ['federation', at, 'zone'], message: `zone ${id} ${why}` }
    }
  }
}
