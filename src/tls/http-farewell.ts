import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'

/** The first GOAWAY names no last stream: requests that are on their way to us while it is on its way to them are served. */
const LAST_STREAM_OF_ALL = 2 ** 31 - 1
/** By then it has arrived. */
const LAST_GOAWAY_AFTER_MS = 1_000

/**
 * How HTTP ends one connection without losing a request: HTTP/2 by a GOAWAY and, a moment later, another, after which the streams
 * that are open finish; HTTP/1.1 by `Connection: close` on the answer that is being made, or on the next one.
 *
 * @see RFC 9113 §6.8
 */
export class HttpFarewell {
  readonly #connection: Connection
  readonly #clock: Clock
  #session: ServerHttp2Session | undefined
  #response: ServerResponse | undefined

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
  }

  opened(session: ServerHttp2Session): void {
    this.#session = session
  }

  /** A request of HTTP/1.1, before anybody answers it. */
  requested({ httpVersionMajor }: IncomingMessage, response: ServerResponse): void {
    if (httpVersionMajor !== 1) return
    this.#response = response
    if (this.#connection.isDraining) closeAfter(response)
  }

  say(): void {
    const session = this.#session
    if (session !== undefined && !session.closed && !session.destroyed) {
      session.goaway(0, LAST_STREAM_OF_ALL)
      this.#clock.timer(LAST_GOAWAY_AFTER_MS, () => session.close())
    }
    if (this.#response !== undefined) closeAfter(this.#response)
  }
}

function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}
