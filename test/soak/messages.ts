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

/** What a process holds after a collection. */
export interface Memory {
  readonly heapMb: number
  /** Buffers and what else hangs on objects outside of the heap. */
  readonly externalMb: number
}

/** Collects garbage first; processes of a soak are started with `--expose-gc`. */
export function memoryNow(): Memory {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return { heapMb: heapUsed / 2 ** 20, externalMb: external / 2 ** 20 }
}

/** What the service has seen so far. */
export interface ServiceReport extends Memory {
  readonly opened: number
  /** Connections that it ended because they had expired: clients should have left before. */
  readonly expired: number
  /** Peers that it refused, by error code. */
  readonly refused: Readonly<Record<string, number>>
  /** Authorities that have signed what peers have shown. */
  readonly issuers: number
}

/** What the client has seen so far. */
export interface ClientReport extends Memory {
  readonly sent: number
  readonly answered: number
  /** Failures by protocol and error code. */
  readonly failed: Readonly<Record<string, number>>
  /** Connections of their own, beside those that requests share. */
  readonly handshakes: number
  readonly p99Ms: number
  readonly health: string
}
