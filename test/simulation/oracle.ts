import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, type Selector } from '../../src/entry/selector.ts'
import type { FastLaneEntry } from '../../src/policy/fast-lane.ts'
import type { FastLaneRow, PolicyRevisionRow } from '../../server/store/policy-rows.ts'
import type { AttestedAgent, AuthorityRow, Change, Revision } from '../../server/store/store.ts'

/** What one agent should hold from a revision on, until the next of its history. */
export interface ExpectedView {
  readonly revision: number
  readonly atMs: number
  /** Equal keys, equal views. */
  readonly key: string
  readonly entries: ReadonlyMap<string, RegistrationEntry>
  readonly bundle: Bundle | undefined
  readonly mayBeServed: boolean
}

/** Who is in quarantine from an entry of the fast lane on, until the next of the history. */
export interface Quarantined {
  readonly sequence: number
  readonly atMs: number
  readonly ids: ReadonlySet<string>
}

export const OWN_TRUST_DOMAIN = 'example.org'
const SERVER_ID = `spiffe://${OWN_TRUST_DOMAIN}/spire/server`

/**
 * The truth: what was committed, and what follows from it for every agent at every revision. Written from the rules and not from the
 * server's code, the slow and simple way.
 */
export class Oracle {
  readonly entries = new Map<string, RegistrationEntry>()
  readonly agents = new Map<string, AttestedAgent>()
  readonly bundles = new Map<string, Bundle>()
  readonly authorities = new Map<string, AuthorityRow>()
  readonly #histories = new Map<string, ExpectedView[]>()
  #times: { readonly revision: number; readonly atMs: number }[] = [{ revision: 0, atMs: 0 }]
  revision = 0
  /** The newest. */
  policy: PolicyRevisionRow | undefined
  fastLaneSequence = 0
  readonly #quarantines = new Map<string, string>()
  readonly #quarantined: Quarantined[] = [{ sequence: 0, atMs: 0, ids: new Set() }]

  apply({ revision, changes }: Revision, atMs: number): void {
    if (revision !== this.revision + 1) throw new Error(`revision ${revision} follows ${this.revision}`)
    this.revision = revision
    this.#times.push({ revision, atMs })
    const touched = new Set<string>()
    let isForAll = false
    for (const change of changes) {
      isForAll = this.#take(change, touched) || isForAll
      if (change.kind === 'fastLane') this.#quarantine(change.row, atMs)
    }
    for (const id of isForAll ? [...this.agents.keys(), ...this.#histories.keys()] : touched) this.#remember(id, atMs)
  }

  get ownBundle(): Bundle | undefined {
    return this.bundles.get(OWN_TRUST_DOMAIN)
  }

  /** The newest revision at that time. */
  revisionAt(atMs: number): number {
    return this.#times.findLast((one) => one.atMs <= atMs)?.revision ?? 0
  }

  historyOf(agentId: string): readonly ExpectedView[] {
    return this.#histories.get(agentId) ?? []
  }

  /** What the agent should hold at a revision. */
  viewAt(agentId: string, revision: number): ExpectedView | undefined {
    return this.historyOf(agentId).findLast((view) => view.revision <= revision)
  }

  /** The views that were right at any time since. */
  viewsSince(agentId: string, atMs: number): readonly ExpectedView[] {
    const history = this.historyOf(agentId)
    const first = history.findLastIndex((view) => view.atMs <= atMs)
    return history.slice(Math.max(first, 0))
  }

  /** The first revision from `from` on at which the agent should hold exactly this; undefined when there is none. */
  firstMatch(agentId: string, key: string, from: number): number | undefined {
    const history = this.historyOf(agentId)
    const start = Math.max(
      history.findLastIndex((view) => view.revision <= from),
      0,
    )
    const found = history.slice(start).find((view) => view.key === key)
    return found === undefined ? undefined : Math.max(found.revision, from)
  }

  /** Who is in quarantine for somebody who has heard of everything up to an entry. */
  quarantinedAt(sequence: number): ReadonlySet<string> {
    return this.#quarantined.findLast((one) => one.sequence <= sequence)?.ids ?? new Set()
  }

  /** Who has been in quarantine at any time since, in order. */
  quarantinedSince(atMs: number): readonly Quarantined[] {
    return this.#quarantined.slice(this.#quarantined.findLastIndex((one) => one.atMs <= atMs))
  }

  #quarantine({ sequence, content }: FastLaneRow, atMs: number): void {
    const { kind, body } = JSON.parse(content) as FastLaneEntry
    if (kind === 'quarantine.add' && 'identity' in body.target) this.#quarantines.set(body.id, body.target.identity)
    if (kind === 'quarantine.remove') this.#quarantines.delete(body.id)
    this.#quarantined.push({ sequence, atMs, ids: new Set(this.#quarantines.values()) })
  }

  #take(change: Change, touched: Set<string>): boolean {
    switch (change.kind) {
      case 'entry':
        if (change.after === undefined) this.entries.delete(change.id)
        else this.entries.set(change.id, change.after)
        return true
      case 'agent':
        if (change.after === undefined) this.agents.delete(change.spiffeId.toString())
        else this.agents.set(change.spiffeId.toString(), change.after)
        touched.add(change.spiffeId.toString())
        return false
      case 'bundle':
        if (change.after === undefined) this.bundles.delete(change.trustDomain)
        else this.bundles.set(change.trustDomain, change.after)
        return true
      case 'authority':
        this.authorities.set(change.row.authorityId, change.row)
        return false
      case 'policy':
        this.policy = change.row
        return false
      case 'fastLane':
        if (change.row.sequence !== this.fastLaneSequence + 1) {
          throw new Error(`entry ${change.row.sequence} of the fast lane follows ${this.fastLaneSequence}`)
        }
        this.fastLaneSequence = change.row.sequence
        return false
      // Nothing of it is part of what this oracle expects agents to hold.
      default:
        return false
    }
  }

