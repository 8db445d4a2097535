import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { EndpointPeer, EndpointTrust } from '../../../src/federation/connect-endpoint.ts'
import { EndpointUrl } from '../../../src/federation/endpoint-url.ts'
import {
  ANSWER_BODY_MAX_BYTES,
  ANSWER_HEADERS_MAX_BYTES,
  FETCH_TIMEOUT_MS,
  fetchDocument,
  REDIRECTS_MAX,
} from '../../../src/federation/fetch-document.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { badSvidNames, issueBad } from '../../../src/testing/bad-svids.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { until } from '../../fakes/until.ts'
import { type Answer, serve, webCertificate } from './test-endpoint.ts'

const id = 'spiffe://partner.test/workload'
let webCa: TestAuthority
let webServer: TestSvid
let partner: TestAuthority
let svid: TestSvid
let byWeb: EndpointTrust
let bySpiffe: EndpointTrust

beforeAll(async () => {
  ;[webCa, partner] = await Promise.all([
    TestAuthority.create({ trustDomain: 'web.test' }),
    TestAuthority.create({ trustDomain: 'partner.test' }),
  ])
  ;[webServer, svid] = [await webCertificate(webCa), await partner.issue()]
  byWeb = { profile: 'https_web', ca: [printPem([webCa.certificate])] }
  bySpiffe = { profile: 'https_spiffe', endpointId: SpiffeId.parse(id), bundle: partner.bundle() }
})

interface Fetching {
  readonly followRedirects?: boolean
  readonly clock?: FakeClock
  readonly signal?: AbortSignal
  readonly met?: (url: string, peer: EndpointPeer) => void
}

const fetch = (url: string, trust: EndpointTrust, { followRedirects = true, clock, signal, met }: Fetching = {}) =>
  fetchDocument(
    { url: EndpointUrl.parse(url), followRedirects, trust, onConnected: (at, peer) => met?.(at.toString(), peer) },
    { clock: clock ?? new FakeClock(new Date()), signal: signal ?? new AbortController().signal },
  )
const redirect =
  (status: number, location: string | undefined): Answer =>
  (_request, response) =>
    response.writeHead(status, location === undefined ? {} : { location }).end()

