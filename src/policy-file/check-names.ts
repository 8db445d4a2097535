import { nearestName } from '../config/nearest-name.ts'
import { codes } from '../policy/codes.ts'
import type { Endpoint, GrantTemplate, Invariant, Place, PolicySet, Predicate, Rule } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import type { PolicyIndex } from './policy-index.ts'

type Path = readonly PropertyKey[]

/** Names that are given twice, and names of what does not exist. */
export function* checkNames(index: PolicyIndex): Generator<Found> {
  const { set } = index
  for (const kind of kinds) yield* repeated(kind, set[kind])
  const names = new Names(set)
  for (const [at, { zone }] of set.federation.entries()) yield* names.zone(zone, ['federation', at, 'zone'])
  for (const [at, { from, to }] of set.conduits.entries()) {
    yield* names.endpoint(from, ['conduits', at, 'from'])
    yield* names.endpoint(to, ['conduits', at, 'to'])
  }
  for (const [at, guard] of set.guards.entries()) {
    yield* names.predicate(guard.from, ['guards', at, 'from'])
    yield* names.predicate(guard.to, ['guards', at, 'to'])
    const kind = guard.gate === 'movement' ? 'conduit' : 'rule'
    for (const [i, name] of guard.except.entries()) yield* names.find(kind, name, ['guards', at, 'except', i])
  }
  for (const [at, rule] of set.rules.entries()) yield* names.rule(rule, ['rules', at])
  for (const [at, template] of set.grantTemplates.entries())
    yield* names.template(template, ['grantTemplates', at, 'adds'])
  for (const [at, { from, to }] of set.breakGlass.entries()) {
    for (const [i, zone] of from.entries()) yield* names.zone(zone, ['breakGlass', at, 'from', i])
    for (const [i, zone] of to.entries()) yield* names.zone(zone, ['breakGlass', at, 'to', i])
  }
  for (const [at, test] of set.tests.entries()) {
    yield* names.find('service', test.to, ['tests', at, 'to'])
    const { conduit, rule } = test.expect
    if (conduit !== undefined) yield* names.find('conduit', conduit, ['tests', at, 'expect', 'conduit'])
    if (rule !== undefined) yield* names.find('rule', rule, ['tests', at, 'expect', 'rule'])
    yield* gateOfCode(test.expect, ['tests', at, 'expect'])
  }
  for (const [at, invariant] of set.invariants.entries()) yield* names.invariant(invariant, ['invariants', at])
}

const kinds = [
  'zones',
  'services',
  'conduits',
  'guards',
  'rules',
  'grantTemplates',
  'breakGlass',
  'invariants',
] as const satisfies readonly (keyof PolicySet)[]

function* repeated(kind: (typeof kinds)[number], objects: readonly { readonly id: string }[]): Generator<Found> {
  const seen = new Set<string>()
  for (const [at, { id }] of objects.entries()) {
    if (seen.has(id)) yield { code: 'ID_REPEATED', path: [kind, at, 'id'], message: `"${id}" is there already` }
    seen.add(id)
  }
}

function* gateOfCode(
  { gate, code }: { gate?: string | undefined; code?: string | undefined },
  path: Path,
): Generator<Found> {
  if (gate === undefined || code === undefined) return
  const row = (codes as Readonly<Record<string, { readonly stage: string; readonly alsoIn?: string }>>)[code]
  if (row === undefined || row.stage === gate || row.alsoIn === gate) return
  yield {
    code: 'TEST_GATE_MISMATCH',
    path: [...path, 'code'],
    message: `${code} is a code of ${row.stage}, not of ${gate}`,
  }
}

type Kind = 'zone' | 'service' | 'conduit' | 'rule'

class Names {
  readonly #known: Readonly<Record<Kind, ReadonlySet<string>>>
  readonly #actions: ReadonlyMap<string, ReadonlySet<string>>

  constructor({ zones, services, conduits, rules }: PolicySet) {
    const ids = (objects: readonly { readonly id: string }[]): Set<string> => new Set(objects.map(({ id }) => id))
    this.#known = { zone: ids(zones), service: ids(services), conduit: ids(conduits), rule: ids(rules) }
    this.#actions = new Map(services.map(({ id, actions }) => [id, new Set(actions.map(({ name }) => name))]))
  }

  *find(kind: Kind, name: string, path: Path): Generator<Found> {
    if (!this.#known[kind].has(name)) yield unknown(kind, name, this.#known[kind], path)
  }

  zone(name: string, path: Path): Generator<Found> {
    return this.find('zone', name, path)
  }

  endpoint({ zone, identities }: Endpoint, path: Path): Generator<Found> {
    return this.zone(zone, identities === undefined ? path : [...path, 'zone'])
  }

  /** The service, and each action of it. */
  *actions(service: string, actions: readonly string[], servicePath: Path, actionsPath: Path): Generator<Found> {
    yield* this.find('service', service, servicePath)
    const known = this.#actions.get(service)
    if (known === undefined) return
    for (const [at, action] of actions.entries())
      if (!known.has(action)) yield unknown(`action of ${service}`, action, known, [...actionsPath, at])
  }

  *rule({ from, to, actions }: Rule, path: Path): Generator<Found> {
    for (const [at, subject] of from.entries())
      if ('zone' in subject) yield* this.zone(subject.zone, [...path, 'from', at, 'zone'])
    yield* this.actions(to, actions, [...path, 'to'], [...path, 'actions'])
  }

  *template({ movement, access }: GrantTemplate, path: Path): Generator<Found> {
    yield* this.endpoint(movement.from, [...path, 'movement', 'from'])
    yield* this.endpoint(movement.to, [...path, 'movement', 'to'])
    yield* this.actions(access.to, access.actions, [...path, 'access', 'to'], [...path, 'access', 'actions'])
  }

  *predicate({ zone, notZone, service, actions }: Predicate, path: Path): Generator<Found> {
    if (zone !== undefined) yield* this.zone(zone, [...path, 'zone'])
    if (notZone !== undefined) yield* this.zone(notZone, [...path, 'notZone'])
    if (service !== undefined) {
      yield* this.actions(service, actions ?? [], [...path, 'service'], [...path, 'actions'])
      return
    }
    const known = new Set([...this.#actions.values()].flatMap((names) => [...names]))
    for (const [at, action] of (actions ?? []).entries())
      if (!known.has(action)) yield unknown('action', action, known, [...path, 'actions', at])
  }

  *invariant(invariant: Invariant, path: Path): Generator<Found> {
    if (invariant.kind !== 'cannotReach' && invariant.kind !== 'maxBlastRadius') return
    yield* this.place(invariant.from, [...path, 'from'])
    if (invariant.kind === 'cannotReach') yield* this.place(invariant.to, [...path, 'to'])
  }

  *place(place: Place, path: Path): Generator<Found> {
    if ('zone' in place) yield* this.zone(place.zone, [...path, 'zone'])
    if ('service' in place) yield* this.find('service', place.service, [...path, 'service'])
  }
}

function unknown(kind: string, name: string, known: Iterable<string>, path: Path): Found {
  const near = nearestName(name, known)
  const message = `there is no ${kind} "${name}"${near === undefined ? '' : `, did you mean "${near}"?`}`
  return { code: 'REFERENCE_UNKNOWN', path, message }
}
