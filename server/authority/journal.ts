import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { AuthorityRow, Mutation, StoreSnapshot } from '../store/store.ts'
import { type AuthoritiesDeps, refreshHintSecondsOf } from './authority-config.ts'
import type { AuthorityKind } from './make-authority.ts'
import { emptyBundle } from './own-bundle.ts'

/** What one transaction changes. */
export interface JournalChange {
  readonly rows?: readonly AuthorityRow[]
  /** Rows to forget. */
  readonly forgotten?: readonly AuthorityRow[]
  /** The new content; the same object as {@link Journal.bundle} for no change. Sequence and hint are set here. */
  readonly bundle: Bundle
  readonly audit?: readonly AuditEvent[]
}

/**
 * The authorities of one server and the bundle of its trust domain, as the store has confirmed them.
 *
 * Rows and bundle change in one transaction, and in memory only once it is durable. After a commit without an answer nothing
 * is assumed: the next user reads the store again.
 */
export class Journal {
  readonly #deps: AuthoritiesDeps
  readonly #changed: () => void
  #rows: readonly AuthorityRow[] = []
  #bundle: Bundle
  #revision = 0
  #othersSign = false
  #isStale = true
  #lane: Promise<unknown> = Promise.resolve()

  /** @param changed is called whenever rows or bundle are other ones */
  constructor(deps: AuthoritiesDeps, changed: () => void) {
    this.#deps = deps
    this.#changed = changed
    this.#bundle = emptyBundle(deps.trustDomain)
  }

  get bundle(): Bundle {
    return this.#bundle
  }

  /** The revision of the store up to which the changes of others are known. */
  get revision(): number {
    return this.#revision
  }

  /** Whether another server's authority signed for this trust domain when the journal was read. */
  get othersSign(): boolean {
    return this.#othersSign
  }

  /** This server's, oldest first. */
  rows(kind?: AuthorityKind): readonly AuthorityRow[] {
    return kind === undefined ? this.#rows : this.#rows.filter((row) => row.kind === kind)
  }

  /** The row of an authority that is not removed. */
  find(kind: AuthorityKind, authorityId: string): AuthorityRow | undefined {
    return this.#rows.find((row) => row.kind === kind && row.authorityId === authorityId && row.state !== 'removed')
  }

  /** Runs actions one at a time, each on what the store holds. `loaded` runs after every reading of the store. */
  async exclusively<T>(action: () => Promise<T>, loaded: () => Promise<void>): Promise<T> {
    const turn = this.#lane.then(async () => {
      if (this.#isStale) await this.#load(loaded)
      return await action()
    })
    this.#lane = turn.catch(() => undefined)
    return await turn
  }

  async #load(loaded: () => Promise<void>): Promise<void> {
    this.read(await this.#deps.store.snapshot())
    await loaded()
  }

  /** Takes over what a snapshot says. */
  read({ authorities, bundles, revision }: StoreSnapshot): void {
    const { serverId, trustDomain, clock } = this.#deps
    const now = clock.now()
    this.#bundle = bundles.find((one) => one.trustDomain.equals(trustDomain)) ?? emptyBundle(trustDomain)
    this.#revision = Math.max(this.#revision, revision)
    this.#othersSign = authorities.some(
      (row) => row.serverId !== serverId && row.state === 'active' && row.notAfter > now,
    )
    this.#rows = authorities
      .filter((row) => row.serverId === serverId)
      .map((row) =>
        row.state === 'published' ? { ...row, publishedRevision: row.publishedRevision ?? revision } : row,
      )
      .toSorted(byAge)
    this.#isStale = false
    this.#changed()
  }

  /** A bundle that somebody else stored, or undefined when it was deleted. */
  adopt(bundle: Bundle | undefined, revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
    if (bundle === undefined) this.#isStale = true
    else if (bundle.sequenceNumber > this.#bundle.sequenceNumber) this.#bundle = bundle
    this.#changed()
  }

  /** The next user reads the store again. */
  forgetAll(): void {
    this.#isStale = true
  }

  /**
   * Makes one change durable. Call it in {@link exclusively} only.
   *
   * @returns the revision of the store that holds it
   * @throws {@link SallyportError} `CONCURRENT_CHANGE`, or whatever the store throws
   */
  async commit(change: JournalChange): Promise<number> {
    const { rows = [], forgotten = [], audit = [] } = change
    const before = this.#bundle
    const bundle =
      change.bundle === before
        ? before
        : {
            ...change.bundle,
            refreshHintSeconds: refreshHintSecondsOf(this.#deps.config),
            sequenceNumber: before.sequenceNumber + 1,
          }
    const mutations: Mutation[] = [
      ...rows.map((row): Mutation => ({ kind: 'authority.put', row })),
      ...forgotten.map(({ serverId, kind, authorityId }): Mutation => ({
        kind: 'authority.delete',
        serverId,
        authorityKind: kind,
        authorityId,
      })),
    ]
    if (bundle !== before) mutations.push({ kind: 'bundle.put', bundle, ifSequence: before.sequenceNumber })
    this.#isStale = true
    const outcome = await this.#deps.store.commit({ mutations, audit })
    if (!outcome.ok) {
      throw new SallyportError('CONCURRENT_CHANGE', 'Cannot change the authorities: the bundle was changed meanwhile')
    }
    this.#isStale = false
    const replaced = new Set([...rows, ...forgotten].map(keyOf))
    this.#rows = [...this.#rows.filter((row) => !replaced.has(keyOf(row))), ...rows].toSorted(byAge)
    if (bundle.sequenceNumber >= this.#bundle.sequenceNumber) this.#bundle = bundle
    this.#changed()
    return outcome.revision
  }
}

const keyOf = ({ kind, authorityId }: AuthorityRow): string => `${kind} ${authorityId}`

/** Oldest first; those made in the same second by id, so that every reading gives the same order. */
const byAge = (a: AuthorityRow, b: AuthorityRow): number =>
  a.notBefore.getTime() - b.notBefore.getTime() || (a.authorityId < b.authorityId ? -1 : 1)
