/** How much of one process a client, or all of them, may take. Every number is a default that configuration may change. */
export interface WireLimits {
  /** Of one message, decompressed. */
  readonly messageBytes: number
  /** Of one connection at a time. */
  readonly streamsPerConnection: number
  /** Of all headers of one call. */
  readonly headerListBytes: number
  /** What one connection may make us hold, in MiB: streams, header tables, queued data. Whole numbers only. */
  readonly sessionMemoryMib: number
  /** In all. */
  readonly connections: number
  /** Of one user of a unix socket; streams count over all of the user's connections. */
  readonly connectionsPerUid: number
  readonly streamsPerUid: number
  /** New TLS connections of one address: refilled every second, and how many may come at once. */
  readonly handshakesPerSecond: number
  readonly handshakeBurst: number
  /** TLS handshakes that run at the same time, over all addresses. */
  readonly handshakesPending: number
  readonly handshakeTimeoutMs: number
  /** Until the single request of a unary or server-streaming call must have arrived. */
  readonly requestTimeoutMs: number
  /** A client that sends nothing for so long is asked whether it is there, and dropped when it does not answer in time. */
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
}

export const defaultLimits: WireLimits = {
  messageBytes: 4 * 1024 * 1024,
  streamsPerConnection: 1000,
  headerListBytes: 16 * 1024,
  sessionMemoryMib: 10,
  connections: 20_000,
  connectionsPerUid: 1024,
  streamsPerUid: 1024,
  handshakesPerSecond: 300,
  handshakeBurst: 1000,
  handshakesPending: 512,
  handshakeTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
}
