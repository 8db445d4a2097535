import type { Call } from './call.ts'
import type { Method, MethodKind, Methods, Sent, Service } from './service.ts'

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

export interface ClientOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds from now. */
  readonly timeoutMs?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

type ClientMethod<M> =
  M extends Method<infer K, infer Q, infer R>
    ? K extends 'unary'
      ? (request: Sent<Q>, options?: ClientOptions) => Promise<R>
      : K extends 'serverStream'
        ? (request: Sent<Q>, options?: ClientOptions) => AsyncIterable<R>
        : K extends 'clientStream'
          ? (requests: AsyncIterable<Sent<Q>>, options?: ClientOptions) => Promise<R>
          : (requests: AsyncIterable<Sent<Q>>, options?: ClientOptions) => AsyncIterable<R>
    : never

/** A service at the other end, as functions. Errors arrive as the SallyportError that was thrown there, or as `RpcError`. */
export type Client<S> = S extends Service<infer M> ? { readonly [K in keyof M]: ClientMethod<M[K]> } : never

/** A service with its handlers, types erased, as `serve` takes them. Made by `implement`. */
export interface Implementation {
  readonly service: Service
  readonly handlers: Readonly<Record<string, unknown>>
}

export function implement<M extends Methods>(service: Service<M>, handlers: Handlers<Service<M>>): Implementation {
  return { service, handlers: handlers as Implementation['handlers'] }
}

/** Something that clients can be made from: a gRPC channel, or a simulated network. */
export interface Transport {
  client<M extends Methods>(service: Service<M>): Client<Service<M>>
  close(): Promise<void>
}

export type AnyMethod = Method<MethodKind, unknown, unknown>
