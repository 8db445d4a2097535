import type { ReachGraph } from './reach.ts'

/** Somebody who reaches a service directly, and what they may do there. */
export interface Reacher {
  readonly id: string
  readonly zone: string | null
  readonly actions: readonly string[]
  readonly conduits: readonly string[]
  readonly rules: readonly string[]
}

/** Which of these identities reach a service directly. */
export function whoReaches(graph: ReachGraph, service: string, ids: Iterable<string>): Reacher[] {
  const found: Reacher[] = []
  for (const id of ids) {
    const actions = graph.direct(id).find((reach) => reach.service === service)?.actions ?? []
    if (actions.length === 0) continue
    const party = graph.tables.parties.of(id)
    found.push({
      id,
      zone: typeof party === 'string' ? null : (party.zone?.id ?? null),
      actions: actions.map(({ action }) => action),
      conduits: distinct(actions.map(({ conduit }) => conduit)),
      rules: distinct(actions.map(({ rule }) => rule)),
    })
  }
  return found
}

const distinct = (names: readonly (string | null)[]): string[] => [...new Set(names.flatMap((name) => name ?? []))]
