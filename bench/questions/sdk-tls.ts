import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls, { type SecureContextOptions, type TLSSocket } from 'node:tls'
import { memberOf } from '../../src/id/matcher.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { connectTls } from '../../src/tls/connect-tls.ts'
import { dispatcher, type FetchDispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import { printPem } from '../../src/x509/pem.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../../test/fakes/test-source.ts'
import { ask } from '../ask.ts'
import { type Comparison, sideBySide, type Way } from '../side-by-side.ts'

const CONNECTIONS = 8
const members = memberOf('example.org')

/** The same certificates twice: held by sources, and read from files. */
const authority = await TestAuthority.create()
const [web, db] = await Promise.all([heldSvid(authority, '/web'), heldSvid(authority, '/db')])
const [webSource, dbSource] = [web, db].map((svid) => new TestSource(svid, authority.bundle())) as [
  TestSource,
  TestSource,
]
const [webFiles, dbFiles] = [web, db].map(filesOf) as [SecureContextOptions, SecureContextOptions]

function filesOf(svid: typeof web): SecureContextOptions {
  const folder = mkdtempSync(join(tmpdir(), 'bench-tls-'))
  const write = (name: string, text: string | Buffer): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const ca = write('ca.pem', printPem([authority.certificate]))
  const cert = write('cert.pem', printPem(svid.chain))
  const key = write('key.pem', svid.privateKey!.export({ type: 'pkcs8', format: 'pem' }))
  const read = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
  rmSync(folder, { recursive: true })
  return { ...read, minVersion: 'TLSv1.3' }
}

const plainServer = { ...dbFiles, requestCert: true, rejectUnauthorized: true }
const ownServer = tlsServer(dbSource, { allow: members })
// An SVID names no host; whoever uses plain TLS with them looks at the SAN instead.
const plainClient = {
  secureContext: tls.createSecureContext(webFiles),
  checkServerIdentity: (_host: string, { subjectaltname }: tls.PeerCertificate) =>
    subjectaltname?.startsWith('URI:spiffe://example.org/') === true ? undefined : new Error('another'),
}

async function listen<S extends Server>(server: S): Promise<S> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port
const originOf = (server: Server): string => `https://127.0.0.1:${portOf(server)}`

/** Connects, and waits until the server has accepted and said goodbye. */
async function goodbye(socket: TLSSocket): Promise<void> {
  socket.resume()
  await once(socket, 'close')
}

async function handshakes(isFresh: boolean, seconds: number): Promise<Comparison> {
  const accept = (socket: TLSSocket): void => void socket.end('x')
  const [plain, own] = await Promise.all([
    listen(tls.createServer(plainServer, accept)),
    listen(tls.createServer(ownServer, accept)),
  ])
  const result = await sideBySide(
    {
      operation: async () => {
        const socket = tls.connect({ port: portOf(plain), host: '127.0.0.1', ...plainClient })
        await once(socket, 'secureConnect')
        await goodbye(socket)
      },
    },
    {
      operation: async () => {
        // A bundle that is another object: nobody's verification is remembered, on either side.
        if (isFresh) for (const source of [webSource, dbSource]) source.use(source.current().svid, authority.bundle())
        const { socket } = await connectTls(webSource, {
          to: { host: '127.0.0.1', port: portOf(own) },
          server: members,
        })
        await goodbye(socket)
      },
    },
    seconds,
    4,
  )
  for (const server of [plain, own]) server.close()
  return result
}

const payload = Buffer.alloc(1_000, 'x')

async function requestsHttps(seconds: number): Promise<Comparison> {
  const handler: RequestListener = (_request, response) => response.end(payload)
  const [plain, own] = await Promise.all([
    listen(https.createServer(plainServer, handler)),
    listen(https.createServer(ownServer, handler)),
  ])
  const agents = [
    new https.Agent({ keepAlive: true, maxSockets: CONNECTIONS, ...plainClient }),
    httpsAgent(webSource, { server: members, agent: { maxSockets: CONNECTIONS } }),
  ] as const
  const way = (server: Server, agent: https.Agent): Way => ({
    operation: () =>
      new Promise((resolve, reject) => {
        const request = https.get({ host: '127.0.0.1', port: portOf(server), agent }, (response) => {
          response.resume().once('end', resolve)
        })
        request.once('error', reject)
      }),
  })
  const result = await sideBySide(way(plain, agents[0]), way(own, agents[1]), seconds, CONNECTIONS)
  for (const agent of agents) agent.destroy()
  for (const server of [plain, own]) server.close()
  return result
}

async function requestsHttp2(seconds: number): Promise<Comparison> {
  const serve = (stream: http2.ServerHttp2Stream): void => {
    stream.respond({ ':status': 200 })
    stream.end(payload)
  }
  const [plain, own] = await Promise.all([
    listen(http2.createSecureServer(plainServer).on('stream', serve)),
    listen(http2.createSecureServer(ownServer).on('stream', serve)),
  ])
  const sessions = [
    http2.connect(originOf(plain), plainClient),
    await connectHttp2(webSource, originOf(own), { server: members }),
  ] as const
  const way = (session: http2.ClientHttp2Session): Way => ({
    operation: async () => {
      const stream = session.request({ ':path': '/' })
      stream.resume()
      await once(stream, 'end')
    },
  })
  const result = await sideBySide(way(sessions[0]), way(sessions[1]), seconds, 32)
  for (const session of sessions) session.destroy()
  for (const server of [plain, own]) server.close()
  return result
}

async function requestsFetch(seconds: number): Promise<Comparison> {
  const [plain, own] = await Promise.all([
    listen(https.createServer(plainServer, (_request, response) => response.end(payload))),
    listen(https.createServer(ownServer, (_request, response) => response.end(payload))),
  ])
  const Agent = Object.getPrototypeOf(Object.getPrototypeOf(dispatcher(webSource, { server: members })))
    .constructor as new (options: object) => FetchDispatcher
  const way = (server: Server, used: FetchDispatcher): Way => ({
    operation: async () => {
      const answer = await fetch(originOf(server), { dispatcher: used })
      await answer.arrayBuffer()
    },
  })
  const result = await sideBySide(
    way(plain, new Agent({ connect: plainClient, connections: CONNECTIONS })),
    way(own, dispatcher(webSource, { server: members, agentOptions: { connections: CONNECTIONS } })),
    seconds,
    CONNECTIONS,
  )
  for (const server of [plain, own]) server.close()
  return result
}

await ask(
  'mutual TLS with SVIDs beside plain node:tls with the same certificates from files, both sides in one process',
  async ({ seconds, add }) => {
    const row = (name: string, { ratio, plainMicros, oursMicros }: Comparison, atLeast: number): void =>
      add(
        { name, value: ratio * 100, unit: '% of plain', atLeast },
        { name: '… plain: CPU of both sides', value: plainMicros, unit: 'µs' },
        { name: '… SVIDs: CPU of both sides', value: oursMicros, unit: 'µs' },
      )
    row('handshakes, peers verified before', await handshakes(false, seconds), 97)
    row('handshakes, peers never seen', await handshakes(true, seconds), 85)
    row('requests, https', await requestsHttps(seconds), 95)
    row('requests, http2', await requestsHttp2(seconds), 95)
    row('requests, fetch', await requestsFetch(seconds), 95)
  },
  { needsPackage: false },
)
