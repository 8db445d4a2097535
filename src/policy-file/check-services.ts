import { overlapsOf } from '../policy/action-table.ts'
import type { Matcher, Service } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import type { PolicyIndex } from './policy-index.ts'

type Path = readonly PropertyKey[]

/** Listeners and actions of services, and where they are. @see zones.md ZO-41 */
export function* checkServices(index: PolicyIndex): Generator<Found> {
  for (const [at, service] of index.set.services.entries()) {
    const path = ['services', at]
    yield* checkListeners(service, [...path, 'listeners'])
    yield* checkMatchers(service, [...path, 'actions'])
    if (index.serviceZones(service).length === 0)
      yield {
        code: 'SERVICE_UNPLACED',
        path: [...path, 'identity'],
        message: `${service.identity} is in no zone`,
      }
  }
}

function* checkListeners({ listeners }: Service, path: Path): Generator<Found> {
  const names = new Set<string>()
  const ports = new Set<number>()
  for (const [at, { name, port }] of listeners.entries()) {
    const repeated = names.has(name) ? `the name "${name}"` : ports.has(port) ? `port ${port}` : undefined
    if (repeated !== undefined)
      yield { code: 'LISTENER_REPEATED', path: [...path, at], message: `${repeated} has a listener already` }
    names.add(name)
    ports.add(port)
  }
}

function* checkMatchers({ actions, listeners }: Service, path: Path): Generator<Found> {
  const spoken = new Set(listeners.map(({ protocol }) => protocol))
  for (const { name, match } of actions) {
    const unheard = match.find((matcher) => !spoken.has(protocolOf(matcher)))
    if (unheard !== undefined)
      yield {
        code: 'ACTION_WITHOUT_LISTENER',
        path: [...path, name],
        message: `no listener speaks ${protocolOf(unheard)}`,
      }
  }
  for (const { a, b } of overlapsOf(actions))
    yield {
      code: 'MATCHERS_OVERLAP',
      path: [...path, b.action],
      message: `${printMatcher(b.matcher)} could also be ${a.action}: ${printMatcher(a.matcher)}`,
    }
}

const protocolOf = ({ kind }: Matcher): 'http' | 'grpc' | 'tcp' => (kind === 'connect' ? 'tcp' : kind)

function printMatcher(matcher: Matcher): string {
  if (matcher.kind === 'http') return `${matcher.methods.join(',')} ${matcher.path}`
  return matcher.kind === 'grpc' ? matcher.rpc : 'a connection'
}
