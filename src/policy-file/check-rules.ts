import { isExact } from '../policy/pattern.ts'
import { covers } from '../policy/conduit.ts'
import type { Conduit, Rule, Service, Subject, Validity } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import { patternCovers } from './pattern-cover.ts'
import type { PolicyIndex } from './policy-index.ts'

type Path = readonly PropertyKey[]

/** Rules that do nothing, that others make needless, and that are too wide. @see zones.md §3.19, §4.8; ZO-12 */
export function* checkRules(index: PolicyIndex): Generator<Found> {
  const wider = new Covers(index)
  for (const [at, rule] of index.set.rules.entries()) {
    const path = ['rules', at]
    yield* checkSubjects(index, rule, path)
    if (rule.stage === 'draft') continue
    yield* checkReach(index, rule, path)
    if (rule.effect === 'deny') continue
    const deny = wider.of(rule, 'deny')
    if (deny !== undefined)
      yield { code: 'RULE_SHADOWED', path, message: `${deny.id} refuses all that ${rule.id} allows` }
    const other = wider.of(rule, 'allow')
    if (other !== undefined)
      yield { code: 'RULE_REDUNDANT', path, message: `${other.id} allows all that ${rule.id} allows` }
  }
}

function* checkSubjects(index: PolicyIndex, { effect, from, to }: Rule, path: Path): Generator<Found> {
  const federated = new Set(index.set.federation.map(({ zone }) => zone))
  for (const [at, subject] of from.entries()) {
    if ('zone' in subject) {
      if (effect === 'allow' && federated.has(subject.zone))
        yield {
          code: 'RULE_FOREIGN_BY_ZONE',
          path: [...path, 'from', at],
          message: `zone ${subject.zone} holds foreign ids`,
        }
    } else if (index.pattern(subject.pattern).trustDomain !== undefined && index.zonesOf(subject.pattern).length === 0)
      yield {
        code: 'PATTERN_OUTSIDE_FEDERATION',
        path: [...path, 'from', at],
        message: `${subject.pattern} is not accepted by any federation entry`,
      }
  }
  const service = index.services.get(to)
  const high =
    service === undefined
      ? undefined
      : index.serviceZones(service).find((id) => (index.zones.get(id)?.target ?? 0) >= 3)
  const wide = from.findIndex((subject) => 'zone' in subject || !isExact(index.pattern(subject.pattern)))
  if (effect === 'allow' && high !== undefined && wide !== -1)
    yield {
      code: 'WILDCARD_INTO_HIGH_TARGET',
      path: [...path, 'from', wide],
      message: `${printSubject(from[wide] as Subject)} is let into zone ${high} of target ${index.zones.get(high)?.target ?? ''}`,
    }
}

function* checkReach(index: PolicyIndex, rule: Rule, path: Path): Generator<Found> {
  const service = index.services.get(rule.to)
  if (service === undefined) return
  const conduits = index.conduitsTo(service)
  if (rule.effect === 'deny') {
    // It stands against grants too (ZO-24).
    const paths = [...conduits, ...index.grantedTo(service)]
    if (paths.length === 0)
      yield { code: 'DENY_UNREACHABLE', path: [...path, 'to'], message: `no conduit reaches ${rule.to}` }
    else yield* checkDenied(service, paths, rule, path)
  } else if (!conduits.some((conduit) => index.mayUse(rule, conduit)))
    yield { code: 'RULE_DEAD', path, message: `no conduit lets a subject of ${rule.id} reach ${rule.to}` }
}

/** Actions that need a listener to which no path leads: they are refused anyway, so that the rule is probably about others. */
function* checkDenied(
  { listeners, actions }: Service,
  paths: readonly Pick<Conduit, 'allow'>[],
  { to, actions: denied }: Rule,
  path: Path,
): Generator<Found> {
  const open = listeners.filter(({ protocol, port }) => paths.some(({ allow }) => covers(allow, protocol, port)))
  for (const [at, name] of denied.entries()) {
    const match = actions.find((action) => action.name === name)?.match ?? []
    const isServed = match.some(({ kind }) =>
      open.some(({ protocol }) => (kind === 'connect') === (protocol === 'tcp')),
    )
    if (match.length > 0 && !isServed)
      yield {
        code: 'DENY_UNREACHABLE',
        path: [...path, 'actions', at],
        message: `no conduit reaches a listener of ${to} that serves ${name}`,
      }
  }
}

/** Finds rules that cover others: by equal text or among the few that have wildcards, so that many exact rules cost little. */
class Covers {
  readonly #index: PolicyIndex
  readonly #bySubject = new Map<string, Rule[]>()
  readonly #order = new Map<Rule, number>()

  constructor(index: PolicyIndex) {
    this.#index = index
    for (const rule of index.set.rules) {
      this.#order.set(rule, this.#order.size)
      if (rule.stage === 'draft') continue
      const keys = rule.from.map((subject) => keyOf(rule, this.#isWide(subject) ? '*' : printSubject(subject)))
      for (const key of new Set(keys)) {
        const rules = this.#bySubject.get(key)
        if (rules === undefined) this.#bySubject.set(key, [rule])
        else rules.push(rule)
      }
    }
  }

  of(rule: Rule, effect: Rule['effect']): Rule | undefined {
    const [first] = rule.from
    if (first === undefined) return undefined
    const candidates = ['*', printSubject(first)].flatMap((subject) => this.#bySubject.get(keyOf(rule, subject)) ?? [])
    return candidates.find(
      (wider) =>
        wider !== rule && wider.effect === effect && this.#covers(wider, rule) && !this.#isTwinAfter(wider, rule),
    )
  }

  #isWide(subject: Subject): boolean {
    return 'pattern' in subject && !isExact(this.#index.pattern(subject.pattern))
  }

  #covers(wider: Rule, rule: Rule): boolean {
    return (
      rule.actions.every((action) => wider.actions.includes(action)) &&
      (wider.when === undefined || (wider.effect === 'allow' && wider.when === rule.when)) &&
      isWithin(rule.valid, wider.valid) &&
      rule.from.every((subject) => wider.from.some((wide) => this.#subjectCovers(wide, subject)))
    )
  }

  #subjectCovers(wide: Subject, subject: Subject): boolean {
    if ('zone' in wide || 'zone' in subject) return printSubject(wide) === printSubject(subject)
    return patternCovers(this.#index.pattern(wide.pattern), this.#index.pattern(subject.pattern))
  }

  /** Of two allow rules that cover each other only the later one is needless. */
  #isTwinAfter(wider: Rule, rule: Rule): boolean {
    if (wider.effect === 'deny' || !this.#covers(rule, wider)) return false
    return (this.#order.get(wider) ?? 0) > (this.#order.get(rule) ?? 0)
  }
}

const keyOf = ({ to }: Rule, subject: string): string => `${to} ${subject}`
const printSubject = (subject: Subject): string => ('zone' in subject ? `zone ${subject.zone}` : subject.pattern)

function isWithin(inner: Validity, outer: Validity): boolean {
  return (
    (outer.from === undefined || (inner.from !== undefined && outer.from <= inner.from)) &&
    (outer.until === undefined || (inner.until !== undefined && inner.until <= outer.until))
  )
}