describe('a request', () => {
  test('FE-29 asks for the path and query of the URL, and shows nobody’s certificate', async () => {
    const endpoint = await serve(svid, (request, response) => {
      const { authorized } = request.socket as TLSSocket
      const certificate = (request.socket as TLSSocket).getPeerX509Certificate()
      response.end(JSON.stringify({ authorized, shows: certificate !== undefined }))
    })
    for (const [url, trust] of [[endpoint.url('/bundle?td=a%20b'), bySpiffe]] as const) {
      expect(JSON.parse(await fetch(url, trust))).toEqual({ authorized: false, shows: false })
    }
    const [{ method, url, headers } = {}] = endpoint.requests
    expect([method, url, headers?.host]).toEqual(['GET', '/bundle?td=a%20b', `localhost:${endpoint.port}`])
    expect(headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' })
    expect(headers).not.toHaveProperty('authorization')
  })
})

describe('https_web', () => {
  test('FW-02 works with the three parameters alone, by the CAs that Node trusts', async () => {
    const endpoint = await serve(webServer)
    const minimal: EndpointTrust = { profile: 'https_web', ca: [] }
    await expect(fetch(endpoint.url(), minimal)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    const before = getCACertificates('default')
    onTestFinished(() => setDefaultCACertificates(before))
    setDefaultCACertificates([printPem([webCa.certificate])])
    expect(await fetch(endpoint.url(), minimal)).toBe('{}')
    // A CA that is named is one more, not the only one.
    expect(await fetch(endpoint.url(), { profile: 'https_web', ca: [printPem([partner.certificate])] })).toBe('{}')
  })

  const hour = 3_600_000
  const bad: Readonly<Record<string, () => Promise<TestSvid>>> = {
    'another host': () => webCertificate(webCa, 'elsewhere.test'),
    'no host': () => webCa.issue('', { uriSans: ['https://localhost/'], subject: { commonName: 'localhost' } }),
    'a CA that nobody knows': async () => webCertificate(await TestAuthority.create({ trustDomain: 'web.test' })),
    'an end that is past': () =>
      webCa.issue('', {
        uriSans: [],
        dnsSans: ['localhost'],
        notBefore: new Date(Date.now() - 2 * hour),
        notAfter: new Date(Date.now() - hour),
      }),
    'no issuer but itself': async () => {
      const self = await TestAuthority.create({
        uriSans: [],
        dnsSans: ['localhost'],
        isCa: false,
        keyUsage: ['digitalSignature'],
      })
      return { certificate: self.certificate, chain: [self.certificate], keyPair: self.keyPair }
    },
  }
  test.for(Object.keys(bad))('FW-04 refuses a certificate with %s, whatever the environment says', async (name) => {
    const endpoint = await serve(await bad[name]!())
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED', endpoint.url())
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    onTestFinished(() => void delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(endpoint.requests).toHaveLength(0)
  })

  test('FW-04 refuses an address that the certificate does not name', async () => {
    const endpoint = await serve(webServer)
    await expect(fetch(`https://127.0.0.1:${endpoint.port}/`, byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(endpoint.requests).toHaveLength(0)
  })

  test('FW-05 refuses an X509-SVID of a trust domain that is known, even for the right host', async () => {
    const endpoint = await serve(await partner.issue('/workload', { dnsSans: ['localhost'] }))
    expect(await fetch(endpoint.url(), bySpiffe)).toBe('{}')
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(endpoint.requests).toHaveLength(1)
  })
})

describe('https_spiffe', () => {
  test('FS-07 NT-09 the right id is enough, whatever the host is called', async () => {
    const endpoint = await serve(await partner.issue('/workload', { dnsSans: ['elsewhere.test'] }))
    for (const host of ['localhost', '127.0.0.1']) {
      const met: string[] = []
      const url = `https://${host}:${endpoint.port}/`
      expect(await fetch(url, bySpiffe, { met: (at, { spiffeId }) => met.push(`${at} ${spiffeId?.toString()}`) })).toBe(
        '{}',
      )
      expect(met).toEqual([`${url} ${id}`])
    }
  })

  test('FS-07 NT-09 another id of the same trust domain is refused before a byte is written', async () => {
    const endpoint = await serve(await partner.issue('/workload/other'))
    await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED', `wanted is ${id}`)
    expect(endpoint.requests).toHaveLength(0)
  })

  test('FS-07 an id of a trust domain is verified by the bundle of that one', async () => {
    const thief = await TestAuthority.create({ trustDomain: 'partner.test' })
    const stranger = await TestAuthority.create({ trustDomain: 'other.test' })
    for (const authority of [thief, stranger]) {
      const endpoint = await serve(await authority.issue())
      await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
      expect(endpoint.requests).toHaveLength(0)
    }
  })

  test('FS-07 a certificate of the Web for the right host is none', async () => {
    const before = getCACertificates('default')
    onTestFinished(() => setDefaultCACertificates(before))
    setDefaultCACertificates([printPem([webCa.certificate])])
    const endpoint = await serve(webServer)
    await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(endpoint.requests).toHaveLength(0)
  })

  test.for(badSvidNames)('FS-07 an X509-SVID that is bad is refused: %s', async (name) => {
    const endpoint = await serve(await issueBad(partner, name))
    await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(endpoint.requests).toHaveLength(0)
  })
})

describe('redirects', () => {
  test.for([301, 302, 303, 307, 308])(
    'FE-24 %i is followed, and forgotten: the next fetch begins at the URL again',
    async (status) => {
      const target = await serve(webServer, 'target')
      const endpoint = await serve(webServer, redirect(status, target.url('/x?y')))
      expect(await fetch(endpoint.url(), byWeb)).toBe('target')
      expect(target.requests[0]?.url).toBe('/x?y')
      endpoint.answer('itself')
      expect(await fetch(endpoint.url(), byWeb)).toBe('itself')
      expect(target.requests).toHaveLength(1)
    },
  )

  test(`FE-24 at most ${REDIRECTS_MAX} are followed`, async () => {
    const chain =
      (length: number): Answer =>
      (request, response) => {
        const step = Number(request.url?.slice(1))
        if (step === length) response.end('the end')
        else response.writeHead(307, { location: `/${step + 1}` }).end()
      }
    const endpoint = await serve(webServer, chain(REDIRECTS_MAX))
    expect(await fetch(endpoint.url('/0'), byWeb)).toBe('the end')
    endpoint.answer(chain(REDIRECTS_MAX + 1))
    await expect(fetch(endpoint.url('/0'), byWeb)).rejects.toThrowCode(
      'BUNDLE_ENDPOINT_FAILED',
      'more than 5 redirects',
    )
    expect(endpoint.requests).toHaveLength(2 * (REDIRECTS_MAX + 1))
  })

  test.for([
    [(url: string) => url.replace('https', 'http'), 'must start with https://'],
    [(url: string) => url.replace('//', '//user@'), 'a user name or a password'],
    [(url: string) => url.replace('//', '//@'), 'a user name or a password'],
    [() => undefined, 'without saying where to'],
    [() => '', 'without saying where to'],
  ] as const)('FE-24 one whose target breaks the rules of URLs is refused: %s', async ([locationOf, why]) => {
    const target = await serve(webServer, 'target')
    const endpoint = await serve(webServer, redirect(302, locationOf(target.url())))
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED', why)
    expect(target.requests).toHaveLength(0)
  })

  test('FE-24 none is followed where that is not wanted', async () => {
    const target = await serve(webServer, 'target')
    const endpoint = await serve(webServer, redirect(302, target.url()))
    const fetching = fetch(endpoint.url(), byWeb, { followRedirects: false })
    await expect(fetching).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED', 'redirects are not followed')
    expect(target.connections).toBe(0)
  })

  test('FE-24 FW-04 the target proves the same: a certificate of the Web', async () => {
    const target = await serve(await webCertificate(partner), 'target')
    const endpoint = await serve(webServer, redirect(302, target.url()))
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED', target.url())
    expect(target.requests).toHaveLength(0)
  })

  test('FS-08 the target proves the same: an X509-SVID with the same id', async () => {
    const target = await serve(await partner.issue(), 'target')
    const endpoint = await serve(svid, redirect(302, target.url()))
    expect(await fetch(endpoint.url(), bySpiffe)).toBe('target')
    target.present(await partner.issue('/other'))
    await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED', `wanted is ${id}`)
    target.present(webServer)
    await expect(fetch(endpoint.url(), bySpiffe)).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    expect(target.requests).toHaveLength(1)
  })
})

describe('limits', () => {
  test('TB-24 an answer that is too long is given up, with a length or without', async () => {
    const endpoint = await serve(webServer, (_request, response) => response.end('x'.repeat(ANSWER_BODY_MAX_BYTES)))
    expect(await fetch(endpoint.url(), byWeb)).toHaveLength(ANSWER_BODY_MAX_BYTES)
    const tooLong: readonly Answer[] = [
      (_request, response) => response.end('x'.repeat(ANSWER_BODY_MAX_BYTES + 1)),
      (_request, response) => {
        const more = (): void => void response.write('x'.repeat(10_000), (error) => (error ? undefined : more()))
        more()
      },
    ]
    for (const answer of tooLong) {
      endpoint.answer(answer)
      await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode(
        'BUNDLE_ENDPOINT_FAILED',
        `longer than ${ANSWER_BODY_MAX_BYTES} bytes`,
      )
    }
  })

  test('headers that are too long are given up', async () => {
    const endpoint = await serve(webServer, (_request, response) =>
      response.writeHead(200, { 'x-padding': 'x'.repeat(ANSWER_HEADERS_MAX_BYTES) }).end('{}'),
    )
    await expect(fetch(endpoint.url(), byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED')
  })

  test('an endpoint that is too slow is given up, at whatever it hesitates', async () => {
    const slow: readonly Answer[] = [
      () => undefined,
      (_request, response) => void response.writeHead(200).write('{'),
      (_request, response) => void response.writeHead(307, { location: '/' }).end(),
    ]
    for (const answer of slow.slice(0, 2)) {
      const clock = new FakeClock(new Date())
      const endpoint = await serve(webServer, answer)
      const fetching = fetch(endpoint.url(), byWeb, { clock })
      fetching.catch(() => {})
      await until(() => endpoint.requests.length === 1)
      await clock.advance(FETCH_TIMEOUT_MS - 1)
      expect(await Promise.race([fetching, Promise.resolve('waits')])).toBe('waits')
      await clock.advance(1)
      await expect(fetching).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED', `within ${FETCH_TIMEOUT_MS} ms`)
    }
  })

  test('a server that says nothing is given up', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const accepted = once(server, 'connection')
    const clock = new FakeClock(new Date())
    const fetching = fetch(`https://127.0.0.1:${port}/`, byWeb, { clock })
    fetching.catch(() => {})
    const [socket] = (await accepted) as [{ destroy(): void }]
    onTestFinished(() => socket.destroy())
    await clock.advance(FETCH_TIMEOUT_MS)
    await expect(fetching).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED', `within ${FETCH_TIMEOUT_MS} ms`)
  })

  test('a signal ends a fetch with its reason', async () => {
    const stop = new AbortController()
    const endpoint = await serve(webServer, () => stop.abort(new Error('enough')))
    await expect(fetch(endpoint.url(), byWeb, { signal: stop.signal })).rejects.toThrow('enough')
    await expect(fetch(endpoint.url(), byWeb, { signal: stop.signal })).rejects.toThrow('enough')
    expect(endpoint.connections).toBe(1)
  })

  test.for([
    ['is not there', undefined, 'ECONNREFUSED'],
    ['hangs up', ((_request, response) => response.destroy()) as Answer, 'socket hang up'],
    [
      'stops in the middle',
      ((_request, response) =>
        response.writeHead(200, { 'content-length': 10 }).write('{', () => response.destroy())) as Answer,
      'aborted',
    ],
    [
      'encodes what it sends',
      ((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')) as Answer,
      'an encoding',
    ],
    [
      'sends what is not UTF-8',
      ((_request, response) => response.end(Buffer.from([0x7b, 0xff, 0x7d]))) as Answer,
      'not UTF-8',
    ],
    ['answers with an error', ((_request, response) => response.writeHead(404).end('{}')) as Answer, 'status 404'],
    [
      'upgrades',
      ((request) =>
        request.socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')) as Answer,
      '',
    ],
    ['speaks no HTTP', ((request) => request.socket.end('hello\r\n\r\n')) as Answer, ''],
  ] as const)('an endpoint that %s has failed', async ([, answer, why]) => {
    const endpoint = await serve(webServer, answer ?? '{}')
    const url = endpoint.url()
    if (answer === undefined) await endpoint[Symbol.asyncDispose]()
    await expect(fetch(url, byWeb)).rejects.toThrowCode('BUNDLE_ENDPOINT_FAILED', why)
  })
})
