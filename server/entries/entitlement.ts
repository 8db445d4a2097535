import { isPrivileged } from '../../src/entry/is-privileged.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { selectorsMatch } from '../../src/entry/selector.ts'
import type { AgentIndex } from './agent-index.ts'
import type { EntryIndex } from './entry-index.ts'

/**
 * Who may hold what. An agent is entitled to the entries below its own id, below each alias that its node answers to (an entry whose
 * parent is the server and whose selectors the node all has), and below the ids of those entries in turn. Entries marked admin or
 * downstream count for the agent that they name as their parent and for nobody else (SE-12).
 */
export class Entitlement {
  readonly #entries: EntryIndex
  readonly #agents: AgentIndex
  readonly #serverId: string

  constructor(entries: EntryIndex, agents: AgentIndex, serverId: string) {
    this.#entries = entries
    this.#agents = agents
    this.#serverId = serverId
  }

  /** Everything an agent may hold at this moment, found by walking down. */
  entriesOf(agentId: string, now: Date): RegistrationEntry[] {
    if (!this.#agents.mayHold(agentId)) return []
    const found = new Map<string, RegistrationEntry>()
    const walked = new Set<string>()
    const open = [agentId, ...this.#aliasesOf(agentId, now)]
    for (let parentId = open.pop(); parentId !== undefined; parentId = open.pop()) {
      if (walked.has(parentId)) continue
      walked.add(parentId)
      for (const entry of this.#entries.childrenOf(parentId).values()) {
        if (isOver(entry, now) || (isPrivileged(entry) && parentId !== agentId)) continue
        found.set(entry.id, entry)
        open.push(entry.spiffeId.toString())
      }
    }
    return [...found.values()]
  }

  /** The same question for one entry, found by walking up: costs the depth, not the size of what the agent may hold. */
  covers(agentId: string, entry: RegistrationEntry, now: Date): boolean {
    if (!this.#agents.mayHold(agentId) || isOver(entry, now)) return false
    const parentId = entry.parentId.toString()
    if (parentId === agentId) return true
    if (parentId === this.#serverId || isPrivileged(entry)) return false
    return this.#reaches(agentId, parentId, now, new Set())
  }

  /** Every agent that answers to an id or to one that leads to it; may name one too many (expired ways count), never one too few. */
  agentsUnder(parentId: string, found = new Set<string>(), walked = new Set<string>()): Set<string> {
    if (walked.has(parentId)) return found
    walked.add(parentId)
    if (this.#agents.has(parentId)) found.add(parentId)
    for (const entry of this.#entries.withSpiffeId(parentId).values()) {
      if (this.#isAlias(entry)) for (const agentId of this.#agents.matching(entry.selectors)) found.add(agentId)
      else this.agentsUnder(entry.parentId.toString(), found, walked)
    }
    return found
  }

  /** The agents that one entry concerns, and whether entries below it come or go with it. */
  concernedBy(entry: RegistrationEntry): { readonly agents: Iterable<string>; readonly withMore: boolean } {
    const withMore = this.#entries.childrenOf(entry.spiffeId.toString()).size > 0
    if (!this.#isAlias(entry)) return { agents: this.agentsUnder(entry.parentId.toString()), withMore }
    return { agents: withMore ? this.#agents.matching(entry.selectors) : [], withMore }
  }

  #reaches(agentId: string, parentId: string, now: Date, walked: Set<string>): boolean {
    if (parentId === agentId) return true
    if (walked.has(parentId)) return false
    walked.add(parentId)
    for (const entry of this.#entries.withSpiffeId(parentId).values()) {
      if (isOver(entry, now)) continue
      const above = entry.parentId.toString()
      if (above === this.#serverId) {
        if (!isPrivileged(entry) && selectorsMatch(entry.selectors, this.#agents.selectorsOf(agentId))) return true
      } else if (above === agentId || (!isPrivileged(entry) && this.#reaches(agentId, above, now, walked))) return true
    }
    return false
  }

  #aliasesOf(agentId: string, now: Date): string[] {
    const held = this.#agents.selectorsOf(agentId)
    const aliases: string[] = []
    for (const entry of this.#aliasCandidates(held)) {
      if (!isOver(entry, now) && !isPrivileged(entry) && selectorsMatch(entry.selectors, held)) {
        aliases.push(entry.spiffeId.toString())
      }
    }
    return aliases
  }

  /** Aliases are few beside entries, yet found by selector, so that many aliases cost an agent nothing. */
  *#aliasCandidates(held: ReadonlySet<string>): Generator<RegistrationEntry> {
    const aliases = this.#entries.childrenOf(this.#serverId)
    if (aliases.size <= held.size) return yield* aliases.values()
    for (const selector of held) yield* this.#entries.aliasesStartingWith(selector).values()
  }

  #isAlias(entry: RegistrationEntry): boolean {
    return entry.parentId.toString() === this.#serverId
  }
}

export const isOver = (entry: RegistrationEntry, now: Date): boolean =>
  entry.expiresAt !== undefined && entry.expiresAt <= now
