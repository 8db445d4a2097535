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

/** An identity that can be acted as, and the steps to it: none for those that were held from the beginning. */
export interface Taken {
  readonly id: string
  readonly way: readonly Step[]
}

/** The step that leads on, if one does. */
function stepOf(
  from: string,
  { service, actions }: DirectReach,
): { readonly step: Step; readonly pivot: boolean } | undefined {
  const told = actions.find(({ pivot }) => pivot) ?? actions[0]
  if (told === undefined) return undefined
  const { action, conduit, rule, pivot } = told
  return { step: { from, service, action, conduit, rule }, pivot }
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
    for (const { id, way } of this.taken(ids, hops)) {
      for (const direct of this.direct(id)) {
        const { service } = direct
        const next = found.has(service) ? undefined : stepOf(id, direct)
        if (next !== undefined) found.set(service, { service, hops: way.length + 1, way: [...way, next.step] })
      }
    }
    return [...found.values()]
  }

  /** Who can be acted as, such that something can be done within `hops` steps: nearest first, each with the steps to it. */
  *taken(ids: readonly string[], hops = Infinity): Generator<Taken> {
    const held = new Set(ids)
    const queue: Taken[] = ids.map((id) => ({ id, way: [] }))
    for (const one of queue) {
      if (one.way.length >= hops) return
      yield one
      for (const direct of this.direct(one.id)) {
        const next = stepOf(one.id, direct)
        const identity = this.identityOf(direct.service)
        if (next?.pivot !== true || identity === undefined || held.has(identity)) continue
        held.add(identity)
        queue.push({ id: identity, way: [...one.way, next.step] })
      }
    }
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
