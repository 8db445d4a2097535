import type { Conduit, Endpoint, Guard } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import { forbidsAll } from './guard-reach.ts'
import type { PolicyIndex } from './policy-index.ts'

type Path = readonly PropertyKey[]

/** Conduits, guards and what both mean for each other. @see zones.md §3.17, §3.19; ZO-25 */
export function* checkConduits(index: PolicyIndex): Generator<Found> {
  const { set } = index
  const hard = set.guards.filter((guard) => guard.hard && guard.gate === 'movement')
  const used = usedConduits(index)
  for (const [at, conduit] of set.conduits.entries()) {
    const path = ['conduits', at]
    yield* checkConduit(index, conduit, path, hard)
    if (conduit.stage === 'live' && !used.has(conduit) && index.zones.get(conduit.to.zone)?.audiences.length === 0)
      yield { code: 'CONDUIT_OPEN', path, message: `no rule allows anything over ${conduit.id}` }
  }
  for (const [at, guard] of set.guards.entries()) yield* checkGuard(guard, ['guards', at])
}

function* checkConduit(index: PolicyIndex, conduit: Conduit, path: Path, hard: readonly Guard[]): Generator<Found> {
  const { id, from, to } = conduit
  const [source, destination] = [index.zones.get(from.zone), index.zones.get(to.zone)]
  if (source?.target === 0 && conduit.valid.until === undefined)
    yield {
      code: 'CONDUIT_EXTERNAL_ENDLESS',
      path,
      message: `${id} lets the external zone ${from.zone} in without end`,
    }
  const guard = hard.find(
    ({ except, ...guard }) => !except.includes(id) && forbidsAll(index, { except, ...guard }, from, to),
  )
  if (guard !== undefined) yield { code: 'CONDUIT_FORBIDDEN', path, message: `guard ${guard.id} forbids all of ${id}` }
  if (source !== undefined && source.admin !== 'none' && destination !== undefined && destination !== source)
    yield {
      code: 'ADMIN_STANDING',
      path,
      message: `${id} is a standing path from ${from.zone} (admin: ${source.admin}) to ${to.zone}`,
    }
  yield* checkIdentities(index, from, [...path, 'from'])
  yield* checkIdentities(index, to, [...path, 'to'])
}

/** Zones with labels or selectors can hold any id, so nothing is said about them. */
function* checkIdentities(index: PolicyIndex, { zone: id, identities }: Endpoint, path: Path): Generator<Found> {
  const zone = index.zones.get(id)
  if (zone === undefined || zone.members.some(({ spiffe }) => spiffe === undefined)) return
  for (const [at, text] of (identities ?? []).entries())
    if (!index.zonesOf(text).includes(id))
      yield {
        code: 'CONDUIT_IDENTITY_ELSEWHERE',
        path: [...path, 'identities', at],
        message: `${text} is not in zone ${id}`,
      }
}

function usedConduits(index: PolicyIndex): ReadonlySet<Conduit> {
  const used = new Set<Conduit>()
  for (const rule of index.set.rules) {
    const service = index.services.get(rule.to)
    if (rule.effect === 'deny' || rule.stage === 'draft' || service === undefined) continue
    for (const conduit of index.conduitsTo(service))
      if (!used.has(conduit) && index.mayUse(rule, conduit)) used.add(conduit)
  }
  return used
}

function* checkGuard({ id, gate, from, to }: Guard, path: Path): Generator<Found> {
  for (const [side, { minTarget, maxTarget, zone, notZone, admin, notAdmin }] of [
    ['from', from],
    ['to', to],
  ] as const) {
    const why =
      minTarget !== undefined && maxTarget !== undefined && minTarget > maxTarget
        ? `no target is at least ${minTarget} and at most ${maxTarget}`
        : zone !== undefined && zone === notZone
          ? `no zone is ${zone} and is not`
          : admin !== undefined && admin === notAdmin
            ? `nothing is ${admin} and is not`
            : undefined
    if (why !== undefined) yield { code: 'GUARD_NEVER', path: [...path, side], message: `guard ${id}: ${why}` }
  }
  if (gate === 'movement' && to.actions !== undefined)
    yield {
      code: 'GUARD_NEVER',
      path: [...path, 'to', 'actions'],
      message: `guard ${id}: the movement gate knows no actions, use \`gate: access\``,
    }
  if (from.actions !== undefined)
    yield { code: 'GUARD_NEVER', path: [...path, 'from', 'actions'], message: `guard ${id}: a source has no actions` }
}
