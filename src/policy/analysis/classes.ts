import { labelsRead } from '../condition/labels-read.ts'
import { parseCondition } from '../condition/parse-condition.ts'
import type { Expression } from '../condition/syntax.ts'
import type { CompiledConduit } from '../conduit.ts'
import type { IdentityRow } from '../membership.ts'
import { identitySet, localPattern, type IdentitySet, type Party } from '../party.ts'
import { PatternIndex } from '../pattern-index.ts'
import { isExact, segmentsOf } from '../pattern.ts'
import type { Tables } from '../tables.ts'

/** Identities that a policy treats alike, whatever they ask for: the `c` of zones.md §4. */
export interface IdentityClass {
  /** One of them. */
  readonly example: Party
  readonly ids: readonly string[]
}

/** Groups registered identities by zone and by what names them: rules, conduits, guards, and the labels that conditions read. */
export function classesOf(tables: Tables, rows: Iterable<IdentityRow>): IdentityClass[] {
  const classifier = new Classifier(tables)
  const classes = new Map<string, string[]>()
  for (const row of rows) {
    const key = classifier.keyOf(classedRow(row))
    const found = classes.get(key)
    if (found === undefined) classes.set(key, [row.spiffeId])
    else found.push(row.spiffeId)
  }
  return [...classes.values()].flatMap((ids) => {
    const example = tables.parties.of(ids[0] as string)
    return typeof example === 'string' ? [] : { example, ids }
  })
}

/** What a classifier asks of a source. */
export interface ClassedSource {
  readonly id: string
  readonly foreignDomain: string | undefined
  readonly segments: readonly string[]
  /** Undefined: in none, or in more than one. */
  readonly zone: string | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** A registered identity is one of the own trust domain, and was read before: its text is taken as it is. */
export const classedRow = ({ spiffeId, zone, labels }: IdentityRow): ClassedSource => ({
  id: spiffeId,
  foreignDomain: undefined,
  segments: segmentsOf(spiffeId.slice(spiffeId.indexOf('/', 'spiffe://'.length))),
  zone: typeof zone === 'string' ? zone : undefined,
  labels,
})

export const classedParty = ({ id, foreignDomain, segments, zone, facts }: Party): ClassedSource => ({
  id,
  foreignDomain,
  segments,
  zone: zone?.id,
  labels: facts.labels,
})

/** What names a source by its id: a key of its own, and what the conditions that come with it read. */
interface Named {
  readonly key: string
  readonly read: Read
}

/** Says in one text what a policy sees of an identity as a source. Equal texts, equal decisions. */
export class Classifier {
  readonly #guards: readonly IdentitySet[]
  readonly #guardServices: ReadonlySet<string>
  /** Conduits of a zone that are for some of its identities. */
  readonly #conduits = new Map<string, readonly CompiledConduit[]>()
  readonly #exact = new Map<string, Named>()
  readonly #patterns = new Map<string | undefined, PatternIndex<Named>>()
  readonly #zoneReads = new Map<string, Read>()
  /** Conditions of guards speak of everybody, those of rules of their subjects. */
  readonly #always: Read

  constructor(tables: Tables) {
    const { trustDomain } = tables.set
    const guards = [...tables.movementGuards, ...tables.accessGuards].map(({ guard }) => guard)
    this.#guards = guards.flatMap(({ from }) =>
      from.identities === undefined ? [] : [identitySet(from.identities, trustDomain)],
    )
    this.#guardServices = new Set(guards.flatMap(({ from }) => tables.services.get(from.service ?? '')?.party.id ?? []))
    this.#always = joined(guards.map(({ when }) => readOf(when)))
    for (const [zone, byZone] of tables.conduits) {
      const named = [...byZone.values()].flat().filter(({ from }) => from !== undefined)
      if (named.length > 0) this.#conduits.set(zone, named)
    }
    this.#addRules(tables)
  }

