import { SallyportError } from '../../src/errors.ts'
import type { Revision } from './store.ts'

/** The newest revisions, kept in memory for followers that are a little behind. */
export const FEED_MAX_REVISIONS = 4_096
/** A follower further behind gets the log in portions of this size. */
export const FEED_PORTION = 1_000

/** Reads up to `limit` revisions after `after` from the log; undefined when the first of them is pruned. */
export type ReadLog = (after: number, limit: number) => readonly Revision[] | undefined

/** Hands committed revisions to those who follow. Nobody polls: an idle follower costs one waiting promise. */
export class RevisionFeed {
  readonly #readLog: ReadLog
  readonly #wakers = new Set<() => void>()
  #tail: Revision[] = []
  #latest: number
  #closed = false

  constructor(latest: number, readLog: ReadLog) {
    this.#latest = latest
    this.#readLog = readLog
  }

  /** The newest revision that followers may see. */
  get latest(): number {
    return this.#latest
  }

  publish(revisions: readonly Revision[]): void {
    if (revisions.length === 0) return
    this.#tail.push(...revisions)
    // Cut seldom, so that each publication does not move the whole tail.
    if (this.#tail.length > 2 * FEED_MAX_REVISIONS) this.#tail = this.#tail.slice(-FEED_MAX_REVISIONS)
    this.#latest = revisions.at(-1)?.revision ?? this.#latest
    this.#wakeAll()
  }

  /** At most `limit` revisions after `after`, or undefined when they are not kept. */
  since(after: number, limit: number): readonly Revision[] | undefined {
    if (after > this.#latest) return undefined
    if (after === this.#latest) return []
    const first = this.#tail[0]?.revision ?? Infinity
    if (after + 1 < first) return this.#readLog(after, limit)
    return this.#tail.slice(after + 1 - first, after + 1 - first + limit)
  }

  async *watch(after: number, signal: AbortSignal): AsyncGenerator<readonly Revision[]> {
    let seen = after
    while (!signal.aborted && !this.#closed) {
      const news = this.since(seen, FEED_PORTION)
      if (news === undefined) {
        throw new SallyportError('STORE_LOG_PRUNED', `Cannot follow the store from revision ${seen}: it is not kept`)
      }
      if (news.length > 0) {
        seen = news.at(-1)?.revision ?? seen
        yield news
      } else {
        await this.#woken(signal)
      }
    }
  }

  /** Ends all followers. */
  close(): void {
    this.#closed = true
    this.#wakeAll()
  }

  #wakeAll(): void {
    for (const wake of this.#wakers) wake()
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wakers.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}
