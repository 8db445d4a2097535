import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { createServer, request as httpsRequest, type Server } from 'node:https'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import express from 'express'
import { fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import { SallyportError } from '../../src/errors.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import { checkResponseSignature, findSignature } from '../../src/wit/check-signature.ts'
import { checkContentDigest } from '../../src/wit/content-digest.ts'
import { HeaderFields } from '../../src/wit/header-fields.ts'
import { requireWit, type RequireWitOptions } from '../../src/wit/require-wit.ts'
import { signRequest } from '../../src/wit/sign-message.ts'
import { verifyWitSvid } from '../../src/wit/verify-wit-svid.ts'
import { proofTokenHeaders, signatureHeaders, witFetch, type WitFetchOptions } from '../../src/wit/wit-fetch.ts'
import type { WitIdentity } from '../../src/wit/wit-identity.ts'
import { witPeerOf } from '../../src/wit/wit-peer.ts'
import { WitSource } from '../../src/workload/wit-source.ts'
import { X509Source } from '../../src/workload/x509-source.ts'
import { House } from './house.ts'
import { Listeners, originOf, portOf, type TlsParties, tlsParties } from './tls-parties.ts'

// Requests over real connections between a client that proves who it is and a server that checks it.

const allow = memberOf('example.org')
const signer = exactly('spiffe://example.org/db')

let parties: TlsParties
let web: WitIdentity
let db: WitIdentity
let listeners: Listeners

beforeAll(async () => {
  parties = await tlsParties()
  const bundles = bundleSetOf([parties.home.bundleWithWit()])
  web = { svid: await parties.home.issueWit('/web'), bundles }
  db = { svid: await parties.home.issueWit('/db'), bundles }
  listeners = new Listeners()
})
afterAll(() => listeners?.[Symbol.dispose]())

const webSource = { current: () => web }
const signWith = { current: () => db }
const bundleSource = () => ({ bundles: db.bundles })

/** A client of this origin with mutual TLS below, whose requests prove who asks. */
function client(options: WitFetchOptions = {}): typeof fetch {
  const below = dispatcher(parties.webSource, { server: exactly('spiffe://example.org/db') })
  onTestFinished(() => (below as unknown as { destroy(): Promise<void> }).destroy())
  return witFetch(webSource, { fetch: (input, init) => fetch(input, { ...init, dispatcher: below }), ...options })
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** A server with mutual TLS that lets in who proves itself for its address. */
async function serve(handler: Handler, options: Partial<RequireWitOptions> = {}): Promise<Server> {
  const refused: string[] = []
  const server = await listeners.listen(createServer(tlsServer(parties.dbSource, { allow })))
  const onRefused = (error: Error): void =>
    void refused.push(error instanceof SallyportError ? error.code : error.message)
  const check = requireWit(bundleSource(), { origins: [originOf(server)], allow, signWith, onRefused, ...options })
  server.on('request', (request, response) => {
    void check(request, response).then((mayGoOn) => (mayGoOn ? handler(request, response) : undefined))
  })
  return Object.assign(server, { refused })
}

const hello: Handler = (request, response) => response.end(`hello ${witPeerOf(request).spiffeId}`)

/** A request as somebody sends it who does not use `fetch`. */
async function raw(server: Server, headers: Readonly<Record<string, string>>, body = '', path = '/') {
  const { privateKey, chain } = parties.web
  const request = httpsRequest({
    host: '127.0.0.1',
    port: portOf(server),
    path,
    method: body === '' ? 'GET' : 'POST',
    headers,
    key: privateKey!.export({ type: 'pkcs8', format: 'pem' }),
    cert: chain.map(({ der }) => pem(der)).join(''),
    ca: pem(parties.home.certificate.der),
    checkServerIdentity: () => undefined,
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { status: response.statusCode, text, headers: response.headers }
}
const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`

describe('over https', () => {
  test('WP-02 WP-15 WI-29 a caller is known by its WIT-SVID and a proof token', async () => {
    const server = await serve(hello)
    const ask = client()
    const answer = await ask(`${originOf(server)}/a/b?q=1`, { method: 'POST', body: 'x'.repeat(100_000) })
    expect([answer.status, await answer.text()]).toEqual([200, 'hello spiffe://example.org/web'])
    expect((await ask(`${originOf(server)}/`)).status).toBe(200)
  })

  test('WI-23 WP-14 whoever has a connection and no proof gets 400', async () => {
    const server = await serve(hello)
    const { status, text, headers } = await raw(server, {})
    expect([status, JSON.parse(text)]).toEqual([
      400,
      expect.objectContaining({ code: 'WIT_PROOF_MISSING', status: 400 }),
    ])
    expect(headers).not.toHaveProperty('www-authenticate')
    expect((await raw(server, { 'workload-identity-token': web.svid.token })).status).toBe(400)
    expect((await raw(server, { authorization: `Bearer ${web.svid.token}` })).status).toBe(400)
  })

  test('WP-10 HS-11 what was sent once is refused when it is sent again, and at another path', async () => {
    const server = await serve(hello)
    const url = `${originOf(server)}/a`
    for (const headers of [
      await proofTokenHeaders(webSource, { url }),
      await signatureHeaders(webSource, { method: 'GET', url }),
    ]) {
      expect((await raw(server, headers, '', '/b')).status).toBe(400)
      expect((await raw(server, headers, '', '/a')).text).toBe('hello spiffe://example.org/web')
      expect(JSON.parse((await raw(server, headers, '', '/a')).text)).toMatchObject({ code: 'WIT_PROOF_REPLAYED' })
    }
  })

  test('WP-07 another Host changes nothing', async () => {
    const server = await serve(hello)
    const forged = await proofTokenHeaders(webSource, { url: 'https://victim.test/' })
    const { status, text } = await raw(server, { ...forged, host: 'victim.test' })
    expect([status, JSON.parse(text)]).toEqual([400, expect.objectContaining({ code: 'WIT_PROOF_AUDIENCE' })])
  })

  test('HS-01 HS-03 a signed request arrives with its body, and an altered one does not', async () => {
    const bodies: (string | undefined)[] = []
    const server = await serve((request, response) => {
      bodies.push(witPeerOf(request).body?.toString())
      response.end('ok')
    })
    const ask = client({ proof: 'signature' })
    const body = JSON.stringify({ amount: 1 })
    expect((await ask(`${originOf(server)}/`, { method: 'POST', body })).status).toBe(200)
    expect((await ask(`${originOf(server)}/`)).status).toBe(200)
    expect(bodies).toEqual([body, ''])
    const url = `${originOf(server)}/`
    const headers = await signatureHeaders(webSource, { method: 'POST', url, body: Buffer.from(body) })
    const { status, text } = await raw(server, headers, JSON.stringify({ amount: 9 }))
    expect([status, JSON.parse(text)]).toEqual([400, expect.objectContaining({ code: 'CONTENT_DIGEST_INVALID' })])
    expect(bodies).toHaveLength(2)
  })

  test('HS-03 a body that is too long is refused with 413, and the connection goes on', async () => {
    const server = await serve(hello, { maxBodyBytes: 10_000 })
    const ask = client({ proof: 'signature' })
    const answer = await ask(`${originOf(server)}/`, { method: 'POST', body: 'x'.repeat(500_000) })
    expect([answer.status, await answer.json()]).toEqual([413, expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' })])
    expect((await ask(`${originOf(server)}/`, { method: 'POST', body: 'x'.repeat(10_000) })).status).toBe(200)
  })

  test('HS-03 a body in pieces, without a length, is signed and checked as a whole', async () => {
    const server = await serve((request, response) => response.end(witPeerOf(request).body))
    const url = `${originOf(server)}/`
    const body = 'piece by piece'
    const headers = await signatureHeaders(webSource, { method: 'POST', url, body: Buffer.from(body) })
    const { text } = await raw(server, { ...headers, 'transfer-encoding': 'chunked' }, body)
    expect(text).toBe(body)
  })
})

describe('frameworks get the body that was signed', () => {
  const order = JSON.stringify({ amount: 1 })
  const init = { method: 'POST', body: order, headers: { 'content-type': 'application/json' } }
  const demanding: WitFetchOptions = { proof: 'signature', signResponse: true, server: signer }

  test('HS-03 Express', async () => {
    const app = express()
    app.post('/orders', (request, response) => {
      response.json({ got: JSON.parse(String(witPeerOf(request).body)) as unknown })
    })
    const server = await serve(app as unknown as RequestListener)
    const answer = await client(demanding)(`${originOf(server)}/orders`, init)
    expect([answer.status, await answer.json()]).toEqual([200, { got: { amount: 1 } }])
  })

  test('HS-03 Fastify, whose parsers are given it', async () => {
    let listener: RequestListener = () => undefined
    const server = await serve((request, response) => listener(request, response))
    const app = fastify({
      serverFactory: (handler) => {
        listener = handler
        return server as never
      },
    })
    app.addHook('preParsing', (request, _reply, payload, done) => {
      const { body } = witPeerOf(request.raw)
      done(null, body === undefined ? payload : Readable.from([body]))
    })
    app.post('/orders', (request) => ({ got: request.body }))
    await app.ready()
    const answer = await client(demanding)(`${originOf(server)}/orders`, init)
    expect([answer.status, await answer.json()]).toEqual([200, { got: { amount: 1 } }])
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
    const byToken = await client()(`${originOf(server)}/orders`, init)
    expect([byToken.status, await byToken.json()]).toEqual([200, { got: { amount: 1 } }])
  })
})

describe('signed answers over https', () => {
  const demanding: WitFetchOptions = { proof: 'signature', signResponse: true, server: signer }
  const ask = async (handler: Handler, init: RequestInit = {}, options: Partial<RequireWitOptions> = {}) => {
    const server = await serve(handler, options)
    const answer = await client(demanding)(`${originOf(server)}/`, init)
    const { refused } = server as Server & { refused: readonly string[] }
    return { answer, text: await answer.text(), refused, server }
  }

  test.for<readonly [string, Handler, string]>([
    ['at once', (_, response) => response.end('hello'), 'hello'],
    ['nothing', (_, response) => response.end(), ''],
    [
      'in pieces',
      (_, response) => {
        response.write('he')
        response.write('bGxv', 'base64', () => response.end())
      },
      'hello',
    ],
    [
      'with writeHead and headers',
      (_, response) => response.writeHead(200, 'Fine', { 'Content-Type': 'text/x', 'X-Two': ['a', 'b'] }).end('hello'),
      'hello',
    ],
    [
      'with writeHead and a list',
      (_, response) => response.writeHead(200, ['Content-Type', 'text/x', 'X-One', 'a']).end(Buffer.from('hello')),
      'hello',
    ],
    [
      'with the headers of a stream',
      (_, response) => {
        response.writeHead(200, { 'Transfer-Encoding': 'chunked', Trailer: 'x-sum', 'Content-Length': '1' })
        response.write('hello')
        response.addTrailers({ 'x-sum': '1' })
        response.end()
      },
      'hello',
    ],
    ['from a stream', (_, response) => Readable.from(['he', 'llo']).pipe(response), 'hello'],
    [
      'and more after its end',
      (_, response) => {
        response.end('hello')
        response.statusCode = 500
        if (!response.headersSent) response.setHeader('content-type', 'text/evil')
      },
      'hello',
    ],
  ])('HS-02 HS-07 an answer is signed: %s', async ([, handler, expected]) => {
    const { answer, text } = await ask(handler)
    expect([answer.status, text]).toEqual([200, expected])
    expect(answer.headers.get('content-type')).not.toBe('text/evil')
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
  })

  test.for<readonly [string, string[] | [string, string][]]>([
    ['names and values in turn', ['Set-Cookie', 'a=1', 'X-One', 'a', 'set-cookie', 'b=2']],
    [
      'pairs',
      [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
      ],
    ],
  ])('HS-02 a header that writeHead is given twice is sent twice: %s', async ([, headers]) => {
    const { answer } = await ask((_, response) => response.writeHead(200, headers as string[]).end('hello'))
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
  })

  test.for([201, 204, 302, 304, 404, 500])('HS-02 so is one of status %s', async (status) => {
    const { answer } = await ask((_, response) => response.writeHead(status, { location: '/x' }).end())
    expect([answer.status, answer.headers.get('location')]).toEqual([status, '/x'])
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
  })

  test('HS-02 to HEAD the head alone', async () => {
    const { answer, text } = await ask((_, response) => response.end('not sent'), { method: 'HEAD' })
    expect([answer.status, text, witPeerOf(answer).spiffeId.path]).toEqual([200, '', '/db'])
  })

  test('HS-02 an application of Express signs its answers without knowing', async () => {
    const app = express()
    app.get('/json', (request, response) => {
      response.cookie('a', '1').cookie('b', '2')
      response.json({ caller: witPeerOf(request).spiffeId.toString() })
    })
    const server = await serve(app as unknown as RequestListener)
    const answer = await client(demanding)(`${originOf(server)}/json`)
    expect(await answer.json()).toEqual({ caller: 'spiffe://example.org/web' })
    expect(answer.headers.getSetCookie()).toHaveLength(2)
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
    expect((await client(demanding)(`${originOf(server)}/absent`)).status).toBe(404)
  })

  const streaming: readonly (readonly [string, Handler])[] = [
    [
      'a stream that begins before it is whole',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'set-cookie': 'secret=1' })
        response.flushHeaders()
        response.write('data: 1\n\n')
        response.end('data: 2\n\n')
      },
    ],
    ['too long', (_, response) => response.setHeader('set-cookie', 'secret=1').end('x'.repeat(100_001))],
    ['too long in pieces', (_, response) => Readable.from(Array(20).fill('x'.repeat(10_000))).pipe(response)],
  ]
  test.for(streaming)('HS-12 501 instead of an answer that cannot be signed: %s', async ([, handler]) => {
    const { answer, text, refused, server } = await ask(handler, {}, { maxBodyBytes: 100_000 })
    expect([answer.status, JSON.parse(text)]).toEqual([501, expect.objectContaining({ code: 'RESPONSE_NOT_SIGNABLE' })])
    expect(answer.headers.has('set-cookie')).toBe(false)
    expect(() => witPeerOf(answer)).toThrowCode('PEER_NOT_VERIFIED')
    expect(refused).toEqual(['RESPONSE_NOT_SIGNABLE'])
    // To whoever wants no signature, the same is an answer.
    expect((await client({ proof: 'signature' })(`${originOf(server)}/`)).status).toBe(200)
  })

  test('HS-12 501 when the WIT-SVID is lost while the handler works', async () => {
    let isHeld = true
    const losing = {
      current: () => {
        if (isHeld) return db
        throw new SallyportError('SVID_EXPIRED', 'ended')
      },
    }
    const { answer, refused } = await ask(
      (_, response) => {
        isHeld = false
        response.end('hello')
      },
      {},
      { signWith: losing },
    )
    expect([answer.status, refused]).toEqual([501, ['RESPONSE_NOT_SIGNABLE']])
  })

  test('HS-12 501 from a server that has nothing to sign with, before the handler', async () => {
    let calls = 0
    const { answer } = await ask(() => calls++, {}, { signWith: undefined as never })
    expect([answer.status, calls]).toEqual([501, 0])
  })

  test('HS-06 a server may sign for everybody who signs', async () => {
    const server = await serve(hello, { signResponses: 'always' })
    const answer = await client({ proof: 'signature', server: signer })(`${originOf(server)}/`)
    expect(witPeerOf(answer).spiffeId.path).toBe('/db')
    const unsigned = await client()(`${originOf(server)}/`)
    expect([unsigned.status, unsigned.headers.has('signature')]).toEqual([200, false])
  })
})

describe('over http2', () => {
  async function ask(
    server: Awaited<ReturnType<typeof createSecureServer>>,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: Buffer,
  ) {
    const session = await connectHttp2(parties.webSource, originOf(server as unknown as Server), {
      server: exactly('spiffe://example.org/db'),
    })
    try {
      const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST', ...headers })
      stream.end(body)
      const [answer] = (await once(stream, 'response')) as [Record<string, string | number>]
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk as Buffer)
      const fields = HeaderFields.of(Object.entries(answer).map(([name, value]) => [name, String(value)]))
      return { status: Number(answer[':status']), fields, body: Buffer.concat(chunks) }
    } finally {
      session.close()
    }
  }
  async function serve2(): Promise<Server> {
    const server = createSecureServer(tlsServer(parties.dbSource, { allow }))
    await listeners.listen(server as unknown as Server)
    const origins = [originOf(server as unknown as Server)]
    const check = requireWit(bundleSource(), { origins, allow, signWith, maxBodyBytes: 100_000 })
    server.on('request', (request, response) => {
      void check(request, response).then((mayGoOn) => {
        if (!mayGoOn) return
        const { spiffeId, proof, body } = witPeerOf(request)
        response.setHeader('content-type', 'text/plain')
        // In HTTP/2 too, but not in its types.
        if (request.url === '/stream') (response as unknown as ServerResponse).flushHeaders()
        response.write(`${spiffeId.path} ${proof} `)
        response.end(body?.toString() ?? '')
      })
    })
    return server as unknown as Server
  }

  test('WP-02 WP-10 a proof token is checked, once', async () => {
    const server = await serve2()
    const headers = await proofTokenHeaders(webSource, { url: `${originOf(server)}/a?q` })
    const answers = [await ask(server as never, '/a?q', headers), await ask(server as never, '/a?q', headers)]
    expect(answers.map(({ status }) => status)).toEqual([200, 400])
    expect(answers[0]?.body.toString()).toBe('/web token ')
  })

  test('HS-01 HS-02 HS-07 a signed request is checked, and its answer signed', async () => {
    const server = await serve2()
    const body = Buffer.from('hello')
    const url = new URL(`${originOf(server)}/a?q=1`)
    const request = { method: 'POST', target: '/a?q=1', fields: HeaderFields.of([]) }
    const order = { audience: `${url.origin}/a`, tokenFields: [], signResponse: true, now: new Date() }
    const { headers, nonce } = await signRequest(request, body, web.svid, order)
    const answer = await ask(server as never, '/a?q=1', headers, body)
    expect([answer.status, answer.body.toString()]).toEqual([200, '/web signature hello'])
    const svid = await verifyWitSvid(answer.fields.only('workload-identity-token')!, web.bundles)
    expect(svid.spiffeId.path).toBe('/db')
    const exchange = { request, response: { status: 200, fields: answer.fields } }
    await checkResponseSignature(findSignature(answer.fields)!, exchange, svid, {
      requestNonce: nonce,
      now: new Date(),
    })
    checkContentDigest(answer.fields, answer.body)
    const altered = await signRequest(request, body, web.svid, order)
    expect((await ask(server as never, '/a?q=1', altered.headers, Buffer.from('hellp'))).status).toBe(400)
  })

  test('HS-12 501 instead of a stream that was to be signed', async () => {
    const server = await serve2()
    const request = { method: 'GET', target: '/stream', fields: HeaderFields.of([]) }
    const order = { audience: `${originOf(server)}/stream`, tokenFields: [], signResponse: true, now: new Date() }
    const { headers } = await signRequest(request, Buffer.alloc(0), web.svid, order)
    const answer = await ask(server as never, '/stream', headers)
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
      501,
      expect.objectContaining({ code: 'RESPONSE_NOT_SIGNABLE' }),
    ])
  })
})

test('WI-29 over TLS that proves the server alone, the proof says who the client is', async () => {
  const { certificate, keyPair } = await parties.home.issue('/tls', { uriSans: [], dnsSans: ['localhost'] })
  const tls = { cert: pem(certificate.der), key: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) }
  const server = await listeners.listen(createServer(tls))
  const origin = `https://localhost:${portOf(server)}`
  const check = requireWit(bundleSource(), { origins: [origin], allow: exactly('spiffe://example.org/web') })
  server.on('request', (request, response) => {
    void check(request, response, () => response.end(`hello ${witPeerOf(request).spiffeId}`))
  })
  const below: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const sent = httpsRequest(request.url, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      ca: pem(parties.home.certificate.der),
    })
    sent.end(Buffer.from(await request.arrayBuffer()))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return new Response(Readable.toWeb(answer) as ReadableStream, { status: answer.statusCode ?? 0 })
  }
  for (const proof of ['token', 'signature'] as const) {
    const answer = await witFetch(webSource, { fetch: below, proof })(`${origin}/a`, { method: 'POST', body: 'x' })
    expect([answer.status, await answer.text()]).toEqual([200, 'hello spiffe://example.org/web'])
  }
})

