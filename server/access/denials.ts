import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { Store } from '../store/store.ts'

/** How often refusals are written to the journal. */
export const DENIALS_EVERY_MS = 5000
/** The most different refusals between two writes; what goes beyond is counted together. */
export const DENIALS_MAX = 1000

export interface Denial {
  readonly callerId: string
  readonly method: string
  readonly code: string
}

/**
 * Refused calls on their way to the audit journal: equal ones are counted, so that a flood of refusals costs one record every few
 * seconds and not one each.
 */
export class Denials {
  readonly #deps: { readonly store: Pick<Store, 'commit'>; readonly clock: Clock; readonly log: Log }
  #counted = new Map<string, { readonly denial: Denial; readonly first: Date; last: Date; count: number }>()

  constructor(deps: { readonly store: Pick<Store, 'commit'>; readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps
  }

  add(denial: Denial): void {
    const now = this.#deps.clock.now()
    const known = this.#counted.size < DENIALS_MAX || this.#counted.has(keyOf(denial))
    const counted = known ? denial : { callerId: 'others', method: 'others', code: denial.code }
    const entry = this.#counted.get(keyOf(counted))
    if (entry === undefined) this.#counted.set(keyOf(counted), { denial: counted, first: now, last: now, count: 1 })
    else {
      entry.last = now
      entry.count++
    }
  }

  /** Writes what was counted, every few seconds and once more at the end. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(DENIALS_EVERY_MS, signal).catch(() => undefined)
      await this.flush()
    }
  }

  async flush(): Promise<void> {
    if (this.#counted.size === 0) return
    const counted = this.#counted
    this.#counted = new Map()
    const audit = [...counted.values()].map(({ denial, first, last, count }): AuditEvent => ({
      type: 'call.refused',
      at: last,
      facts: { ...denial, count, firstAt: first.toISOString() },
    }))
    try {
      await this.#deps.store.commit({ mutations: [], audit })
    } catch (error) {
      this.#deps.log.error({ err: error, lost: audit.length }, 'Cannot record refused calls')
    }
  }
}

const keyOf = ({ callerId, method, code }: Denial): string => `${callerId} ${method} ${code}`
