import type { MessageType } from './message-type.ts'

/** How many messages each side of a method sends. */
export type MethodKind = 'unary' | 'serverStream' | 'clientStream' | 'bidi'

/** One method of a service. */
export interface Method<K extends MethodKind, Q, R> {
  /** As on the wire, such as `FetchX509SVID`. */
  readonly name: string
  readonly kind: K
  readonly request: MessageType<Q>
  readonly response: MessageType<R>
}

/** A method of which nothing more is known. */
export type AnyMethod = Method<MethodKind, unknown, unknown>

export type Methods = Readonly<Record<string, AnyMethod>>

/** A gRPC service: its full name and its methods by our own spelling. */
export interface Service<M extends Methods = Methods> {
  readonly name: string
  readonly methods: M
}

/** A message as it may be given to be sent: what is left out has its default value. */
export type Sent<T> = T extends Uint8Array
  ? Uint8Array
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer U)[]
      ? readonly Sent<U>[]
      : { readonly [K in keyof T]?: Sent<T[K]> | undefined }
