import type { MethodDefinition } from '@grpc/grpc-js'

/** Who asks; the answer is who is asked. */
export const greet: MethodDefinition<string, string> = {
  path: '/soak.Greeter/Greet',
  requestStream: false,
  responseStream: false,
  requestSerialize: (text) => Buffer.from(text),
  requestDeserialize: (bytes) => bytes.toString(),
  responseSerialize: (text) => Buffer.from(text),
  responseDeserialize: (bytes) => bytes.toString(),
}

/** Where the service listens. */
export interface ServiceReady {
  readonly httpPort: number
  readonly grpcPort: number
}

/** What the service has seen so far. */
export interface ServiceReport {
  readonly opened: number
  /** Connections that it ended because they had expired: clients should have left before. */
  readonly expired: number
  /** Peers that it refused, by error code. */
  readonly refused: Readonly<Record<string, number>>
  /** Authorities that have signed what peers have shown. */
  readonly issuers: number
}

/** What the client has seen so far. */
export interface ClientReport {
  readonly sent: number
  readonly answered: number
  /** Failures by protocol and error code. */
  readonly failed: Readonly<Record<string, number>>
  /** Connections of their own, beside those that requests share. */
  readonly handshakes: number
  readonly p99Ms: number
  readonly health: string
}
