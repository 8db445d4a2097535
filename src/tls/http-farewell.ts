import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Connection } from './connection.ts'

/**
 * How HTTP ends one connection without losing a request: HTTP/2 by GOAWAY, after which the streams that are open finish;
 * HTTP/1.1 by `Connection: close` on the answer that is being made, or on the next one.
 */
export class HttpFarewell {
  readonly #connection: Connection
  #session: ServerHttp2Session | undefined
  #response: ServerResponse | undefined

  constructor(connection: Connection) {
    this.#connection = connection
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
    this.#session?.close()
    if (this.#response !== undefined) closeAfter(this.#response)
  }
}

function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}
