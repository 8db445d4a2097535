import { printSelector, selectorsMatch, type Selector } from '../../src/entry/selector.ts'
import type { AttestedAgent } from '../store/store.ts'
import { OrderedList, type Place } from './ordered-list.ts'

interface Held {
  readonly agent: AttestedAgent
  /** Printed, with `spiffe_id:<own id>`, which lets an entry name one agent as SPIRE's tools do. */
  readonly selectors: ReadonlySet<string>
}

export const placeOfAgent = (agent: AttestedAgent): Place => ({
  createdAtMs: agent.attestedAt.getTime(),
  id: agent.spiffeId.toString(),
})

/** All agents, found by id and by the selectors of their node. */
export class AgentIndex {
  readonly #byId = new Map<string, Held>()
  readonly #bySelector = new Map<string, Set<string>>()
  readonly #ordered: OrderedList<AttestedAgent>

  constructor(agents: readonly AttestedAgent[]) {
    this.#ordered = new OrderedList(placeOfAgent, agents)
    for (const agent of agents) this.#link(agent)
  }

  get size(): number {
    return this.#byId.size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** Known and not banned: a ban takes everything, from calls that are under way too. */
  mayHold(id: string): boolean {
    return this.#byId.get(id)?.agent.banned === false
  }

  get(id: string): AttestedAgent | undefined {
    return this.#byId.get(id)?.agent
  }

  ids(): Iterable<string> {
    return this.#byId.keys()
  }

  *values(): Generator<AttestedAgent> {
    for (const { agent } of this.#byId.values()) yield agent
  }

  inOrder(after?: Place): Iterable<AttestedAgent> {
    return this.#ordered.after(after)
  }

  /** The node's selectors as printed. */
  selectorsOf(id: string): ReadonlySet<string> {
    return this.#byId.get(id)?.selectors ?? new Set()
  }

  /** Ids of the agents whose nodes have all of these selectors. */
  *matching(selectors: readonly Selector[]): Generator<string> {
    const groups = selectors.map((selector) => this.#bySelector.get(printSelector(selector)))
    let rarest = groups[0]
    for (const group of groups) if ((group?.size ?? 0) < (rarest?.size ?? 0)) rarest = group
    for (const id of rarest ?? []) if (selectorsMatch(selectors, this.selectorsOf(id))) yield id
  }

  put(agent: AttestedAgent): void {
    this.remove(agent.spiffeId.toString())
    this.#link(agent)
    this.#ordered.put(agent)
  }

  remove(id: string): void {
    const held = this.#byId.get(id)
    if (held === undefined) return
    this.#byId.delete(id)
    for (const selector of held.selectors) {
      const group = this.#bySelector.get(selector)
      group?.delete(id)
      if (group?.size === 0) this.#bySelector.delete(selector)
    }
    this.#ordered.remove(held.agent)
  }

  #link(agent: AttestedAgent): void {
    const id = agent.spiffeId.toString()
    const selectors = new Set([...agent.selectors.map(printSelector), `spiffe_id:${id}`])
    this.#byId.set(id, { agent, selectors })
    for (const selector of selectors) {
      const group = this.#bySelector.get(selector)
      if (group === undefined) this.#bySelector.set(selector, new Set([id]))
      else group.add(id)
    }
  }
}
