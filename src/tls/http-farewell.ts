import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Connection } from './connection.ts'

/**
 * How HTTP ends a connection without losing a request: HTTP/2 by GOAWAY, after which the streams that are open finish;
 * HTTP/1.1 by `Connection: close` on the answer that is being made, or on the next one.
 */
export class HttpFarewell {
  readonly #sessions = new WeakMap<Connection, ServerHttp2Session>()
  readonly #responses = new WeakMap<Connection, ServerResponse>()

  opened(connection: Connection, session: ServerHttp2Session): void {
    this.#sessions.set(connection, session)
  }

  /** A request of HTTP/1.1, before anybody answers it. */
  requested(connection: Connection, { httpVersionMajor }: IncomingMessage, response: ServerResponse): void {
    if (httpVersionMajor !== 1) return
    this.#responses.set(connection, response)
    if (connection.isDraining) closeAfter(response)
  }

  say(connection: Connection): void {
    const session = this.#sessions.get(connection)
    if (session !== undefined) session.close()
    const response = this.#responses.get(connection)
    if (response !== undefined) closeAfter(response)
  }
}

function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}
