import type { Wake } from '../entries/wake.ts'

/** Who waits for the SVIDs of which entries. */
export class Watchers {
  readonly #wakes = new Map<string, Set<Wake>>()

  /** Rings `wake` for each of these entries, until it is disposed. */
  watch(entryIds: Iterable<string>, wake: Wake): Disposable {
    const ids = [...entryIds]
    for (const id of ids) this.#wakes.set(id, (this.#wakes.get(id) ?? new Set<Wake>()).add(wake))
    return {
      [Symbol.dispose]: () => {
        for (const id of ids) {
          const wakes = this.#wakes.get(id)
          wakes?.delete(wake)
          if (wakes?.size === 0) this.#wakes.delete(id)
        }
      },
    }
  }

  /** Does anybody wait for this entry's? */
  has(entryId: string): boolean {
    return this.#wakes.has(entryId)
  }

  ring(entryId: string): void {
    for (const wake of this.#wakes.get(entryId) ?? []) wake.ring()
  }
}
