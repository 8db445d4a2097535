import fc from 'fast-check'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { duplexPair, type Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type Asking, requestGate } from '../../../src/enforce/request-gate.ts'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import type { HttpFacts } from '../../../src/policy/request.ts'
import type { Emit } from '../../../src/tls/server-guard.ts'
import { acme, requestOf, rowsOf } from '../policy/acme.ts'

const tables = compile(acme, rowsOf(acme))
const lifecycle = indexLifecycle(NO_LIFECYCLE)

/** What the policy says to storefront, which may read and create orders. */
function mayPass(request: HttpFacts): boolean {
  const connection = { port: 8443, protocol: 'http' as const, alpn: 'http/1.1', ip: '10.0.0.1' }
  return decide(tables, lifecycle, { ...requestOf({ connection }), request }).decision === 'allow'
}

interface Gated {
  /** The lines of what any listener heard of. */
  readonly heard: string[]
  /** What the judge was asked, in order. */
  readonly asked: HttpFacts[]
  readonly client: Duplex
  /** The end of the server. */
  readonly far: Duplex
}

interface GateOptions {
  readonly answer?: (asking: Asking) => string | undefined | Promise<string | undefined>
  readonly listener?: RequestListener
  readonly server?: ServerOptions
}

/** A real HTTP/1.1 server behind the gate, on a connection in memory. */
function gated({ answer, listener, server: options = {} }: GateOptions = {}): Gated {
  const [heard, asked]: [string[], HttpFacts[]] = [[], []]
  const server = createServer(options)
  const judge = answer ?? (({ request }: Asking) => (mayPass(request) ? undefined : 'DECISION'))
  const gate = requestGate({
    opened: () => undefined,
    ask: (asking) => {
      asked.push(asking.request)
      return judge(asking)
    },
  })
  Object.assign(server, { emit: gate((server.emit as Emit).bind(server)) })
  for (const event of ['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect', 'dropRequest'] as const) {
    server.on(event, (request: { method: string; url: string }, response: { end(): void }) => {
      heard.push(`${event} ${request.method} ${request.url}`)
      if (event === 'request' && listener !== undefined) listener(request as never, response as never)
      else response.end()
    })
  }
  const [client, far] = duplexPair()
  client.on('error', () => {})
  far.on('error', () => {})
  server.emit('connection', far)
  return { heard, asked, client, far }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve))
}

async function answerTo(client: Duplex, bytes: string): Promise<string> {
  let answer = ''
  client.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  client.write(Buffer.from(bytes, 'latin1'))
  await settled()
  return answer
}

const method = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('GET', 'POST') },
  { weight: 1, arbitrary: fc.constantFrom('HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'PRI', 'M-SEARCH') },
)
const piece = fc.constantFrom(
  ...['/v1/orders', '/v1/orders/1', '/admin/users', '/', '//', '/..', '/%2e%2e', '%2f', ';x', '\\', '#', '?a=/admin'],
  ...['http://orders.shop.svc', 'http://evil', '*', ':', '@', '%', '%00', '%6f', 'orders', 'v1', '\u00e9', '.'],
)
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('/v1/orders/1', '/v1/orders') },
  { weight: 3, arbitrary: fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')) },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 12 }).map((text) => text.replaceAll(/\s/g, '/')) },
)
const header = fc.constantFrom(
  ...['Host: evil', 'host: orders.shop.svc', 'X-HTTP-Method-Override: DELETE', 'x-method-override: GET'],
  ...['Connection: upgrade\r\nUpgrade: websocket', 'Upgrade: h2c', 'Expect: 100-continue', 'Expect: gold'],
  ...['Content-Type: application/grpc', 'Content-Length: 5', 'Content-Length: 0', 'Transfer-Encoding: chunked'],
  ...['Transfer-Encoding: identity', 'Content-Length: +5', ' folded: x', 'X: \u0000', 'Connection: close', 'a:b'],
)
const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', '')
const body = fc.constantFrom('', '', 'abcde', '0\r\n\r\n', '5\r\nabcde\r\n0\r\n\r\n')
const message = fc
  .record({
    method,
    target,
    version,
    isNamed: fc.nat(9),
    headers: fc.array(header, { maxLength: 3, size: '-1' }),
    body,
  })
  .map(({ method, target, version, isNamed, headers, body }) => {
    const all = isNamed === 0 ? headers : ['Host: orders.shop.svc', ...headers]
    return `${method} ${target} ${version}\r\n${all.map((line) => `${line}\r\n`).join('')}\r\n${body}`
  })
