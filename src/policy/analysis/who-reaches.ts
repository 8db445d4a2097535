import type { IdentityClass } from './classes.ts'
import type { ReachGraph } from './reach.ts'

/** Somebody who reaches a service directly, and what they may do there. */
export interface Reacher {
  readonly id: string
  readonly zone: string | null
  readonly actions: readonly string[]
  readonly conduits: readonly string[]
  readonly rules: readonly string[]
}

/** Which identities of these classes reach a service directly: one of each class is asked. */
export function whoReaches(graph: ReachGraph, service: string, classes: readonly IdentityClass[]): Reacher[] {
  return classes.flatMap(({ example, ids }) => {
    const actions = graph.direct(example.id).find((reach) => reach.service === service)?.actions ?? []
    if (actions.length === 0) return []
    const how = {
      zone: example.zone?.id ?? null,
      actions: actions.map(({ action }) => action),
      conduits: distinct(actions.map(({ conduit }) => conduit)),
      rules: distinct(actions.map(({ rule }) => rule)),
    }
    return ids.map((id): Reacher => ({ id, ...how }))
  })
}

const distinct = (names: readonly (string | null)[]): string[] => [...new Set(names.flatMap((name) => name ?? []))]
