import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { FastLaneEntry, FastLaneEvent, LifecycleDocument } from '../../src/policy/fast-lane.ts'
import { applyFastLane, withoutEnded } from '../../src/policy/fast-lane.ts'
import { FAST_LANE_ENTRY_MAX_BYTES, LIFECYCLE_MAX_BYTES } from '../../src/policy/read-fast-lane.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { FastLaneRow, SignedText } from '../store/policy-rows.ts'
import type { Mutation, Store } from '../store/store.ts'
import type { PolicyBook } from './policy-book.ts'
import type { PolicyKeys } from './policy-keys.ts'
import { canonicalText, sha256Hex } from './signed-text.ts'

export interface FastLaneDeps {
  readonly store: Store
  readonly clock: Clock
  readonly book: PolicyBook
  readonly keys: Pick<PolicyKeys, 'sign'>
}

/** What one change of the lifecycle is: what is stored, what agents hear (nothing for what only waits), what the journal keeps. */
export interface LifecycleChange {
  readonly mutations: readonly Mutation[]
  readonly events: readonly FastLaneEvent[]
  readonly audit: readonly AuditEvent[]
}

/** A change that somebody else forestalled is decided again this often. */
const TRIES = 5

/** Appends to the fast lane: one entry after the other, each signed, stored together with what it is about (§3.12). */
export class FastLane {
  readonly #deps: FastLaneDeps
  #last: Promise<unknown> = Promise.resolve()
  #snapshot: { readonly keyless: string; readonly signed: SignedText } | undefined

  constructor(deps: FastLaneDeps) {
    this.#deps = deps
  }

  /**
   * Decides and commits a change, when the one before is done; what `decide` throws refuses it. Resolves when the book shows it.
   */
  change(decide: () => LifecycleChange | Promise<LifecycleChange>): Promise<void> {
    const done = this.#last.then(() => this.#change(decide))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #change(decide: () => LifecycleChange | Promise<LifecycleChange>): Promise<void> {
    const { store, book } = this.#deps
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const { mutations, events, audit } = await decide()
      this.#checkLiveSet(events)
      const rows = await this.#signed(events)
      const outcome = await store.commit({
        mutations: [...mutations, ...rows.map((row) => ({ kind: 'fastLane.append', row }) as const)],
        audit,
      })
      if (outcome.ok) return await book.reached(outcome.revision)
      // Another server of the same store was faster; what it did arrives by the log.
      await book.reached((await store.policySnapshot()).revision)
    }
    throw new SallyportError('CONCURRENT_CHANGE', 'Cannot append to the fast lane: it was changed at the same moment')
  }

  async #signed(events: readonly FastLaneEvent[]): Promise<FastLaneRow[]> {
    const { book, clock, keys } = this.#deps
    const rows: FastLaneRow[] = []
    let head = book.fastLaneHead
    for (const event of events) {
      const sequence = (head?.sequence ?? 0) + 1
      const atMs = clock.now().getTime()
      const previous = head === undefined ? '' : sha256Hex(head.content)
      const entry: FastLaneEntry = { ...event, v: 1, epoch: book.epoch, sequence, previous, at: atMs }
      const content = canonicalText(entry)
      // Agents would refuse it, and everything after it.
      if (Buffer.byteLength(content) > FAST_LANE_ENTRY_MAX_BYTES) throw tooMuch('it names too many identities')
      head = { ...(await keys.sign(content, book.state)), sequence, atMs }
      rows.push(head)
    }
    return rows
  }

  /** An agent that comes later gets what is live as one document: more than it reads must never be live. */
  #checkLiveSet(events: readonly FastLaneEvent[]): void {
    if (!events.some(({ kind }) => ADDING.has(kind))) return
    const { book, clock } = this.#deps
    const after = events.reduce((live, event) => applyFastLane(live, { ...event, sequence: 0 }), book.lifecycle)
    const bytes = Buffer.byteLength(canonicalText(withoutEnded(after, clock.now().getTime())))
    if (bytes > LIFECYCLE_MAX_BYTES - HEADER_BYTES) throw tooMuch('more is live than an agent can hold')
  }

  /** Everything that is live, signed; made once for all agents that need it at one sequence. */
  async snapshot(): Promise<SignedText> {
    const { book, clock, keys } = this.#deps
    const head = book.fastLaneHead
    const nowMs = clock.now().getTime()
    const lifecycle = withoutEnded(book.lifecycle, nowMs)
    const keyless = canonicalText({ epoch: book.epoch, lifecycle, keys: book.state.keysVersion })
    if (this.#snapshot?.keyless === keyless) return this.#snapshot.signed
    const document: LifecycleDocument = {
      ...{ v: 1, epoch: book.epoch, sequence: head?.sequence ?? 0 },
      previous: head === undefined ? '' : sha256Hex(head.content),
      ...{ at: nowMs, lifecycle },
    }
    const signed = await keys.sign(canonicalText(document), book.state)
    this.#snapshot = { keyless, signed }
    return signed
  }
}

const ADDING: ReadonlySet<FastLaneEvent['kind']> = new Set([
  ...(['quarantine.add', 'offboard', 'grant.add', 'breakGlass.start', 'serial.revoke'] as const),
])
/** Of the document around the live set. */
const HEADER_BYTES = 1024

const tooMuch = (why: string): SallyportError =>
  new SallyportError('LIFECYCLE_REFUSED', `Cannot append to the fast lane: ${why}`, {
    hint: 'End what is no longer needed: quarantines, offboardings, revoked serials; or name a zone instead of a node.',
  })
