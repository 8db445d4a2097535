import type { Decision } from '../decision.ts'
import { decide } from '../decide.ts'
import { indexLifecycle } from '../lifecycle-index.ts'
import { NO_LIFECYCLE } from '../lifecycle.ts'
import type { HttpFacts, PolicyRequest } from '../request.ts'
import type { Matcher, Service } from '../policy-set.ts'
import type { Tables } from '../tables.ts'
import type { Observation } from './observed.ts'

/** What was seen, and what another policy would have said. */
export interface Replayed {
  readonly observation: Observation
  /** At the end that saw more. */
  readonly count: number
  readonly decision: Decision
}

export interface Simulation {
  readonly newlyDenied: readonly Replayed[]
  readonly newlyAllowed: readonly Replayed[]
  /** Requests whose decision stays. */
  readonly unchanged: number
  /** Requests that identity, lifecycle, a grant or break-glass decided: no policy text does. */
  readonly leftOut: number
}

const HOUR_MS = 3_600_000
const lifecycle = indexLifecycle(NO_LIFECYCLE)

/**
 * Decides what was seen by another policy: each distinct thing once, at the instant at which it was seen last. Raw paths are never
 * recorded, so a path of the same template is asked for.
 *
 * @see zones.md §4.6
 */
export function simulate(tables: Tables, observations: Iterable<Observation>): Simulation {
  const [newlyDenied, newlyAllowed]: Replayed[][] = [[], []]
  let [unchanged, leftOut] = [0, 0]
  for (const { observation, count } of distinct(observations)) {
    if (isLeftOut(observation)) {
      leftOut += count
      continue
    }
    const decision = decide(tables, lifecycle, requestOf(tables, observation))
    if (decision.decision === observation.decision) unchanged += count
    else (decision.decision === 'deny' ? newlyDenied : newlyAllowed)?.push({ observation, count, decision })
  }
  const byCount = (a: Replayed, b: Replayed): number => b.count - a.count
  return {
    newlyDenied: (newlyDenied ?? []).sort(byCount),
    newlyAllowed: (newlyAllowed ?? []).sort(byCount),
    unchanged,
    leftOut,
  }
}

/** Both ends, and every day, tell of the same thing. */
function distinct(observations: Iterable<Observation>): { observation: Observation; count: number }[] {
  const groups = Map.groupBy(observations, ({ source, service, action, route, port, protocol, decision }) =>
    JSON.stringify([source, service, action, route, port, protocol, decision]),
  )
  return [...groups.values()].map((group) => {
    const at = (wanted: Observation['side']): number =>
      group.reduce((sum, { side, count }) => (side === wanted ? sum + count : sum), 0)
    const latest = group.reduce((a, b) => (b.lastMs > a.lastMs ? b : a))
    return { observation: latest, count: Math.max(at('server'), at('client')) }
  })
}

function isLeftOut({ deniedBy, decision, wouldDeny, conduit, rule, action }: Observation): boolean {
  if (deniedBy === 'identity' || deniedBy === 'lifecycle') return true
  return decision === 'allow' && !wouldDeny && (conduit === null || (rule === null && action !== null))
}

function requestOf(
  tables: Tables,
  { source, service: id, port, protocol, lastMs, action, route }: Observation,
): PolicyRequest {
  const service = tables.services.get(id)?.service
  const listener = service?.listeners.find((one) => one.port === port)
  const spoken = protocol === 'tcp' || protocol === 'grpc' ? protocol : 'http'
  const request = spoken === 'tcp' || service === undefined ? undefined : httpOf(service, action, route)
  return {
    now: lastMs,
    policyAgeMs: 0,
    peer: { spiffeId: source, serialNumber: '1', notAfter: lastMs + HOUR_MS },
    service: id,
    connection: { port, protocol: spoken, alpn: listener?.alpn[0] ?? null, ip: null },
    ...(request === undefined ? {} : { request }),
  }
}

function httpOf({ actions, authorities }: Service, action: string | null, route: string | null): HttpFacts | undefined {
  if (route === null) return undefined
  const common = { authorities: authorities.slice(0, 1), methodOverride: null }
  // The action that it was comes first: another may have the same path by other methods.
  const matchers = [...actions]
    .sort((a, b) => Number(b.name === action) - Number(a.name === action))
    .flatMap(({ match }) => match)
  const known = matchers.find((matcher) => routeOf(matcher) === route)
  if (route.startsWith('/')) {
    const [method = 'GET', upgrade] = known?.kind === 'http' ? [known.methods[0], known.upgrade ?? null] : ['GET', null]
    return { ...common, method, target: pathLike(route), upgrade, isGrpc: false }
  }
  return { ...common, method: 'POST', target: `/${route}`, upgrade: null, isGrpc: true }
}

const routeOf = (matcher: Matcher): string | null =>
  matcher.kind === 'http' ? matcher.path : matcher.kind === 'grpc' ? matcher.rpc : null

/** `/v1/orders/{id}` → `/v1/orders/x`. */
const pathLike = (template: string): string => template.replaceAll(/\{[^}]*\}|\*\*|\*/g, 'x')
