import { Refused, type EntryOrder } from './admin.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'

/** For each agent. */
const ENTRIES_MAX = 8

/** What an administrator knows of an entry. */
export interface KnownEntry {
  order: EntryOrder
  /** Undefined while nobody knows. */
  isThere: boolean | undefined
  isBusy: boolean
}

/** Entries that are made, changed and deleted, and what must be stored once that was acknowledged. */
export class EntryDeeds {
  readonly #system: SimulatedSystem
  readonly #random: Random
  readonly #entries = new Map<string, KnownEntry>()
  /** Ids that were deleted and must never be seen again. */
  readonly #forgotten = new Set<string>()
  #count = 0

  constructor(system: SimulatedSystem, random: Random) {
    this.#system = system
    this.#random = random
  }

  /** What the administrator knows to be there. */
  get known(): readonly KnownEntry[] {
    return [...this.#entries.values()]
  }

  /** Ids whose end was acknowledged. */
  get gone(): ReadonlySet<string> {
    return this.#forgotten
  }

  do(deed: 'create' | 'nest' | 'update' | 'delete' | 'recreate'): void {
    // A system that only grew would spend its time on entries that say the same.
    const isFull = this.#entries.size >= ENTRIES_MAX * this.#system.agents.length
    const free = [...this.#entries.values()].filter(({ isBusy }) => !isBusy)
    const there = free.filter(({ isThere }) => isThere === true)
    switch (deed) {
      case 'create':
        if (!isFull) this.#create(this.#newOrder(this.#random.pick(this.#system.agents).alias))
        return
      case 'nest':
        if (there.length > 0 && !isFull) this.#create(this.#newOrder(this.#random.pick(there).order.spiffeId))
        return
      case 'update':
        if (there.length > 0) this.#update(this.#random.pick(there))
        return
      case 'delete':
        if (there.length > 0) this.#delete(this.#random.pick(there))
        return
      case 'recreate':
        if (there.length > 0) this.#recreate(this.#random.pick(there))
    }
  }

  #newOrder(parentId: string): EntryOrder {
    const id = `entry-${++this.#count}`
    return { id, parentId, ...this.#newContent() }
  }

  #newContent(): Omit<EntryOrder, 'id' | 'parentId'> {
    const number = ++this.#count
    return {
      spiffeId: `spiffe://example.org/w/${this.#random.below(1000)}`,
      selectors: [`uid:${this.#random.pick(this.#system.workloads).uid}`],
      dnsName: `n${number}.internal`,
      ttlSeconds: this.#random.pick([0, 0, 60, 90]),
    }
  }

  #create(order: EntryOrder): void {
    const known: KnownEntry = { order, isThere: undefined, isBusy: true }
    this.#entries.set(order.id, known)
    this.#perform(`creates ${order.id}`, known, async () => {
      const entry = await this.#system.admin.createEntry(order)
      known.isThere = true
      this.#mustBeThere(entry.id, entry.revisionNumber)
    })
  }

  #update(known: KnownEntry): void {
    const { spiffeId, selectors, ...details } = this.#newContent()
    // As often as not the identity stays what it was, and only what its certificate says changes.
    const order = { ...known.order, ...details, ...(this.#random.chance(0.5) ? { spiffeId, selectors } : {}) }
    this.#perform(`updates ${order.id}`, known, async () => {
      const entry = await this.#system.admin.updateEntry(order)
      known.order = order
      this.#mustBeThere(entry.id, entry.revisionNumber)
    })
  }

  #delete(known: KnownEntry): void {
    this.#perform(`deletes ${known.order.id}`, known, async () => {
      await this.#system.admin.deleteEntry(known.order.id)
      known.isThere = false
      this.#mustBeGone(known.order.id)
      this.#forgotten.add(known.order.id)
      this.#entries.delete(known.order.id)
    })
  }

  /** The same id with another meaning, at once. */
  #recreate(known: KnownEntry): void {
    this.#perform(`makes ${known.order.id} anew`, known, async () => {
      // Twice within a second: time on the wire is told in whole seconds.
      for (let times = this.#random.pick([1, 3]); times > 0; times--) {
        await this.#system.admin.deleteEntry(known.order.id)
        known.isThere = false
        this.#mustBeGone(known.order.id)
        known.order = { ...known.order, ...this.#newContent() }
        known.isThere = undefined
        const entry = await this.#system.admin.createEntry(known.order)
        known.isThere = true
        this.#mustBeThere(entry.id, entry.revisionNumber)
      }
    })
  }

  #perform(what: string, known: KnownEntry, action: () => Promise<void>): void {
    const { world } = this.#system
    known.isBusy = true
    world.trace.add(`admin ${what}`)
    action()
      .then(
        () => world.trace.add(`admin ${what}: acknowledged`),
        (error: unknown) => {
          // Refused is an answer; anything else leaves open what happened.
          if (!(error instanceof Refused)) known.isThere = undefined
          world.trace.add(`admin ${what}: ${error instanceof Refused ? `refused (${error.code})` : 'no answer'}`)
          world.trace.remark(String(error))
        },
      )
      .finally(() => (known.isBusy = false))
  }

  #mustBeThere(id: string, revisionNumber: number): void {
    const entry = this.#system.world.oracle.entries.get(id)
    if (entry === undefined || entry.revisionNumber < revisionNumber) {
      this.#system.world.violation(`entry ${id} was acknowledged and is not stored`)
    }
  }

  #mustBeGone(id: string): void {
    if (this.#system.world.oracle.entries.has(id)) {
      this.#system.world.violation(`the end of entry ${id} was acknowledged and is not stored`)
    }
  }
}
