import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { enforce, PolicySource, X509Source } from '../src/index.ts'

/*
 * A service behind an enforcement point, as a user writes it: `orders` answers requests over HTTP/2, `queue` holds raw TLS
 * connections. Prints its port. The environment says where the agent is; the only argument is the service.
 */
const [service = ''] = process.argv.slice(2)
const isQueue = service === 'queue'
const [source, policy] = await Promise.all([
  X509Source.open({ picker: { spiffeId: `spiffe://example.org/shop/${service}` } }),
  PolicySource.open(),
])
const server = isQueue ? createServer({ ALPNProtocols: ['queue'] }) : createSecureServer({})
if (isQueue) server.on('secureConnection', (socket) => socket.on('error', () => undefined).resume())
else server.on('request', (_request, response) => response.end('served'))
const enforcer = enforce(server, source, { service, policy, port: isQueue ? 5432 : 8443 })
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }))
process.on('SIGTERM', () => {
  enforcer[Symbol.dispose]()
  process.exit(0)
})
