import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, selectorsMatch } from '../../src/entry/selector.ts'

/**
 * Finds the entries that a set of selectors satisfies. Every entry sits under one of its selectors only, the one that fewest
 * other entries have, so that a caller meets few entries that it does not match.
 */
export class SelectorIndex {
  readonly #bySelector = new Map<string, Set<RegistrationEntry>>()
  readonly #places = new Map<RegistrationEntry, string>()

  add(entry: RegistrationEntry): void {
    const printed = entry.selectors.map(printSelector)
    const place = printed.toSorted((a, b) => this.#sizeOf(a) - this.#sizeOf(b))[0]
    if (place === undefined) return
    const group = this.#bySelector.get(place) ?? new Set()
    this.#bySelector.set(place, group.add(entry))
    this.#places.set(entry, place)
  }

  remove(entry: RegistrationEntry): void {
    const place = this.#places.get(entry)
    if (place === undefined) return
    this.#places.delete(entry)
    const group = this.#bySelector.get(place)
    group?.delete(entry)
    if (group?.size === 0) this.#bySelector.delete(place)
  }

  matching(held: ReadonlySet<string>): RegistrationEntry[] {
    const found: RegistrationEntry[] = []
    for (const selector of held) {
      for (const entry of this.#bySelector.get(selector) ?? []) {
        if (selectorsMatch(entry.selectors, held)) found.push(entry)
      }
    }
    return found.toSorted(oldestFirst)
  }

  #sizeOf(selector: string): number {
    return this.#bySelector.get(selector)?.size ?? 0
  }
}

/** The order of identities that a workload is given: the first is its default (WA-18). */
export function oldestFirst(a: RegistrationEntry, b: RegistrationEntry): number {
  return a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
