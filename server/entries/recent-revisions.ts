import type { Revision } from '../store/store.ts'

/** How many revisions stay in memory for agents that come back after a short break: thousands may do so at once. */
export const RECENT_REVISIONS_MAX = 2048

/** The newest revisions of the log, in memory. */
export class RecentRevisions {
  /** The revision just before the oldest one held. */
  #base: number
  #held: Revision[] = []

  constructor(base: number) {
    this.#base = base
  }

  add(revision: Revision): void {
    this.#held.push(revision)
    if (this.#held.length < 2 * RECENT_REVISIONS_MAX) return
    this.#held = this.#held.slice(-RECENT_REVISIONS_MAX)
    this.#base = (this.#held[0]?.revision ?? revision.revision) - 1
  }

  /** Every revision after one, or undefined when some of them are not held. */
  after(revision: number): readonly Revision[] | undefined {
    if (revision < this.#base) return undefined
    return this.#held.slice(revision - this.#base)
  }
}
