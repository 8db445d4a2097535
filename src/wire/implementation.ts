import type { Call } from './call.ts'
import type { Method, Methods, Sent, Service } from './service.ts'

type Handler<M> =
  M extends Method<infer K, infer Q, infer R>
    ? K extends 'unary'
      ? (request: Q, call: Call) => Promise<Sent<R>>
      : K extends 'serverStream'
        ? (request: Q, call: Call) => AsyncIterable<Sent<R>>
        : K extends 'clientStream'
          ? (requests: AsyncIterable<Q>, call: Call) => Promise<Sent<R>>
          : (requests: AsyncIterable<Q>, call: Call) => AsyncIterable<Sent<R>>
    : never

/** The functions that serve a service; a method left out answers UNIMPLEMENTED. */
export type Handlers<S> = S extends Service<infer M> ? { readonly [K in keyof M]?: Handler<M[K]> } : never

/** A service with its handlers, types erased, as `serve` takes them. Made by {@link implement}. */
export interface Implementation {
  readonly service: Service
  readonly handlers: Readonly<Record<string, unknown>>
}

export function implement<M extends Methods>(service: Service<M>, handlers: Handlers<Service<M>>): Implementation {
  return { service, handlers: handlers as Implementation['handlers'] }
}
