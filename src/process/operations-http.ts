import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { SallyportError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { MetricRegistry } from '../metrics/registry.ts'
import { healthOf, type Check } from './readiness.ts'

/** Where to listen: `host:port`, or the path of a unix socket. */
export type HttpAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface OperationsHttpOptions {
  readonly address: HttpAddress
  readonly serves: { readonly health: boolean; readonly metrics: boolean }
  readonly live: readonly Check[]
  readonly ready: readonly Check[]
  readonly metrics: MetricRegistry
  readonly log: Log
}

const HEADERS_MAX_BYTES = 8192
const REQUEST_TIMEOUT_MS = 10_000
const CONNECTIONS_MAX = 64

/** Whatever watches a server or an agent asks here: `/live`, `/ready` and `/metrics`. It reads nothing but the path of a request. */
export class OperationsHttp implements AsyncDisposable {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** @throws {@link SallyportError} `SOCKET_IN_USE`, `ADDRESS_UNUSABLE` */
  static async open(options: OperationsHttpOptions): Promise<OperationsHttp> {
    // As an import `node:http` brings the whole of `fetch` and `WebSocket` with it: 5 MB, in processes that never use either.
    const { createServer } = process.getBuiltinModule('node:http')
    const server = createServer(
      { maxHeaderSize: HEADERS_MAX_BYTES, requestTimeout: REQUEST_TIMEOUT_MS },
      (req, res) => {
        answer(options, req, res).catch((error: unknown) => {
          options.log.error({ err: error }, 'Cannot answer a health or metrics request')
          if (!res.headersSent) res.writeHead(500)
          res.end()
        })
      },
    )
    server.maxConnections = CONNECTIONS_MAX
    await listen(server, options.address)
    return new OperationsHttp(server)
  }

  /** The port that was bound, for `:0`. */
  get port(): number | undefined {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
  }
}

async function answer(
  options: OperationsHttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume()
  const { health, metrics } = options.serves
  const path = request.url?.split('?')[0]
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n')
  if (health && path === '/live') return sendHealth(response, options.live)
  if (health && path === '/ready') return sendHealth(response, options.ready)
  if (metrics && path === '/metrics') {
    return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', options.metrics.print())
  }
  send(response, 404, 'text/plain', 'not found\n')
}

async function sendHealth(response: ServerResponse, checks: readonly Check[]): Promise<void> {
  const health = await healthOf(checks)
  send(response, health.ok ? 200 : 503, 'application/json', `${JSON.stringify(health)}\n`)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

async function listen(server: Server, address: HttpAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(address, resolve)
  try {
    await promise
  } catch (error) {
    const where = 'path' in address ? address.path : `${address.host}:${address.port}`
    const { code = 'failed' } = error as NodeJS.ErrnoException
    const isInUse = code === 'EADDRINUSE'
    throw new SallyportError(isInUse ? 'SOCKET_IN_USE' : 'ADDRESS_UNUSABLE', `Cannot listen on ${where}: ${code}`, {
      cause: error,
    })
  } finally {
    server.off('error', reject)
  }
}
