import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Change, StoreSnapshot } from '../store/store.ts'
import { AgentIndex } from './agent-index.ts'
import { concernOf, type Concerned } from './concern.ts'
import { Entitlement } from './entitlement.ts'
import { EntryIndex, placeOfEntry } from './entry-index.ts'
import { entryTest, type EntryFilter } from './filter.ts'
import { compare, type Place } from './ordered-list.ts'

/** The indexes at one revision, and how a change moves them to the next. */
export class DirectoryState {
  readonly entries: EntryIndex
  readonly agents: AgentIndex
  readonly bundles: Map<string, Bundle>
  readonly entitlement: Entitlement
  readonly #ownTrustDomain: string

  constructor(
    snapshot: Pick<StoreSnapshot, 'entries' | 'agents' | 'bundles'>,
    { serverId, ownTrustDomain }: { readonly serverId: string; readonly ownTrustDomain: string },
  ) {
    this.entries = new EntryIndex(snapshot.entries, serverId)
    this.agents = new AgentIndex(snapshot.agents)
    this.bundles = new Map(snapshot.bundles.map((bundle) => [bundle.trustDomain.name, bundle]))
    this.entitlement = new Entitlement(this.entries, this.agents, serverId)
    this.#ownTrustDomain = ownTrustDomain
  }

  /** Applies changes in order and says whom they concern. */
  apply(changes: readonly Change[]): Concerned {
    const concerned: Concerned = new Map()
    for (const change of changes) {
      // Whom the old state concerned is asked before it goes, whom the new one concerns after it came.
      this.#concern(concerned, change, 'before')
      this.#change(change)
      this.#concern(concerned, change, 'after')
    }
    return concerned
  }

  /** Whom a change concerns as things stand now. */
  concernedBy(change: Change): Concerned {
    const concerned: Concerned = new Map()
    this.#concern(concerned, change, 'before')
    this.#concern(concerned, change, 'after')
    return concerned
  }

  #change(change: Change): void {
    if (change.kind === 'entry') {
      if (change.after === undefined) this.entries.remove(change.id)
      else this.entries.put(change.after)
    } else if (change.kind === 'agent') {
      if (change.after === undefined) this.agents.remove(change.spiffeId.toString())
      else this.agents.put(change.after)
    } else if (change.kind === 'bundle') {
      if (change.after === undefined) this.bundles.delete(change.trustDomain)
      else this.bundles.set(change.trustDomain, change.after)
    }
  }

  #concern(concerned: Concerned, change: Change, side: 'before' | 'after'): void {
    if (change.kind === 'entry') {
      const entry = change[side]
      if (entry === undefined) return
      const { agents, withMore } = this.entitlement.concernedBy(entry)
      for (const agentId of agents) {
        const concern = concernOf(concerned, agentId)
        if (withMore) concern.view = true
        else concern.entryIds.add(entry.id)
      }
    } else if (change.kind === 'agent') {
      concernOf(concerned, change.spiffeId.toString()).view = true
    } else if (change.kind === 'bundle') {
      for (const agentId of this.#agentsVerifying(change.trustDomain)) {
        concernOf(concerned, agentId).bundles = true
      }
    }
  }

  /** Agents whose workloads verify peers with a bundle: all of them with their own, some with a foreign one. */
  #agentsVerifying(trustDomain: string): Iterable<string> {
    if (trustDomain === this.#ownTrustDomain) return this.agents.ids()
    const found = new Set<string>()
    const walked = new Set<string>()
    for (const entry of this.entries.federatingWith(trustDomain).values()) {
      this.entitlement.agentsUnder(entry.parentId.toString(), found, walked)
    }
    return found
  }

  /** What a list may hold, in order; an id or a parent narrows it to a group before anything is compared. */
  entriesAfter(filter: EntryFilter, after: Place | undefined): Iterable<RegistrationEntry> {
    const passes = entryTest(filter)
    const narrow =
      filter.spiffeId !== undefined
        ? this.entries.withSpiffeId(filter.spiffeId.toString())
        : filter.parentId !== undefined
          ? this.entries.childrenOf(filter.parentId.toString())
          : undefined
    if (narrow === undefined) return Iterator.from(this.entries.inOrder(after)).filter(passes)
    return [...narrow.values()]
      .filter((entry) => passes(entry) && (after === undefined || compare(placeOfEntry(entry), after) > 0))
      .sort((a, b) => compare(placeOfEntry(a), placeOfEntry(b)))
  }
}