  #remember(agentId: string, atMs: number): void {
    const history = this.#histories.get(agentId) ?? []
    this.#histories.set(agentId, history)
    const agent = this.agents.get(agentId)
    const entries = agent === undefined ? new Map<string, RegistrationEntry>() : this.#entitled(agentId, agent)
    const names = new Set([OWN_TRUST_DOMAIN, ...[...entries.values()].flatMap((one) => one.federatesWith.map(String))])
    const bundles = [...names].flatMap((name) => this.bundles.get(name) ?? [])
    const key = keyOf(entries.values(), bundles)
    const mayBeServed = agent !== undefined && !agent.banned
    const last = history.at(-1)
    if (last?.key === key && last.mayBeServed === mayBeServed) return
    history.push({ revision: this.revision, atMs, key, entries, bundle: this.ownBundle, mayBeServed })
  }

  /** Everything below the agent, its aliases, and the ids of what was found. */
  #entitled(agentId: string, agent: AttestedAgent): Map<string, RegistrationEntry> {
    const selectors = new Set([...agent.selectors.map(printSelector), `spiffe_id:${agentId}`])
    const all = [...this.entries.values()]
    const parents = new Set([agentId])
    for (const entry of all) {
      const isAlias = entry.parentId.toString() === SERVER_ID && matches(entry.selectors, selectors)
      if (isAlias && !entry.admin && !entry.downstream) parents.add(entry.spiffeId.toString())
    }
    const found = new Map<string, RegistrationEntry>()
    for (let size = -1; size < found.size;) {
      size = found.size
      for (const entry of all) {
        const parent = entry.parentId.toString()
        const isFor = parents.has(parent) && (!(entry.admin || entry.downstream) || parent === agentId)
        if (!isFor) continue
        found.set(entry.id, entry)
        parents.add(entry.spiffeId.toString())
      }
    }
    return found
  }
}

export const matches = (wanted: readonly Selector[], held: ReadonlySet<string>): boolean =>
  wanted.every((selector) => held.has(printSelector(selector)))

/** A text that two views share exactly when they say the same. */
export function keyOf(entries: Iterable<RegistrationEntry>, bundles: Iterable<Bundle>): string {
  return [
    ...[...entries].map(printEntry).toSorted(),
    ...[...bundles].map(({ trustDomain, sequenceNumber }) => `bundle ${trustDomain.name} ${sequenceNumber}`).toSorted(),
  ].join('\n')
}

const printed = new WeakMap<RegistrationEntry, string>()

function printEntry(entry: RegistrationEntry): string {
  let text = printed.get(entry)
  if (text === undefined) {
    const { id, spiffeId, parentId, selectors, revisionNumber, dnsNames, x509TtlSeconds } = entry
    text = `entry ${id} ${revisionNumber} ${spiffeId} ${parentId} ${selectors.map(printSelector).toSorted().join(' ')} ${dnsNames.join(' ')} ${x509TtlSeconds}`
    printed.set(entry, text)
  }
  return text
}
