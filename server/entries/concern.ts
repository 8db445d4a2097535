/** By agent id: what may differ in its view. */
export type Concerned = Map<string, Concern>

export interface Concern {
  /** Entries may come or go with others: compare everything. */
  view: boolean
  /** A bundle that it verifies peers with. */
  bundles: boolean
  readonly entryIds: Set<string>
}

/** The concern of one agent, made when it has none yet. */
export function concernOf(concerned: Concerned, agentId: string): Concern {
  let concern = concerned.get(agentId)
  if (concern === undefined) concerned.set(agentId, (concern = { view: false, bundles: false, entryIds: new Set() }))
  return concern
}
