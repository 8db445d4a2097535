import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import { EntryGroups, type EntryGroup } from './entry-groups.ts'
import { OrderedList, type Place } from './ordered-list.ts'

export const placeOfEntry = (entry: RegistrationEntry): Place => ({
  createdAtMs: entry.createdAt.getTime(),
  id: entry.id,
})

/** All entries, found by id, parent, SPIFFE ID, DNS name, foreign trust domain, and in the order of lists. */
export class EntryIndex {
  readonly #byId = new Map<string, RegistrationEntry>()
  readonly #byParent = new EntryGroups()
  readonly #bySpiffeId = new EntryGroups()
  readonly #byDnsName = new EntryGroups()
  readonly #federated = new EntryGroups()
  readonly #expiring = new Map<string, RegistrationEntry>()
  /** Aliases by the first of their selectors: an agent that matches one has that selector too. */
  readonly #aliases = new EntryGroups()
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

  childrenOf(parentId: string): EntryGroup {
    return this.#byParent.get(parentId)
  }

  withSpiffeId(spiffeId: string): EntryGroup {
    return this.#bySpiffeId.get(spiffeId)
  }

  /** Written alike but for upper case, as clients compare names. */
  withDnsName(name: string): EntryGroup {
    return this.#byDnsName.get(name.toLowerCase())
  }

  federatingWith(trustDomain: string): EntryGroup {
    return this.#federated.get(trustDomain)
  }

  /** Entries of aliases whose first selector (printed) is this one. */
  aliasesStartingWith(selector: string): EntryGroup {
    return this.#aliases.get(selector)
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
    this.#byParent.leave(entry.parentId.toString(), id)
    this.#aliases.leave(aliasKey(entry), id)
    this.#bySpiffeId.leave(entry.spiffeId.toString(), id)
    for (const name of dnsKeys(entry)) this.#byDnsName.leave(name, id)
    for (const { name } of entry.federatesWith) this.#federated.leave(name, id)
    this.#ordered.remove(entry)
  }

  #link(entry: RegistrationEntry): void {
    this.#byId.set(entry.id, entry)
    if (entry.expiresAt !== undefined) this.#expiring.set(entry.id, entry)
    this.#byParent.join(entry.parentId.toString(), entry)
    if (entry.parentId.toString() === this.#serverId) this.#aliases.join(aliasKey(entry), entry)
    this.#bySpiffeId.join(entry.spiffeId.toString(), entry)
    for (const name of dnsKeys(entry)) this.#byDnsName.join(name, entry)
    for (const { name } of entry.federatesWith) this.#federated.join(name, entry)
  }
}

const dnsKeys = ({ dnsNames }: RegistrationEntry): Iterable<string> =>
  new Set(dnsNames.map((name) => name.toLowerCase()))

const aliasKey = ({ selectors: [first] }: RegistrationEntry): string =>
  first === undefined ? '' : printSelector(first)