  keyOf({ id, foreignDomain, segments, zone, labels }: ClassedSource): string {
    let key = foreignDomain === undefined ? (zone ?? '') : `${zone ?? ''}@${foreignDomain}`
    const reads = [this.#always, this.#zoneReads.get(zone ?? '') ?? NOTHING]
    for (const named of this.#patterns.get(foreignDomain)?.all(segments) ?? []) {
      key += named.key
      reads.push(named.read)
    }
    const exact = this.#exact.get(id)
    if (exact !== undefined) {
      key += exact.key
      reads.push(exact.read)
    }
    const party = { id, foreignDomain, segments }
    for (const [at, { from }] of (this.#conduits.get(zone ?? '') ?? []).entries())
      if (from?.has(party) === true) key += ` c${at}`
    for (const [at, guard] of this.#guards.entries()) if (guard.has(party)) key += ` g${at}`
    const read = joined(reads)
    if (read.id || this.#guardServices.has(id)) key += ` ${id}`
    for (const label of read.labels) key += `\n${label}=${JSON.stringify(labels[label] ?? null)}`
    return key
  }

  #addRules({ set }: Tables): void {
    const readsOf = new Map<string | undefined, Read>()
    const read = (when: string | undefined): Read => {
      let found = readsOf.get(when)
      if (found === undefined) readsOf.set(when, (found = readOf(when)))
      return found
    }
    const patterns = new Map<string, { numbers: number[]; reads: Read[] }>()
    for (const [number, { from, when }] of set.rules.entries()) {
      for (const subject of from) {
        if ('zone' in subject) {
          const earlier = this.#zoneReads.get(subject.zone) ?? NOTHING
          this.#zoneReads.set(subject.zone, joined([earlier, read(when)]))
          continue
        }
        let named = patterns.get(subject.pattern)
        if (named === undefined) patterns.set(subject.pattern, (named = { numbers: [], reads: [] }))
        named.numbers.push(number)
        named.reads.push(read(when))
      }
    }
    for (const [text, { numbers, reads }] of patterns) this.#addNamed(set.trustDomain, text, numbers, joined(reads))
  }

  #addNamed(trustDomain: string, text: string, numbers: readonly number[], read: Read): void {
    const pattern = localPattern(text, trustDomain)
    // Who is named by the same rules is one class, whatever text names them.
    const named = { key: ` r${numbers.join(',')}`, read }
    if (isExact(pattern)) {
      const id = `spiffe://${pattern.trustDomain ?? trustDomain}/${pattern.segments.join('/')}`
      // The own trust domain may be written out or not.
      const other = this.#exact.get(id)
      const both = other && { key: other.key + named.key, read: joined([other.read, read]) }
      this.#exact.set(id, both ?? named)
      return
    }
    let index = this.#patterns.get(pattern.trustDomain)
    if (index === undefined) this.#patterns.set(pattern.trustDomain, (index = new PatternIndex()))
    index.add(pattern, named)
  }
}

/** What conditions read of their source beside the zone. */
interface Read {
  readonly id: boolean
  readonly labels: readonly string[]
}

const NOTHING: Read = { id: false, labels: [] }

function readOf(when: string | undefined): Read {
  if (when === undefined) return NOTHING
  return { id: readsId(parseCondition(when)), labels: [...labelsRead(when).src].sort() }
}

/** Most read nothing, or all the same: then nothing new is made. */
function joined(reads: readonly Read[]): Read {
  let all = NOTHING
  for (const read of reads) {
    if (read === NOTHING || read === all) continue
    if (all === NOTHING) all = read
    else all = { id: all.id || read.id, labels: [...new Set([...all.labels, ...read.labels])].sort() }
  }
  return all
}

function readsId(expression: Expression): boolean {
  switch (expression.kind) {
    case 'attribute':
    case 'known':
      return expression.name === 'src.id'
    case 'not':
      return readsId(expression.operand)
    case 'and':
    case 'or':
    case 'compare':
      return readsId(expression.left) || readsId(expression.right)
    case 'in':
      return readsId(expression.left)
    default:
      return false
  }
}