describe('with a server and an agent', () => {
  const ON = 'experimental: {witSvid: true}'
  let house: House
  beforeAll(async () => {
    house = await House.open({ serverYaml: ON, agentYaml: ON })
    await house.register('/web', '--hint', 'web')
    await house.register('/orders', '--hint', 'orders')
  })
  afterAll(async () => house?.[Symbol.asyncDispose]())

  test('WI-26 two workloads know each other by what their agent gave them, and answers are signed', async () => {
    const { endpoint } = house
    await using x509 = await X509Source.open({ endpoint, picker: { hint: 'orders' } })
    await using orders = await WitSource.open({ endpoint, picker: { hint: 'orders' } })
    await using caller = await WitSource.open({ endpoint, picker: { hint: 'web' } })
    const server = await listeners.listen(createServer(tlsServer(x509, { allow })))
    const check = requireWit(orders, { origins: [originOf(server)], allow, signWith: orders })
    server.on('request', (request, response) => {
      void check(request, response, () => response.end(`hello ${witPeerOf(request).spiffeId}`))
    })
    const below = dispatcher(x509, { server: exactly('spiffe://example.org/orders') })
    onTestFinished(() => (below as unknown as { destroy(): Promise<void> }).destroy())
    const over: typeof fetch = (input, init) => fetch(input, { ...init, dispatcher: below })
    const byToken = await witFetch(caller, { fetch: over })(`${originOf(server)}/a`)
    expect(await byToken.text()).toBe('hello spiffe://example.org/web')
    const signing = { fetch: over, proof: 'signature', signResponse: true } as const
    const answer = await witFetch(caller, { ...signing, server: exactly('spiffe://example.org/orders') })(
      `${originOf(server)}/a`,
      { method: 'POST', body: 'hello' },
    )
    expect([await answer.text(), witPeerOf(answer).spiffeId.path]).toEqual([
      'hello spiffe://example.org/web',
      '/orders',
    ])
    const wrong = witFetch(caller, { ...signing, server: exactly('spiffe://example.org/web') })
    await expect(wrong(`${originOf(server)}/a`)).rejects.toThrowCode('PEER_REFUSED')
  })
})
