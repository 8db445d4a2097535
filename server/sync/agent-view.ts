import { type Bundle, bundlesEqual } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { ViewDigest } from '../../src/entry/view-digest.ts'
import type { Concern } from '../entries/concern.ts'
import type { Directory } from '../entries/directory.ts'

/** What a view lacked, and what it held in vain. */
export interface ViewChange {
  readonly entries: readonly RegistrationEntry[]
  readonly removedEntryIds: readonly string[]
  readonly bundles: readonly Bundle[]
  readonly removedTrustDomains: readonly string[]
}

export type DirectoryView = Pick<Directory, 'entry' | 'entitled' | 'isEntitled' | 'bundle'>

/**
 * What one agent has been told: the entries it is entitled to, the own bundle and those its entries federate with. Knowing it is what
 * lets any number of changes become one small difference, and what keeps ids of other agents' entries out of it.
 */
export class AgentView {
  readonly #agentId: string
  readonly #ownTrustDomain: string
  readonly #directory: DirectoryView
  #entries = new Map<string, RegistrationEntry>()
  #bundles = new Map<string, Bundle>()
  /** How many entries federate with a trust domain. */
  #federations = new Map<string, number>()
  #digest = new ViewDigest()
  #spiffeIds: ReadonlySet<string> | undefined

  /** A view that holds everything there is for the agent now. */
  constructor(agentId: string, ownTrustDomain: string, directory: DirectoryView) {
    this.#agentId = agentId
    this.#ownTrustDomain = ownTrustDomain
    this.#directory = directory
    this.refill()
  }

  get digest(): Buffer {
    return this.#digest.bytes
  }

  get entries(): readonly RegistrationEntry[] {
    return [...this.#entries.values()]
  }

  get bundles(): readonly Bundle[] {
    return [...this.#bundles.values()]
  }

  /** The SPIFFE IDs of the entries. */
  get spiffeIds(): ReadonlySet<string> {
    return (this.#spiffeIds ??= new Set(
      Iterator.from(this.#entries.values()).map(({ spiffeId }) => spiffeId.toString()),
    ))
  }

  has(entryId: string): boolean {
    return this.#entries.has(entryId)
  }

  /** Forgets what was told and takes everything as it is now, for a snapshot. */
  refill(): void {
    this.#entries = new Map()
    this.#bundles = new Map()
    this.#federations = new Map()
    this.#digest = new ViewDigest()
    this.#spiffeIds = undefined
    for (const entry of this.#directory.entitled(this.#agentId)) this.#hold(entry)
    this.#updateBundles()
  }

  /** Brings the view up to date where it may differ and says what changed; undefined when nothing did. */
  update(concern: Concern): ViewChange | undefined {
    const entries: RegistrationEntry[] = []
    const removedEntryIds: string[] = []
    for (const [id, entry] of this.#wanted(concern)) {
      const held = this.#entries.get(id)
      if (entry === undefined) {
        if (held === undefined) continue
        this.#drop(held)
        removedEntryIds.push(id)
      } else if (held === undefined || !isSame(held, entry)) {
        if (held !== undefined) this.#drop(held)
        this.#hold(entry)
        entries.push(entry)
      }
    }
    const { bundles, removedTrustDomains } = this.#updateBundles()
    const count = entries.length + removedEntryIds.length + bundles.length + removedTrustDomains.length
    return count === 0 ? undefined : { entries, removedEntryIds, bundles, removedTrustDomains }
  }

  /** The entries that may differ, as they should be: undefined for those the agent may not hold. */
  *#wanted(concern: Concern): Generator<readonly [string, RegistrationEntry | undefined]> {
    if (!concern.view) {
      for (const id of concern.entryIds) {
        yield [id, this.#directory.isEntitled(this.#agentId, id) ? this.#directory.entry(id) : undefined]
      }
      return
    }
    const wanted = this.#directory.entitled(this.#agentId)
    const ids = new Set(wanted.map(({ id }) => id))
    for (const id of [...this.#entries.keys()]) if (!ids.has(id)) yield [id, undefined]
    for (const entry of wanted) yield [entry.id, entry]
  }

  #updateBundles(): { readonly bundles: readonly Bundle[]; readonly removedTrustDomains: readonly string[] } {
    const bundles: Bundle[] = []
    const removedTrustDomains: string[] = []
    const wanted = new Set([this.#ownTrustDomain, ...this.#federations.keys()])
    for (const name of wanted) {
      const bundle = this.#directory.bundle(name)
      const held = this.#bundles.get(name)
      if (bundle === undefined || (held !== undefined && isSameBundle(held, bundle))) continue
      if (held !== undefined) this.#digest.removeBundle(held)
      this.#bundles.set(name, bundle)
      this.#digest.addBundle(bundle)
      bundles.push(bundle)
    }
    for (const [name, held] of this.#bundles) {
      if (wanted.has(name) && this.#directory.bundle(name) !== undefined) continue
      this.#bundles.delete(name)
      this.#digest.removeBundle(held)
      removedTrustDomains.push(name)
    }
    return { bundles, removedTrustDomains }
  }

  #hold(entry: RegistrationEntry): void {
    this.#spiffeIds = undefined
    this.#entries.set(entry.id, entry)
    this.#digest.addEntry(entry)
    for (const { name } of entry.federatesWith) this.#federations.set(name, (this.#federations.get(name) ?? 0) + 1)
  }

  #drop(entry: RegistrationEntry): void {
    this.#spiffeIds = undefined
    this.#entries.delete(entry.id)
    this.#digest.removeEntry(entry)
    for (const { name } of entry.federatesWith) {
      const left = (this.#federations.get(name) ?? 0) - 1
      if (left > 0) this.#federations.set(name, left)
      else this.#federations.delete(name)
    }
  }
}

const isSame = (a: RegistrationEntry, b: RegistrationEntry): boolean =>
  a === b || (a.revisionNumber === b.revisionNumber && a.createdAt.getTime() === b.createdAt.getTime())

const isSameBundle = (a: Bundle, b: Bundle): boolean =>
  a === b || (a.sequenceNumber === b.sequenceNumber && bundlesEqual(a, b))
