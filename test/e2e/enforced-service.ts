import { once } from 'node:events'
import { createServer, request as httpsRequest, type Server as HttpsServer } from 'node:https'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect as tlsConnect, type Server, type TLSSocket } from 'node:tls'
import { text } from 'node:stream/consumers'
import { enforce } from '../../src/enforce/enforce.ts'
import type { Enforcer, EnforceOptions } from '../../src/enforce/enforcer.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { secureContextOf } from '../../src/tls/tls-options.ts'
import type { PolicySource } from '../../src/workload/policy-source.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { acme, idOf, rowsOf } from '../src/policy/acme.ts'

/** A service of the worked example behind an enforcement point, on a port of this machine. */
export class EnforcedService<S extends Server> implements AsyncDisposable {
  readonly agent = new PolicyAgent()
  readonly server: S
  readonly enforcer: Enforcer
  readonly policy: PolicySource
  readonly source: TestSource
  readonly port: number

  private constructor(server: S, source: TestSource, policy: PolicySource, agent: PolicyAgent, enforcer: Enforcer) {
    this.server = server
    this.source = source
    this.policy = policy
    this.agent = agent
    this.enforcer = enforcer
    this.port = (server.address() as AddressInfo).port
  }

  static async start<S extends Server>(
    server: S,
    { service = 'orders', path = '/ns/shop/sa/orders', policyPort = 8443, set = acme, ...options }: ServiceOptions = {},
  ): Promise<EnforcedService<S>> {
    const agent = new PolicyAgent()
    agent.apply(set, rowsOf(set), idOf(path))
    const policy = await agent.open()
    const home = await authority()
    const partners = [home, await partner()].map((one) => one.bundle())
    const source = new TestSource(await heldSvid(home, path), ...partners)
    const enforcer = enforce(server, source, { service, policy, port: policyPort, ...options })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new EnforcedService(server, source, policy, agent, enforcer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.enforcer.connections) connection.destroy('shutdown')
    this.server.close()
    this.enforcer[Symbol.dispose]()
    await this.policy.close()
  }
}

export interface ServiceOptions extends Partial<Omit<EnforceOptions, 'policy' | 'port'>> {
  readonly path?: string
  readonly policyPort?: number
  readonly set?: PolicySet
}

let home: Promise<TestAuthority> | undefined
let foreign: Promise<TestAuthority> | undefined
export const authority = (): Promise<TestAuthority> =>
  (home ??= TestAuthority.create({ trustDomain: acme.trustDomain }))
export const partner = (): Promise<TestAuthority> =>
  (foreign ??= TestAuthority.create({ trustDomain: 'partner.example' }))

export const svidOf = async (path: string, options: Parameters<typeof heldSvid>[2] = {}): Promise<X509Svid> =>
  heldSvid(await authority(), path, options)

/** An HTTPS server that answers everything it hears of. */
export function httpsService(handler: RequestListener = (_request, response) => response.end('served')): HttpsServer {
  return createServer({ ALPNProtocols: ['http/1.1'] }, handler)
}

/** A connection of a caller that verifies nothing: what is tested is what the server does. */
export async function connectAs(svid: X509Svid, port: number, alpn: string[] = ['http/1.1']): Promise<TLSSocket> {
  const socket = tlsConnect({
    ...{ host: '127.0.0.1', port, ALPNProtocols: alpn, secureContext: secureContextOf(svid) },
    rejectUnauthorized: false,
  })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

export interface Answer {
  readonly status: number
  readonly decision: string | undefined
  readonly body: string
}

export interface Call {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly socket?: TLSSocket
}

/** One request on a connection of its own, or on that of the call; the target goes out as it is. */
export async function callAs(svid: X509Svid, port: number, call: Call = {}): Promise<Answer> {
  const socket = call.socket ?? (await connectAs(svid, port))
  const request = httpsRequest({
    createConnection: () => socket,
    method: call.method ?? 'GET',
    path: '/',
    headers: { host: 'orders.shop.svc', ...call.headers },
  })
  // `node:http` would refuse some of these; what is tested are callers that do not.
  Object.assign(request, { path: call.path ?? '/v1/orders/1' })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const body = await text(response)
  return { status: response.statusCode ?? 0, decision: response.headers['x-sallyport-decision'] as string, body }
}

/** Sends bytes as they are, and returns everything that comes back until the other side closes or falls silent. */
export async function sendRaw(socket: TLSSocket, bytes: string, silentMs = 300): Promise<string> {
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  socket.write(bytes)
  for (let before = -1; ; before = answer.length) {
    const closed = new AbortController()
    await Promise.race([
      once(socket, 'close', { signal: closed.signal }).catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, silentMs)),
    ])
    closed.abort()
    if (socket.closed || (answer.length === before && answer.length > 0)) return answer
    if (answer.length === before) return answer
  }
}
