import type { Server } from 'node:tls'
import { protect } from '../tls/tls-server.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { Enforcer, type EnforceOptions } from './enforcer.ts'

/**
 * Puts the policy between a server and its callers: a TLS, HTTPS or HTTP/2 server, with whatever listens to it. Connections are
 * let in by identity and zone, requests by rule; what is refused reaches no listener. Open connections are asked about again
 * whenever the answer may have changed. Call it before the server listens.
 *
 * Until the first policy is applied, and for a service that it does not know, everything is refused.
 *
 * For grpc-js and Fastify: {@link Enforcer}.
 *
 * @throws {@link SallyportError} `SERVER_NOT_PROTECTED`
 * @example
 * ```ts
 * await using source = await X509Source.open()
 * await using policy = await PolicySource.open()
 * const server = https.createServer(handler)
 * enforce(server, source, { service: 'orders', policy })
 * server.listen(8443)
 * ```
 * @see zones.md §3.5
 */
export function enforce(server: Server, source: TlsSource, options: EnforceOptions): Enforcer {
  const enforcer = new Enforcer(source, options)
  protect(server, source, enforcer.serverOptions)
  return enforcer
}
