import { parsePattern, matchesSegments, type Pattern } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'
import type { Member, PolicySet } from './policy-set.ts'

/** A zone that a member item names, and the item for people: `pattern /ns/web/**`. */
export interface Placement {
  readonly zone: string
  readonly via: string
}

/** An item with a label or a selector; every key of it must hold (ZO-10). */
export interface ExplicitItem extends Placement {
  readonly labels: readonly (readonly [string, string])[]
  readonly selector: string | undefined
  readonly pattern: Pattern | undefined
}

/**
 * The members of all zones, indexed: items with a label or selector by one that must hold, the others by pattern.
 *
 * @see zones.md §3.4
 */
export class MembershipRules {
  readonly #byLabel = new Map<string, ExplicitItem[]>()
  readonly #bySelector = new Map<string, ExplicitItem[]>()
  readonly #patterns = new PatternIndex<Placement>()

  constructor({ zones }: Pick<PolicySet, 'zones'>) {
    for (const { id, members } of zones) for (const member of members) this.#add(id, member)
  }

  #add(zone: string, { spiffe, entryLabel, selector }: Member): void {
    const pattern = spiffe === undefined ? undefined : parsePattern(spiffe)
    const labels = Object.entries(entryLabel ?? {})
    const [label] = labels
    if (label === undefined && selector === undefined) {
      if (pattern !== undefined) this.#patterns.add(pattern, { zone, via: `pattern ${spiffe}` })
      return
    }
    const parts = [
      ...labels.map(([key, value]) => `label ${key}=${value}`),
      ...(selector === undefined ? [] : [`selector ${selector}`]),
      ...(spiffe === undefined ? [] : [`pattern ${spiffe}`]),
    ]
    const item = { zone, via: parts.join(' and '), labels, selector, pattern }
    if (label !== undefined) push(this.#byLabel, keyOf(label), item)
    else push(this.#bySelector, selector as string, item)
  }

  /** The zones whose explicit items hold for these labels and selectors, in the order of their names. */
  explicit(
    segments: readonly string[],
    labels: Readonly<Record<string, string>>,
    selectors: ReadonlySet<string>,
  ): Placement[] {
    const found: ExplicitItem[] = []
    for (const label of Object.entries(labels)) found.push(...(this.#byLabel.get(keyOf(label)) ?? []))
    for (const selector of selectors) found.push(...(this.#bySelector.get(selector) ?? []))
    return onePerZone(
      found.filter(
        (item) =>
          item.labels.every(([key, value]) => labels[key] === value) &&
          (item.selector === undefined || selectors.has(item.selector)) &&
          (item.pattern === undefined || matchesSegments(item.pattern, segments)),
      ),
    )
  }

  /** The zones of the most specific pattern, in the order of their names. */
  byPattern(segments: readonly string[]): Placement[] {
    return onePerZone(this.#patterns.mostSpecific(segments))
  }
}

const keyOf = ([key, value]: readonly [string, string]): string => `${key}\n${value}`

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function onePerZone(placements: readonly Placement[]): Placement[] {
  const sorted = placements.toSorted((a, b) => compare(a.zone, b.zone) || compare(a.via, b.via))
  return sorted.filter(({ zone }, index) => zone !== sorted[index - 1]?.zone)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
