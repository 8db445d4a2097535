import { Client } from '@grpc/grpc-js'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import type { ClientHttp2Session } from 'node:http2'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { channelCredentials } from '../../src/grpc/index.ts'
import type { IdMatcher } from '../../src/id/matcher.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { connectTls } from '../../src/tls/connect-tls.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'
import { greet, type ServiceReady } from './messages.ts'

/** A way to ask the service who it takes us for. */
export type Way = readonly [name: string, ask: () => Promise<string>]

/** The ways that the SDK has, each with the connections that it keeps; `handshake` opens one for each request. */
export function waysToAsk(source: TlsSource, server: IdMatcher, { httpPort, grpcPort }: ServiceReady): readonly Way[] {
  const origin = `https://127.0.0.1:${httpPort}`
  const agent = httpsAgent(source, { server })
  const orders = dispatcher(source, { server })
  const grpc = new Client(`127.0.0.1:${grpcPort}`, channelCredentials(source, { server }))
  let session: Promise<ClientHttp2Session> | undefined
  return [
    ['HTTP/1.1', () => answerOf(https.get(origin, { agent }))],
    ['fetch', async () => (await fetch(origin, { dispatcher: orders })).text()],
    ['HTTP/2', async () => text((await openSession()).request({ ':path': '/' }))],
    ['gRPC', call],
    ['handshake', newConnection],
  ]

  function answerOf(request: ClientRequest): Promise<string> {
    return new Promise((resolve, reject) => {
      request.once('response', (response: IncomingMessage) => void text(response).then(resolve, reject))
      request.once('error', reject)
    })
  }

  async function openSession(): Promise<ClientHttp2Session> {
    const current = session
    const held = await current?.catch(() => undefined)
    if (held !== undefined && !held.closed && !held.destroyed) return held
    // The first one to find it closed opens the next.
    if (session === current) session = connectHttp2(source, origin, { server })
    return session!
  }

  function call(): Promise<string> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = greet
      grpc.makeUnaryRequest(path, requestSerialize, responseDeserialize, 'hello', (error, answer) =>
        error === null ? resolve(answer!) : reject(error),
      )
    })
  }

  async function newConnection(): Promise<string> {
    const to = { host: '127.0.0.1', port: httpPort }
    const { socket } = await connectTls(source, { to, server, alpnProtocols: ['http/1.1'] })
    return answerOf(http.get({ createConnection: () => socket }))
  }
}
