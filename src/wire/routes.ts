import { type MethodCodec, methodCodec } from './codec.ts'
import type { Implementation } from './implementation.ts'
import type { AnyMethod } from './service.ts'

/** A method that is served: where, how its bytes are read, and by which function. */
export interface Route {
  readonly path: string
  readonly kind: AnyMethod['kind']
  /** Undefined: the service is known, the method is not offered. */
  readonly handler: unknown
  readonly codec: MethodCodec
}

/** All methods of these services by path. */
export function routesOf(implementations: readonly Implementation[]): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>()
  for (const { service, handlers } of implementations) {
    for (const [key, method] of Object.entries(service.methods)) {
      const codec = methodCodec(service, method)
      const { path } = codec
      const handler = handlers[key]
      const known = routes.get(path)
      if (known?.handler !== undefined && handler !== undefined) throw new TypeError(`Two handlers for ${path}`)
      if (known?.handler !== undefined) continue
      routes.set(path, { path, kind: method.kind, handler, codec })
    }
  }
  return routes
}