const anyBytes = fc.oneof(
  { weight: 8, arbitrary: fc.array(message, { minLength: 1, maxLength: 3 }).map((all) => all.join('')) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
)

describe('whatever a client sends', () => {
  test('no listener hears of a request that the policy refuses, or that nobody was asked about', async () => {
    let passed = 0
    await fc.assert(
      fc.asyncProperty(anyBytes, fc.boolean(), async (bytes, isLenient) => {
        const { heard, asked, client } = gated(isLenient ? { server: { insecureHTTPParser: true } } : {})
        const answer = await answerTo(client, bytes)
        const allowed = asked.filter(mayPass).map(({ method: verb, target: path }) => `${verb} ${path}`)
        expect(heard.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual(allowed)
        for (const refused of answer.matchAll(/HTTP\/1\.1 403 Forbidden\r\n([^\r]*)/g)) {
          expect(refused[1]).toBe('x-sallyport-decision: DECISION')
        }
        passed += heard.length
        client.destroy()
      }),
      { numRuns: 1500 },
    )
    expect(passed).toBeGreaterThan(50)
  })
})

const order = (more = ''): string => `GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n${more}\r\n`

describe('a request whose token has to be verified first', () => {
  test('is announced when it was, in time for its body', async () => {
    const verified = Promise.withResolvers<string | undefined>()
    let body = ''
    const { heard, client } = gated({
      answer: () => verified.promise,
      listener: (request, response) => {
        request.on('data', (chunk: Buffer) => (body += chunk.toString()))
        request.on('end', () => response.end('served'))
      },
    })
    const early = await answerTo(client, 'POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    expect([early, heard]).toEqual(['', []])
    verified.resolve(undefined)
    await settled()
    expect([heard, body]).toEqual([['request POST /v1/orders'], 'abc'])
  })

  test('whose caller has gone in the meantime is announced to nobody', async () => {
    const verified = Promise.withResolvers<string | undefined>()
    const { heard, client, far } = gated({ answer: () => verified.promise })
    await answerTo(client, order())
    far.destroy()
    await settled()
    verified.resolve(undefined)
    await settled()
    expect(heard).toEqual([])
  })

  test('is answered in the order in which requests came, also when a later one is decided first', async () => {
    const verified = Promise.withResolvers<string | undefined>()
    const answers = [verified.promise, 'SECOND']
    const { client } = gated({ answer: () => answers.shift() })
    expect(await answerTo(client, order() + order())).toBe('')
    let late = ''
    client.on('data', (chunk: Buffer) => (late += chunk.toString('latin1')))
    verified.resolve('FIRST')
    await settled()
    expect([...late.matchAll(/decision: (\w+)/g)].map(([, id]) => id)).toEqual(['FIRST', 'SECOND'])
  })
})

describe('what else a server of HTTP announces', () => {
  test('every token of a request is told, where Node would keep one', async () => {
    const told: Asking[] = []
    const { client } = gated({ answer: (asking) => void told.push(asking) })
    await answerTo(client, order('Authorization: Bearer a\r\nX: y\r\nauthorization: Bearer b\r\n') + order())
    expect(told.map(({ authorizations }) => authorizations)).toEqual([['Bearer a', 'Bearer b'], []])
  })

  test('an upgrade that nobody listens for is asked about as an upgrade', async () => {
    const { asked, client } = gated({ server: { shouldUpgradeCallback: () => false } as ServerOptions })
    await answerTo(client, order('Connection: upgrade\r\nUpgrade: websocket\r\n'))
    expect(asked).toMatchObject([{ upgrade: 'websocket' }])
  })

  test.for(['dropRequest', 'unknownProtocol'])('%s is not passed on', (event) => {
    const passedOn: (string | symbol)[] = []
    const gate = requestGate({ opened: () => undefined, ask: () => undefined })
    const emit = gate((name) => passedOn.push(name) > 0)
    expect(emit(event, {}, {})).toBe(false)
    expect(passedOn).toEqual([])
  })

  test('a stream of HTTP/2 that its session did not ask about is not passed on', () => {
    const passedOn: (string | symbol)[] = []
    const gate = requestGate({ opened: () => undefined, ask: () => undefined })
    const emit = gate((name) => passedOn.push(name) > 0)
    expect(emit('stream', {}, {}, 0, [])).toBe(false)
    expect(emit('request', { stream: {} }, {})).toBe(false)
    expect(passedOn).toEqual([])
  })
})
