import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import { OrderedList, type Place } from './ordered-list.ts'

type Group = ReadonlyMap<string, RegistrationEntry>
const NONE: Group = new Map()

export const placeOfEntry = (entry: RegistrationEntry): Place => ({
  createdAtMs: entry.createdAt.getTime(),
  id: entry.id,
})

/** All entries, found by id, parent, SPIFFE ID, foreign trust domain, and in the order of lists. */
export class EntryIndex {
  readonly #byId = new Map<string, RegistrationEntry>()
  readonly #byParent = new Map<string, Map<string, RegistrationEntry>>()
  readonly #bySpiffeId = new Map<string, Map<string, RegistrationEntry>>()
  readonly #federated = new Map<string, Map<string, RegistrationEntry>>()
  readonly #expiring = new Map<string, RegistrationEntry>()
  /** Aliases by the first of their selectors: an agent that matches one has that selector too. */
  readonly #aliases = new Map<string, Map<string, RegistrationEntry>>()
  readonly #serverId: string
  readonly #ordered: OrderedList<RegistrationEntry>

  constructor(entries: readonly RegistrationEntry[], serverId: string) {
    this.#serverId = serverId
    this.#ordered = new OrderedList(placeOfEntry, entries)
    for (const entry of entries) this.#link(entry)
  }

  get size(): number {
    return this.#byId.size
  }

  get(id: string): RegistrationEntry | undefined {
    return this.#byId.get(id)
  }

  values(): Iterable<RegistrationEntry> {
    return this.#byId.values()
  }

  childrenOf(parentId: string): Group {
    return this.#byParent.get(parentId) ?? NONE
  }

  withSpiffeId(spiffeId: string): Group {
    return this.#bySpiffeId.get(spiffeId) ?? NONE
  }

  federatingWith(trustDomain: string): Group {
    return this.#federated.get(trustDomain) ?? NONE
  }

  /** Entries of aliases whose first selector (printed) is this one. */
  aliasesStartingWith(selector: string): Group {
    return this.#aliases.get(selector) ?? NONE
  }

  /** Those that have an end date. */
  expiring(): Iterable<RegistrationEntry> {
    return this.#expiring.values()
  }

  inOrder(after?: Place): Iterable<RegistrationEntry> {
    return this.#ordered.after(after)
  }

  put(entry: RegistrationEntry): void {
    this.remove(entry.id)
    this.#link(entry)
    this.#ordered.put(entry)
  }

  remove(id: string): void {
    const entry = this.#byId.get(id)
    if (entry === undefined) return
    this.#byId.delete(id)
    this.#expiring.delete(id)
    leave(this.#byParent, entry.parentId.toString(), id)
    leave(this.#aliases, aliasKey(entry), id)
    leave(this.#bySpiffeId, entry.spiffeId.toString(), id)
    for (const { name } of entry.federatesWith) leave(this.#federated, name, id)
    this.#ordered.remove(entry)
  }

  #link(entry: RegistrationEntry): void {
    this.#byId.set(entry.id, entry)
    if (entry.expiresAt !== undefined) this.#expiring.set(entry.id, entry)
    join(this.#byParent, entry.parentId.toString(), entry)
    if (entry.parentId.toString() === this.#serverId) join(this.#aliases, aliasKey(entry), entry)
    join(this.#bySpiffeId, entry.spiffeId.toString(), entry)
    for (const { name } of entry.federatesWith) join(this.#federated, name, entry)
  }
}

const aliasKey = ({ selectors: [first] }: RegistrationEntry): string =>
  first === undefined ? '' : printSelector(first)

function join(groups: Map<string, Map<string, RegistrationEntry>>, key: string, entry: RegistrationEntry): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, new Map([[entry.id, entry]]))
  else group.set(entry.id, entry)
}

function leave(groups: Map<string, Map<string, RegistrationEntry>>, key: string, id: string): void {
  const group = groups.get(key)
  group?.delete(id)
  if (group?.size === 0) groups.delete(key)
}
