import { implement } from '../wire/implementation.ts'
import { spiffeWorkloadApiService } from '../wire/messages/spiffe-workload.ts'
import { type Route, routesOf } from '../wire/routes.ts'

type WorkloadHandlers = Parameters<typeof implement<(typeof spiffeWorkloadApiService)['methods']>>[1]

/** The Workload API by its functions; an answer that is bytes already goes out as it is. */
export function fakeRoutes(handlers: WorkloadHandlers): ReadonlyMap<string, Route> {
  const routes = routesOf([implement(spiffeWorkloadApiService, handlers)])
  return new Map([...routes].map(([path, route]) => [path, { ...route, codec: rawCodec(route.codec) }]))
}

const rawCodec = (codec: Route['codec']): Route['codec'] => ({
  ...codec,
  encodeResponse: (message) => (Buffer.isBuffer(message) ? message : codec.encodeResponse(message)),
})
