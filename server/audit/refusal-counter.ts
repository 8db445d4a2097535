import { type Clock, sleepUnlessAborted } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { Store } from '../store/store.ts'
import type { AuditEvent } from './record.ts'
import { callsRefused, type Refusal } from './refusal-events.ts'

/** Equal refusals within this time become one record. */
export const REFUSAL_WINDOW_MS = 60_000
/** Kinds of refusals that are told apart within a window; what comes on top is counted together. */
export const REFUSAL_MAX_KINDS = 1_000
/** Texts of a refusal are cut to this: some of them come from outside. */
const REFUSAL_MAX_TEXT = 512

interface Count {
  readonly refusal: Refusal
  readonly from: Date
  count: number
}

const theRest: Refusal = { callerId: 'others', method: 'others', code: 'others' }

/**
 * Puts refused calls into the audit journal: the first of a kind at the end of its minute with the number of those that
 * followed, so that a flood of refusals is a thousand rows a minute and not the journal's end.
 */
export class RefusalCounter {
  readonly #deps: { readonly store: Pick<Store, 'commit'>; readonly clock: Clock; readonly log: Log }
  readonly #counts = new Map<string, Count>()

  constructor(deps: { readonly store: Pick<Store, 'commit'>; readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps
  }

  /** Counts one; costs the caller nothing but that. */
  refused(refusal: Refusal): void {
    const cut = { callerId: cutText(refusal.callerId), method: cutText(refusal.method), code: cutText(refusal.code) }
    const key = `${cut.callerId}\n${cut.method}\n${cut.code}`
    const known = this.#counts.get(key)
    if (known !== undefined) known.count++
    else if (this.#counts.size < REFUSAL_MAX_KINDS) this.#add(key, cut)
    else this.#addToRest()
  }

  /** Writes what was counted at the end of every minute, and what is left when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleepUnlessAborted(this.#deps.clock, REFUSAL_WINDOW_MS, signal)
      await this.flush()
    }
  }

  /** Writes what was counted so far. What could not be written is kept and counted on. */
  async flush(): Promise<void> {
    const { clock, store, log } = this.#deps
    const counts = [...this.#counts]
    if (counts.length === 0) return
    this.#counts.clear()
    const at = clock.now()
    const audit = counts.map(([, { refusal, from, count }]): AuditEvent => callsRefused(at, from, refusal, count))
    try {
      await store.commit({ mutations: [], audit })
    } catch (err) {
      log.warn({ err, kinds: counts.length }, 'Could not record refused calls, trying again')
      for (const [key, count] of counts) this.#restore(key, count)
    }
  }

  #restore(key: string, before: Count): void {
    const since = this.#counts.get(key)
    this.#counts.set(key, { ...before, count: before.count + (since?.count ?? 0) })
  }

  #add(key: string, refusal: Refusal): void {
    this.#counts.set(key, { refusal, from: this.#deps.clock.now(), count: 1 })
  }

  #addToRest(): void {
    const rest = this.#counts.get('')
    if (rest !== undefined) rest.count++
    else this.#add('', theRest)
  }
}

const cutText = (text: string): string =>
  text.length > REFUSAL_MAX_TEXT ? `${text.slice(0, REFUSAL_MAX_TEXT)}…` : text
