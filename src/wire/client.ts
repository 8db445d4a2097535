import type { Method, Methods, Sent, Service } from './service.ts'

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

/** Something that clients can be made from: a gRPC channel, or a simulated network. */
export interface Transport {
  client<M extends Methods>(service: Service<M>): Client<Service<M>>
  close(): Promise<void>
}
