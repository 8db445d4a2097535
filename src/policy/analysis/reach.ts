import type { Party } from '../party.ts'
import type { Tables } from '../tables.ts'
import { directReach, type DirectReach, type ReachOptions } from './direct-reach.ts'

/** One step of a way: who does what on which service, and what lets them. */
export interface Step {
  /** SPIFFE ID of who takes it. */
  readonly from: string
  readonly service: string
  readonly action: string
  readonly conduit: string | null
  readonly rule: string | null
}

/** A service within reach, and one shortest way to it. */
export interface Reached {
  readonly service: string
  /** Direct reach is hop 1 (ZO-61). */
  readonly hops: number
  readonly way: readonly Step[]
}

/**
 * The steps that a compromise can take: from an identity to the services that it reaches, and on from each that it can act as.
 * Only actions that hand a service's identity over (`pivot`) lead further.
 *
 * What a service reaches is found when it is first asked for, and kept.
 *
 * @see zones.md §4.1
 */
export class ReachGraph {
  readonly tables: Tables
  readonly options: ReachOptions
  readonly #direct = new Map<string, readonly DirectReach[]>()

  constructor(tables: Tables, options: ReachOptions) {
    this.tables = tables
    this.options = options
  }

  /** What an identity reaches by itself; nothing for an id that no policy can know. */
  direct(id: string): readonly DirectReach[] {
    let reach = this.#direct.get(id)
    if (reach === undefined) {
      const party = this.tables.parties.of(id)
      reach = typeof party === 'string' ? [] : directReach(this.tables, party, this.options)
      this.#direct.set(id, reach)
    }
    return reach
  }

  /** Everything within `hops` steps of who holds these identities, nearest first. */
  within(ids: readonly string[], hops = Infinity): readonly Reached[] {
    const found = new Map<string, Reached>()
    const held = new Set(ids)
    let front: readonly { readonly id: string; readonly way: readonly Step[] }[] = ids.map((id) => ({ id, way: [] }))
    for (let hop = 1; front.length > 0 && hop <= hops; hop++) {
      const next: { id: string; way: readonly Step[] }[] = []
      for (const { id, way } of front) {
        for (const { service, actions } of this.direct(id)) {
          const told = actions.find(({ pivot }) => pivot) ?? actions[0]
          if (told === undefined) continue
          const { action, conduit, rule, pivot } = told
          const step = { from: id, service, action, conduit, rule }
          if (!found.has(service)) found.set(service, { service, hops: hop, way: [...way, step] })
          const identity = this.identityOf(service)
          if (!pivot || identity === undefined || held.has(identity)) continue
          held.add(identity)
          next.push({ id: identity, way: [...way, step] })
        }
      }
      front = next
    }
    return [...found.values()]
  }

  /** The SPIFFE ID that a service acts as. */
  identityOf(service: string): string | undefined {
    return this.#partyOf(service)?.id
  }

  zoneOf(service: string): string | undefined {
    return this.#partyOf(service)?.zone?.id
  }

  isCrownJewel(service: string): boolean {
    return this.#partyOf(service)?.zone?.crownJewel === true
  }

  #partyOf(service: string): Party | undefined {
    return this.tables.services.get(service)?.party
  }
}
