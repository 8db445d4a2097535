import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { parseAddress } from '../config/operations-fields.ts'
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

/** The sections of a configuration that say where to listen; what says nothing is not served. */
interface OperationsSections {
  readonly health: { readonly listen?: string | undefined }
  readonly metrics: { readonly listen?: string | undefined }
}

/** What was bound; undefined for a unix socket, and for what is not served. */
export interface OperationsPorts {
  readonly health: number | undefined
  readonly metrics: number | undefined
}

/**
 * Opens what a configuration asks for: one listener for both when they share an address. `parts` closes them.
 *
 * @throws {@link SallyportError} `SOCKET_IN_USE`, `ADDRESS_UNUSABLE`
 */
export async function openOperationsHttp(
  { health, metrics }: OperationsSections,
  options: Omit<OperationsHttpOptions, 'address' | 'serves'>,
  parts: AsyncDisposableStack,
): Promise<OperationsPorts> {
  const ports = new Map<string | undefined, number | undefined>()
  for (const listenAt of new Set([health.listen, metrics.listen])) {
    if (listenAt === undefined) continue
    const serves = { health: health.listen === listenAt, metrics: metrics.listen === listenAt }
    const http = parts.use(await OperationsHttp.open({ ...options, serves, address: addressOf(listenAt) }))
    ports.set(listenAt, http.port)
  }
  return { health: ports.get(health.listen), metrics: ports.get(metrics.listen) }
}

const addressOf = (listenAt: string): HttpAddress =>
  listenAt.startsWith('unix:') ? { path: listenAt.slice('unix:'.length) } : parseAddress(listenAt)

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
