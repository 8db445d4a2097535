import type { Peer } from '../peer/peer.ts'

/** Who is at the other end, as far as the transport can prove it. One object per connection, so it can key a WeakMap. */
export type Connection =
  | {
      readonly transport: 'unix'
      readonly id: string
      readonly peer: Peer
      /** Aborts when the connection closes. */
      readonly closed: AbortSignal
    }
  | {
      readonly transport: 'tls'
      readonly id: string
      /** IP address of the peer; `unix` when it came over a unix socket. */
      readonly address: string
      /** The chain the client presented (DER, leaf first), possession of its key proven by the handshake; not yet verified further. */
      readonly presentedChain: readonly Buffer[] | undefined
      readonly closed: AbortSignal
    }

/** What a handler may know about the call it serves. Handlers never see gRPC. */
export interface Call {
  readonly connection: Connection
  /** Lower-case names. */
  readonly metadata: ReadonlyMap<string, readonly string[]>
  /** Aborts when the client cancels, its deadline passes, the connection closes or the process drains. */
  readonly signal: AbortSignal
  readonly requestId: string
  /** `/service/Method`. */
  readonly method: string
}
