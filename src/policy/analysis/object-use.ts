import type { Observation } from './observed.ts'

/** How a conduit or rule was used: by requests that it let through. */
export interface ObjectUse {
  readonly count: number
  /** Different days on which it was. */
  readonly days: number
  /** 0: never. */
  readonly lastMs: number
  readonly observations: readonly Observation[]
}

const NEVER: ObjectUse = { count: 0, days: 0, lastMs: 0, observations: [] }

/** The use of every conduit and rule, from exact counters. */
export class ObjectUses {
  readonly #conduits: ReadonlyMap<string | null, ObjectUse>
  readonly #rules: ReadonlyMap<string | null, ObjectUse>

  constructor(observations: Iterable<Observation>) {
    const allowed = [...observations].filter(({ decision, wouldDeny }) => decision === 'allow' && !wouldDeny)
    this.#conduits = usesBy(allowed, ({ conduit }) => conduit)
    this.#rules = usesBy(allowed, ({ rule }) => rule)
  }

  conduit(id: string): ObjectUse {
    return this.#conduits.get(id) ?? NEVER
  }

  rule(id: string): ObjectUse {
    return this.#rules.get(id) ?? NEVER
  }
}

function usesBy(
  observations: readonly Observation[],
  keyOf: (observation: Observation) => string | null,
): Map<string | null, ObjectUse> {
  const groups = Map.groupBy(observations, keyOf)
  return new Map([...groups].map(([key, group]) => [key, useOf(group)]))
}

/** Both ends count the same request, so the end that saw more is told. */
function useOf(observations: readonly Observation[]): ObjectUse {
  const at = (wanted: Observation['side']): number =>
    observations.reduce((sum, { side, count }) => (side === wanted ? sum + count : sum), 0)
  return {
    count: Math.max(at('server'), at('client')),
    days: new Set(observations.map(({ day }) => day)).size,
    lastMs: observations.reduce((last, { lastMs }) => Math.max(last, lastMs), 0),
    observations,
  }
}
