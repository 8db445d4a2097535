import { IdentityTree } from '../identity-tree.ts'
import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import { isExact, parsePattern, segmentsOf } from '../pattern.ts'
import type { Subject } from '../policy-set.ts'
import type { Tables } from '../tables.ts'
import { classedRow, Classifier } from './classes.ts'

/** The share of those whom something wider would name that must do the same: of the identities, and of their classes. */
const WIDEN_SHARE = 0.8

/** How a rule and a conduit name their sources. */
export interface SourceForm {
  readonly subjects: readonly Subject[]
  /** Of the rule: what its subjects alone do not say. */
  readonly when: string | undefined
  /** Of the conduit; undefined: every identity of the zone. */
  readonly identities: readonly string[] | undefined
  /** Registered identities that it names, and that were not seen to need it. */
  readonly beyond: readonly string[]
  /** Whoever is registered later may be named too. */
  readonly isOpen: boolean
}

/** Whose needs are to be met, and who must not be named. */
export interface Wanting {
  readonly zone: string
  /** At least one. */
  readonly sources: readonly Party[]
  /** False: one by one only. */
  readonly mayBeWide: boolean
  readonly isUnwanted: (party: Party) => boolean
}

/**
 * Finds what names sources: a pattern, a label of their zone or the whole zone where nearly all whom it names do the same and nobody
 * among them is unwanted, else several patterns, else one by one.
 *
 * @see zones.md §4.9
 */
export class SourceForms {
  readonly #tables: Tables
  readonly #byPath = new IdentityTree<IdentityRow>()
  readonly #byZone: ReadonlyMap<string, readonly IdentityRow[]>
  readonly #classifier: Classifier
  readonly #classes = new Map<IdentityRow, string>()

  constructor(tables: Tables, rows: readonly IdentityRow[]) {
    this.#tables = tables
    for (const row of rows) this.#byPath.set(pathOf(row), row)
    this.#byZone = Map.groupBy(rows, ({ zone }) => (typeof zone === 'string' ? zone : ''))
    this.#classifier = new Classifier(tables)
  }

  /** Registered in a zone. */
  inZone(zone: string): readonly IdentityRow[] {
    return this.#byZone.get(zone) ?? []
  }

  /** The registered identities whom the rule would name. */
  named({ subjects }: SourceForm): readonly IdentityRow[] {
    return [
      ...new Set(
        subjects.flatMap((subject) =>
          'zone' in subject ? this.inZone(subject.zone) : this.#matching(subject.pattern),
        ),
      ),
    ]
  }

  /** Of the forms that name all, the one that names the fewest others. */
  narrowest(wanting: Wanting): SourceForm {
    const { sources, mayBeWide } = wanting
    const seen = new Set(sources.map(({ id }) => id))
    if (!mayBeWide || sources.length === 1) return listed(sources.map(exactPattern), [])
    const wide = [...this.#patterns(wanting, seen), ...this.#labels(wanting, seen), ...this.#zone(wanting, seen)]
    const [best] = wide.sort((a, b) => a.beyond.length - b.beyond.length)
    if (best !== undefined) return best
    const patterns = this.#cover(sources, wanting, seen)
    const beyond = patterns.flatMap((text) => this.#beyond(this.#matching(text), wanting.isUnwanted, seen) ?? [])
    return listed(patterns, [...new Set(beyond)])
  }

  *#patterns({ sources, isUnwanted }: Wanting, seen: ReadonlySet<string>): Generator<SourceForm> {
    for (const text of patternsOver(sources)) {
      const beyond = this.#beyond(this.#matching(text), isUnwanted, seen)
      if (beyond !== undefined) yield listed([text], beyond)
    }
  }

  /** A label that all have and not all of the zone. */
  *#labels({ zone, isUnwanted }: Wanting, seen: ReadonlySet<string>): Generator<SourceForm> {
    const members = this.inZone(zone)
    const [first, ...others] = members.filter(({ spiffeId }) => seen.has(spiffeId))
    for (const [key, value] of Object.entries(first?.labels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const has = ({ labels }: IdentityRow): boolean => Object.hasOwn(labels, key) && labels[key] === value
      const named = members.filter(has)
      if (!isPlain(key) || !isPlain(value) || !others.every(has) || named.length === members.length) continue
      const beyond = this.#beyond(named, isUnwanted, seen)
      const when = `src.labels has "${key}" && src.labels["${key}"] == "${value}"`
      if (beyond !== undefined) yield { subjects: [{ zone }], when, identities: undefined, beyond, isOpen: true }
    }
  }

  *#zone({ zone, isUnwanted }: Wanting, seen: ReadonlySet<string>): Generator<SourceForm> {
    const beyond = this.#beyond(this.inZone(zone), isUnwanted, seen)
    if (beyond !== undefined)
      yield { subjects: [{ zone }], when: undefined, identities: undefined, beyond, isOpen: true }
  }

