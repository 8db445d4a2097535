import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'

/** Entries that have something in common. */
export interface EntryGroup {
  readonly size: number
  values(): Iterable<RegistrationEntry>
}

const NONE: EntryGroup = { size: 0, values: () => [] }

/**
 * Entries by a key, such as their SPIFFE ID. Most keys have one entry, which is then held without a map around it: those maps would be
 * a fifth of what an entry takes.
 */
export class EntryGroups {
  readonly #groups = new Map<string, RegistrationEntry | Map<string, RegistrationEntry>>()

  get(key: string): EntryGroup {
    const group = this.#groups.get(key)
    if (group === undefined || group instanceof Map) return group ?? NONE
    return { size: 1, values: () => [group] }
  }

  /** Takes an entry in, which must not be there yet. */
  join(key: string, entry: RegistrationEntry): void {
    const group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, entry)
    else if (group instanceof Map) group.set(entry.id, entry)
    else {
      this.#groups.set(
        key,
        new Map([
          [group.id, group],
          [entry.id, entry],
        ]),
      )
    }
  }

  leave(key: string, id: string): void {
    const group = this.#groups.get(key)
    if (group instanceof Map) {
      group.delete(id)
      if (group.size === 0) this.#groups.delete(key)
    } else if (group?.id === id) this.#groups.delete(key)
  }
}
