import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { Conduit, Rule } from '../policy-set.ts'
import type { CompiledService, Tables } from '../tables.ts'
import { candidatesOf } from './candidates.ts'
import { classedRow, Classifier } from './classes.ts'
import { reachedActions, type ReachOptions } from './direct-reach.ts'

/** Somebody who may do something that they may not do yet. */
export interface Admission {
  readonly source: string
  readonly service: string
  readonly action: string
}

/** Finds what registered identities gain between two policies over the same rows, on what a service is. */
export class Admissions {
  readonly #before: Tables
  readonly #after: Tables
  readonly #options: ReachOptions
  readonly #classifiers: readonly Classifier[]
  /** By class and service: whoever is of one class in both gains the same. */
  readonly #known = new Map<string, readonly Omit<Admission, 'source'>[]>()

  constructor(before: Tables, after: Tables, options: ReachOptions) {
    this.#before = before
    this.#after = after
    this.#options = options
    this.#classifiers = [new Classifier(before), new Classifier(after)]
  }

  /** In the order of the rows. A path that is opened to a service is open to all services of its identity. */
  of(rows: Iterable<IdentityRow>, service: string): Admission[] {
    const identity = this.#after.services.get(service)?.party.id
    const services = [...this.#after.services.values()].filter(({ party }) => party.id === identity)
    return Iterator.from(rows)
      .flatMap((row) => this.#gained(row, service, services).map((gain) => ({ source: row.spiffeId, ...gain })))
      .toArray()
  }

  #gained(
    row: IdentityRow,
    service: string,
    services: readonly CompiledService[],
  ): readonly Omit<Admission, 'source'>[] {
    const key = [service, ...this.#classifiers.map((classifier) => classifier.keyOf(classedRow(row)))].join('\n')
    let gained = this.#known.get(key)
    if (gained === undefined) this.#known.set(key, (gained = this.#compare(row.spiffeId, services)))
    return gained
  }

  #compare(id: string, services: readonly CompiledService[]): Omit<Admission, 'source'>[] {
    const [before, after] = [this.#before.parties.of(id), this.#after.parties.of(id)]
    if (typeof before === 'string' || typeof after === 'string') return []
    return services.flatMap((service) => {
      const old = this.#before.services.get(service.id)
      const had = new Set(old === undefined ? [] : this.#actions(this.#before, before, old))
      return this.#actions(this.#after, after, service)
        .filter((action) => !had.has(action))
        .map((action) => ({ service: service.id, action }))
    })
  }

  #actions(tables: Tables, party: Party, service: CompiledService): string[] {
    const rules = candidatesOf(tables)
      .rulesOf(party)
      .filter(({ rule }) => rule.to === service.id)
    return reachedActions(tables, party, service, rules, this.#options).map(({ action }) => action)
  }
}

/** Conduits and rules as they would be once somebody has accepted them. */
export const live = <T extends Conduit | Rule>(drafts: readonly (T | undefined)[]): T[] =>
  drafts.flatMap((draft) => (draft === undefined ? [] : { ...draft, stage: 'live' }))
