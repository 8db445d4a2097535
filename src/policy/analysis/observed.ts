/** How often the same thing was decided on one day, at one end. What analyses know of traffic. */
export interface Observation {
  /** SPIFFE ID. */
  readonly source: string
  readonly sourceZone: string | null
  readonly service: string
  readonly destinationZone: string | null
  readonly action: string | null
  /** What opened the gates; null: something else did, or nothing. */
  readonly conduit: string | null
  readonly rule: string | null
  readonly decision: 'allow' | 'deny'
  readonly wouldDeny: boolean
  readonly deniedBy: string | null
  readonly code: string | null
  /** Which end decided. */
  readonly side: 'server' | 'client'
  readonly port: number
  readonly protocol: string
  /** Template, never a raw path. */
  readonly route: string | null
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  /** Days since 1970-01-01 UTC. */
  readonly day: number
}

export const DAY_MS = 86_400_000

/** A flow: who did, or wanted to do, what on which service. */
export interface Flow {
  readonly source: string
  readonly service: string
  readonly action: string | null
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  /** Days on which the flow was reported, at the server's end and at the client's. */
  readonly serverDays: ReadonlySet<number>
  readonly clientDays: ReadonlySet<number>
  readonly observations: readonly Observation[]
}

export const flowKey = ({ source, service, action }: Pick<Flow, 'source' | 'service' | 'action'>): string =>
  `${source}\n${service}\n${action ?? ''}`

/** Observations of the same flow together, the most frequent first. Both ends see one request, so the larger count is told. */
export function flowsOf(observations: Iterable<Observation>): Flow[] {
  const groups = new Map<string, Observation[]>()
  for (const observation of observations) {
    const key = flowKey(observation)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [observation])
    else group.push(observation)
  }
  return [...groups.values()].map(flowOf).sort((a, b) => b.count - a.count)
}

function flowOf(observations: readonly Observation[]): Flow {
  const at = (wanted: Observation['side']): readonly Observation[] => observations.filter(({ side }) => side === wanted)
  const [server, client] = [at('server'), at('client')]
  const sum = (some: readonly Observation[]): number => some.reduce((total, { count }) => total + count, 0)
  const { source, service, action } = observations[0] as Observation
  return {
    source,
    service,
    action,
    count: Math.max(sum(server), sum(client)),
    firstMs: observations.reduce((first, { firstMs }) => Math.min(first, firstMs), Infinity),
    lastMs: observations.reduce((last, { lastMs }) => Math.max(last, lastMs), 0),
    serverDays: new Set(server.map(({ day }) => day)),
    clientDays: new Set(client.map(({ day }) => day)),
    observations,
  }
}

/** Days on which both ends reported a flow: one end alone may be made up (SE-47). */
export const confirmedDays = ({ serverDays, clientDays }: Flow): number => serverDays.intersection(clientDays).size
