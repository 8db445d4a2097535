import { createServer, type RequestListener, type Server } from 'node:http'
import { SallyportError } from '../../src/errors.ts'
import type { MetricRegistry } from '../../src/metrics/registry.ts'

/** Where to listen: `host:port`, or the path of a unix socket. */
export type HttpAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface OperationsHttpOptions {
  readonly address: HttpAddress
  readonly serves: { readonly health: boolean; readonly metrics: boolean }
  /** Undefined when the agent can serve; else what it waits for. */
  readonly problem: () => string | undefined
  readonly metrics: MetricRegistry
}

const HEADERS_MAX_BYTES = 8192
const REQUEST_TIMEOUT_MS = 10_000
const CONNECTIONS_MAX = 64

/**
 * Answers `/live`, `/ready` and `/metrics`, reading nothing but the path of a request.
 *
 * @throws {@link SallyportError} `ADDRESS_UNUSABLE`
 */
export async function openOperationsHttp(
  options: OperationsHttpOptions,
): Promise<AsyncDisposable & { readonly port: number | undefined }> {
  const server = createServer(
    { maxHeaderSize: HEADERS_MAX_BYTES, requestTimeout: REQUEST_TIMEOUT_MS },
    answering(options),
  )
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, options.address)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}

function answering({ serves, problem, metrics }: OperationsHttpOptions): RequestListener {
  return (request, response) => {
    request.resume()
    const send = (status: number, body: string, type = 'application/json'): void => {
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      response.end(body)
    }
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'GET only\n', 'text/plain')
    if (serves.health && path === '/live') return send(200, '{"ok":true}\n')
    if (serves.health && path === '/ready') {
      const reason = problem()
      return send(reason === undefined ? 200 : 503, `${JSON.stringify({ ok: reason === undefined, reason })}\n`)
    }
    if (serves.metrics && path === '/metrics') {
      return send(200, metrics.print(), 'text/plain; version=0.0.4; charset=utf-8')
    }
    return send(404, 'not found\n', 'text/plain')
  }
}

async function listen(server: Server, address: HttpAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(address, resolve)
  try {
    await promise
  } catch (error) {
    const where = 'path' in address ? address.path : `${address.host}:${address.port}`
    const why = (error as NodeJS.ErrnoException).code
    throw new SallyportError('ADDRESS_UNUSABLE', `Cannot listen on ${where}: ${why}`, { cause: error })
  } finally {
    server.off('error', reject)
  }
}
