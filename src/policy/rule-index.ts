import type { Condition } from './condition/compile-condition.ts'
import { localPattern, type Party } from './party.ts'
import { PatternIndex } from './pattern-index.ts'
import { isExact } from './pattern.ts'
import type { Rule } from './policy-set.ts'

export interface CompiledRule {
  readonly id: string
  readonly isAllow: boolean
  readonly actions: ReadonlySet<string>
  readonly when: Condition | undefined
  readonly rule: Rule
}

/** Rules of one service by subject: exact ids, patterns by trust domain, zones. */
export class RuleIndex {
  readonly #exact = new Map<string, CompiledRule[]>()
  readonly #patterns = new Map<string | undefined, PatternIndex<CompiledRule>>()
  readonly #zones = new Map<string, CompiledRule[]>()
  readonly #trustDomain: string
  /** For explanations: also those that speak about others. */
  readonly all: CompiledRule[] = []

  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain
  }

  add(compiled: CompiledRule): void {
    this.all.push(compiled)
    for (const subject of compiled.rule.from) {
      if ('zone' in subject) push(this.#zones, subject.zone, compiled)
      else this.#addPattern(subject.pattern, compiled)
    }
  }

  #addPattern(text: string, compiled: CompiledRule): void {
    const pattern = localPattern(text, this.#trustDomain)
    if (isExact(pattern)) {
      const id = `spiffe://${pattern.trustDomain ?? this.#trustDomain}/${pattern.segments.join('/')}`
      return push(this.#exact, id, compiled)
    }
    let index = this.#patterns.get(pattern.trustDomain)
    if (index === undefined) this.#patterns.set(pattern.trustDomain, (index = new PatternIndex()))
    index.add(pattern, compiled)
  }

  /** The rules that name a party, in the order of their ids. Allow rules know foreign ids by pattern only (ZO-12). */
  of({ id, foreignDomain, segments, zone }: Party): CompiledRule[] {
    const found = new Set<CompiledRule>(this.#exact.get(id))
    for (const rule of this.#patterns.get(foreignDomain)?.all(segments) ?? []) found.add(rule)
    for (const rule of (zone === undefined ? undefined : this.#zones.get(zone.id)) ?? []) {
      if (foreignDomain === undefined || !rule.isAllow) found.add(rule)
    }
    return [...found].sort(byId)
  }
}

export const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : a.id > b.id ? 1 : 0

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
