import { conduitsForAudience } from '../audience.ts'
import { mayBeOpen } from './moment.ts'
import type { ReachGraph, Step } from './reach.ts'

/** An audience for which somebody within reach may have a JWT-SVID: with it they go to the zone outside that owns it. */
export interface ReachedAudience {
  readonly audience: string
  /** Those that own it. */
  readonly zones: readonly string[]
  readonly conduit: string
  /** SPIFFE ID that the token is for. */
  readonly from: string
  /** Whoever was taken has the token at hop 1. */
  readonly hops: number
  /** The steps to `from`. */
  readonly way: readonly Step[]
}

export interface TokenReachOptions {
  readonly hops?: number
  /** False: only a key was taken, with which no agent gives out tokens. Services that are reached are taken with their process. */
  readonly mayFetch: boolean
}

/**
 * The owned audiences that the issuance gate allows whoever is taken within `hops` steps, nearest first. Observe softens nothing
 * there. About audiences that no zone owns the gate says nothing: a token for them is had by whoever may fetch one at all.
 *
 * @see zones.md §3.5 "Issuance gate", §4.1
 */
export function reachedAudiences(
  graph: ReachGraph,
  ids: readonly string[],
  { hops = Infinity, mayFetch }: TokenReachOptions,
): readonly ReachedAudience[] {
  const { tables } = graph
  if (tables.audienceZones.size === 0) return []
  const found = new Map<string, ReachedAudience>()
  for (const { id, way } of graph.taken(ids, hops)) {
    const party = tables.parties.of(id)
    if (typeof party === 'string' || (way.length === 0 && !mayFetch)) continue
    for (const [audience, zones] of tables.audienceZones) {
      if (found.has(audience)) continue
      const conduit = conduitsForAudience(tables, party, audience)?.find(
        (one) => mayBeOpen(one, graph.options.moment) && graph.options.without?.conduits.has(one.id) !== true,
      )
      if (conduit !== undefined)
        found.set(audience, { audience, zones, conduit: conduit.id, from: id, hops: way.length + 1, way })
    }
  }
  return [...found.values()]
}