  /** A pattern over all where one is good enough, else of each branch. */
  #cover(sources: readonly Party[], wanting: Wanting, seen: ReadonlySet<string>): string[] {
    const [first, ...others] = sources as [Party, ...Party[]]
    if (others.length === 0) return [exactPattern(first)]
    const [best] = [...this.#patterns({ ...wanting, sources }, seen)].sort((a, b) => a.beyond.length - b.beyond.length)
    if (best?.identities !== undefined) return [...best.identities]
    const at = sharedLength(sources)
    const branches = Map.groupBy(sources, ({ segments }) => segments[at] ?? '')
    return [...branches.values()].flatMap((branch) => this.#cover(branch, wanting, seen))
  }

  #matching(text: string): readonly IdentityRow[] {
    return this.#byPath.matching(parsePattern(text))
  }

  /** Who is named besides those who were seen; undefined: too many are, or somebody unwanted. */
  #beyond(
    named: readonly IdentityRow[],
    isUnwanted: Wanting['isUnwanted'],
    seen: ReadonlySet<string>,
  ): string[] | undefined {
    const [those, others] = [
      named.filter((row) => seen.has(row.spiffeId)),
      named.filter((row) => !seen.has(row.spiffeId)),
    ]
    const classes = this.#classesOf(those).intersection(this.#classesOf(named)).size
    const isCommon = those.length >= WIDEN_SHARE * named.length && classes >= WIDEN_SHARE * this.#classesOf(named).size
    if (!isCommon) return undefined
    const parties = others.map(({ spiffeId }) => this.#tables.parties.of(spiffeId))
    if (parties.some((party) => typeof party === 'string' || isUnwanted(party))) return undefined
    return others.map(({ spiffeId }) => spiffeId).sort((a, b) => (a < b ? -1 : 1))
  }

  #classesOf(rows: readonly IdentityRow[]): Set<string> {
    return new Set(
      rows.map((row) => {
        let key = this.#classes.get(row)
        if (key === undefined) this.#classes.set(row, (key = this.#classifier.keyOf(classedRow(row))))
        return key
      }),
    )
  }
}

const pathOf = ({ spiffeId }: IdentityRow): readonly string[] =>
  segmentsOf(spiffeId.slice(spiffeId.indexOf('/', 'spiffe://'.length)))

const exactPattern = ({ segments }: Party): string => `/${segments.join('/')}`

function listed(patterns: readonly string[], beyond: readonly string[]): SourceForm {
  return {
    subjects: patterns.map((pattern) => ({ pattern })),
    when: undefined,
    identities: patterns,
    beyond,
    isOpen: patterns.some((text) => !isExact(parsePattern(text))),
  }
}

/** Needs no escapes in a condition. */
const isPlain = (text: string): boolean => /^[\w./:-]+$/.test(text)

/** How many segments all begin with. */
function sharedLength([first, ...others]: readonly Party[]): number {
  let length = 0
  while (
    first?.segments[length] !== undefined &&
    others.every(({ segments }) => segments[length] === first.segments[length])
  )
    length++
  return length
}

/**
 * Patterns that match all: with `*` where they differ, and with `**` for all that comes after what they begin with. One that begins
 * with a wildcard would say nothing about whose it is.
 */
function patternsOver(sources: readonly Party[]): string[] {
  const [first, ...others] = sources
  if (first === undefined) return []
  const shared = sharedLength(sources)
  if (shared === 0) return []
  const common = first.segments.slice(0, shared)
  const isLevel = others.every(({ segments }) => segments.length === first.segments.length)
  const starred = first.segments.map((segment, at) =>
    others.every(({ segments }) => segments[at] === segment) ? segment : '*',
  )
  // Somebody who is what all others begin with is not below it.
  const isBelow = sources.every(({ segments }) => segments.length > shared)
  return [...(isLevel ? [starred] : []), ...(isBelow ? [[...common, '**']] : [])].map(
    (segments) => `/${segments.join('/')}`,
  )
}
