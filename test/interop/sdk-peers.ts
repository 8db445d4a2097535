import { Client, Metadata, type MethodDefinition, Server as GrpcServer, type sendUnaryData } from '@grpc/grpc-js'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { channelCredentials, serverCredentials } from '../../src/grpc/index.ts'
import type { IdMatcher } from '../../src/id/matcher.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { connectTls } from '../../src/tls/connect-tls.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsClient } from '../../src/tls/tls-client.ts'
import { tlsServer, type TlsServerOptions } from '../../src/tls/tls-server.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'

// Our ends of connections: servers that answer with the id of the client, and clients that give that answer back.

/** What both ends speak. */
export type Protocol = 'tls' | 'https' | 'h2' | 'grpc'

/** Our clients of each protocol; `options` are those that go into `tls.connect`, where the engine verifies first. */
export const clientsOf = {
  tls: ['tls', 'options'],
  https: ['https', 'fetch'],
  h2: ['h2'],
  grpc: ['grpc'],
} as const satisfies Record<Protocol, readonly string[]>
export type SdkClient = (typeof clientsOf)[Protocol][number]

/** `grpc.health.v1.Health`, whose messages are short enough to be written by hand; the id travels in the header. */
const check: MethodDefinition<Buffer, Buffer> = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
}
const SERVING = Buffer.from([0x08, 0x01])

/** A server of ours on a port of loopback. */
export interface SdkServer extends Disposable {
  readonly port: number
  /** Why peers were refused, in the order of their coming. */
  readonly refusals: Error[]
}

const idOf = (bearer: object): string => peerOf(bearer).id.toString()

export async function serveSdk(protocol: Protocol, source: TlsSource, allow: IdMatcher): Promise<SdkServer> {
  const refusals: Error[] = []
  const rules: TlsServerOptions = { allow, onRefused: (error) => refusals.push(error) }
  if (protocol === 'grpc') return { refusals, ...(await serveGrpc(source, rules)) }
  const server: Server = {
    tls: () => tls.createServer(tlsServer(source, rules), (socket) => socket.end(idOf(socket))),
    https: () => https.createServer(tlsServer(source, rules), (request, response) => response.end(idOf(request))),
    h2: () => http2.createSecureServer(tlsServer(source, rules), (request, response) => response.end(idOf(request))),
  }[protocol]()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, refusals, [Symbol.dispose]: () => server.close() }
}

async function serveGrpc(
  source: TlsSource,
  rules: TlsServerOptions,
): Promise<{ readonly port: number; readonly [Symbol.dispose]: () => void }> {
  const server = new GrpcServer()
  server.addService(
    { check },
    {
      check: (
        call: Parameters<typeof peerOf>[0] & { sendMetadata(header: Metadata): void },
        answer: sendUnaryData<Buffer>,
      ) => {
        const header = new Metadata()
        header.set('peer', idOf(call))
        call.sendMetadata(header)
        answer(null, SERVING)
      },
    },
  )
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync('127.0.0.1:0', serverCredentials(source, rules), (error, port) =>
    error === null ? resolve(port) : reject(error),
  )
  return { port: await promise, [Symbol.dispose]: () => server.forceShutdown() }
}

/** Asks a server who it takes us for. */
export async function dialSdk(client: SdkClient, source: TlsSource, port: number, server: IdMatcher): Promise<string> {
  const [origin, to] = [`https://127.0.0.1:${port}`, { host: '127.0.0.1', port }]
  switch (client) {
    case 'tls': {
      const { socket } = await connectTls(source, { to, server })
      return text(socket)
    }
    case 'options': {
      const socket = tls.connect({ ...to, ...tlsClient(source, { server }) })
      await once(socket, 'secureConnect')
      return text(socket)
    }
    case 'https': {
      const agent = httpsAgent(source, { server })
      const [response] = (await once(https.get(origin, { agent }), 'response')) as [IncomingMessage]
      return text(response).finally(() => agent.destroy())
    }
    case 'fetch': {
      await using ours = dispatcher(source, { server })
      const response = await fetch(origin, { dispatcher: ours }).catch((error: Error) => {
        throw error.cause
      })
      return await response.text()
    }
    case 'h2': {
      const session = await connectHttp2(source, origin, { server })
      return text(session.request({ ':path': '/' })).finally(() => session.destroy())
    }
    case 'grpc':
      return dialGrpc(source, port, server)
  }
}

async function dialGrpc(source: TlsSource, port: number, server: IdMatcher): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, channelCredentials(source, { server }))
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  client
    .makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, Buffer.alloc(0), (error) => {
      if (error !== null) reject(error)
    })
    .on('metadata', (header) => resolve(String(header.get('peer')[0])))
  return promise.finally(() => client.close())
}
