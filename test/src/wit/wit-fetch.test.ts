import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { exactly, memberOf } from '../../../src/id/matcher.ts'
import { checkRequestSignature, findSignature } from '../../../src/wit/check-signature.ts'
import { checkContentDigest } from '../../../src/wit/content-digest.ts'
import { HeaderFields } from '../../../src/wit/header-fields.ts'
import { checkProofToken } from '../../../src/wit/proof-token.ts'
import { signResponse } from '../../../src/wit/sign-message.ts'
import type { SignedRequest } from '../../../src/wit/signature-base.ts'
import { addresseeOf } from '../../../src/wit/target.ts'
import { proofTokenHeaders, signatureHeaders, witFetch, type WitFetchOptions } from '../../../src/wit/wit-fetch.ts'
import { witPeerOf } from '../../../src/wit/wit-peer.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { bundles, heldWit, now, seconds } from './wit-world.ts'

const origin = 'https://api.example.org'
const svid = heldWit()
const service = heldWit({ sub: 'spiffe://example.org/api' })
const source = { current: () => ({ svid, bundles }) }
const clock = new FakeClock(now)
const addressee = addresseeOf({ origins: [origin] })

type Answer = (request: Request) => Promise<Response> | Response

/** A fetch whose requests are recorded as they would be sent. */
function setUp(options: WitFetchOptions = {}, answer: Answer = () => new Response('ok')) {
  const sent: { request: Request; init: RequestInit | undefined }[] = []
  const underneath: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    sent.push({ request: request.clone(), init })
    return answer(request)
  }
  return { ask: witFetch(source, { fetch: underneath, clock, ...options }), sent }
}
const fieldsOf = ({ headers }: Request | Response): HeaderFields => HeaderFields.of(headers)
const asSigned = (request: Request): SignedRequest => {
  const { pathname, search } = new URL(request.url)
  return { method: request.method, target: `${pathname}${search}`, fields: fieldsOf(request) }
}
function checkToken(request: Request, changes: Partial<Parameters<typeof checkProofToken>[2]> = {}) {
  const fields = fieldsOf(request)
  const path = new URL(request.url).pathname
  const token = fields.only('workload-proof-token') ?? ''
  return checkProofToken(token, svid, { addressee, path, fields, tokenFields: [], now, ...changes })
}
function checkSignature(request: Request) {
  const found = findSignature(fieldsOf(request))
  if (found === undefined) throw new TypeError('there is no signature')
  return checkRequestSignature(found, asSigned(request), svid, { addressee, tokenFields: [], now })
}

describe('witFetch() with a Workload Proof Token', () => {
  test('WP-01 WP-02 WI-25 adds a WIT-SVID and a proof for the address to each request, and leaves the rest as it is', async () => {
    const { ask, sent } = setUp()
    await ask(`${origin}/a?q=1#x`, { method: 'post', body: 'hello', headers: { 'x-one': '1' } })
    await ask(new URL(`${origin}/b`))
    await ask(new Request(`${origin}/c`, { headers: { 'x-two': '2' } }))
    expect(sent.map(({ request }) => [request.method, new URL(request.url).pathname])).toEqual([
      ['POST', '/a'],
      ['GET', '/b'],
      ['GET', '/c'],
    ])
    for (const { request } of sent) {
      expect(request.headers.get('workload-identity-token')).toBe(svid.token)
      expect((await checkToken(request)).proof).toBe('token')
    }
    expect([sent[0]!.request.headers.get('x-one'), await sent[0]!.request.text()]).toEqual(['1', 'hello'])
    expect(sent[0]!.request.headers.get('content-type')).toBe('text/plain;charset=UTF-8')
    expect(sent[2]!.request.headers.get('x-two')).toBe('2')
  })

  test('WI-24 never puts it into Authorization', async () => {
    const { ask, sent } = setUp()
    await ask(`${origin}/a`)
    await ask(`${origin}/a`, { headers: { authorization: 'Bearer t' } })
    expect(sent.map(({ request }) => request.headers.get('authorization'))).toEqual([null, 'Bearer t'])
  })

  test('WI-30 WP-11 each proof is for its request: another path, another token and another time are none', async () => {
    const { ask, sent } = setUp({ tokenHeaders: ['X-Api-Key'] })
    await ask(`${origin}/a`, { headers: { authorization: 'Bearer t', 'x-api-key': 'k' } })
    const { request } = sent[0]!
    const tokenFields = ['x-api-key']
    expect((await checkToken(request, { tokenFields })).coveredTokens).toEqual(new Set(['authorization', 'x-api-key']))
    await expect(checkToken(request, { tokenFields, path: '/b' })).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
    const fields = fieldsOf(request).with({ authorization: 'Bearer u' })
    await expect(checkToken(request, { tokenFields, fields })).rejects.toThrowCode('WIT_PROOF_INVALID')
    const later = new Date(now.getTime() + 90_000)
    await expect(checkToken(request, { tokenFields, now: later })).rejects.toThrowCode('WIT_PROOF_EXPIRED')
  })

  test('WP-02 is for an audience that was agreed on, where one is given', async () => {
    const { ask, sent } = setUp({ audience: 'api' })
    await ask(`${origin}/a`)
    const named = addresseeOf({ audiences: ['api'] })
    expect((await checkToken(sent[0]!.request, { addressee: named })).proof).toBe('token')
  })

  test.for(['http://api.example.org/', 'http://localhost/', 'http://127.0.0.1/', 'ftp://api.example.org/', 'data:,x'])(
    'WI-29 refuses to send to %s, where others may read it',
    async (url) => {
      const { ask, sent } = setUp()
      await expect(ask(url)).rejects.toThrowCode('PLAIN_HTTP_REFUSED')
      await expect(ask(new Request(url))).rejects.toThrowCode('PLAIN_HTTP_REFUSED')
      expect(sent).toEqual([])
    },
  )

  test('WI-29 sends over plain HTTP only where that is said, and over nothing else even then', async () => {
    const { ask, sent } = setUp({ allowPlainHttp: true })
    await ask('http://localhost:8080/')
    expect(sent).toHaveLength(1)
    await expect(ask('ftp://api.example.org/')).rejects.toThrowCode('PLAIN_HTTP_REFUSED')
  })

  test('WI-29 WI-30 follows no redirect: where it leads, another proof would be needed', async () => {
    const { ask, sent } = setUp(
      {},
      () => new Response(null, { status: 307, headers: { location: 'https://evil.test/' } }),
    )
    expect((await ask(`${origin}/a`, { redirect: 'follow' })).status).toBe(307)
    await ask(`${origin}/a`, { redirect: 'error' })
    await ask(new Request(`${origin}/a`))
    expect(sent.map(({ init }) => init?.redirect)).toEqual(['manual', 'error', 'manual'])
  })

  test('WI-31 does not use a key beyond the end of its WIT-SVID', async () => {
    const ended = { current: () => ({ svid: heldWit({ exp: seconds }), bundles }) }
    const ask = witFetch(ended, { clock, fetch: () => Promise.reject(new Error('not asked')) })
    await expect(ask(`${origin}/a`)).rejects.toThrowCode('WIT_SVID_EXPIRED')
  })

  test('uses the WIT-SVID of the moment', async () => {
    let current = svid
    const sent: string[] = []
    const ask = witFetch(
      { current: () => ({ svid: current, bundles }) },
      {
        clock,
        fetch: (input, init) => {
          sent.push(new Request(input, init).headers.get('workload-identity-token') ?? '')
          return Promise.resolve(new Response('ok'))
        },
      },
    )
    await ask(`${origin}/a`)
    current = service
    await ask(`${origin}/a`)
    expect(sent).toEqual([svid.token, service.token])
  })

  test.for(['workload-identity-token', 'workload-proof-token', 'signature', 'signature-input'])(
    'WP-01 does not replace a header %s of the caller',
    async (name) => {
      const { ask } = setUp()
      await expect(ask(`${origin}/a`, { headers: { [name]: 'x' } })).rejects.toThrow(TypeError)
    },
  )

  test('needs a source and options that make sense', () => {
    expect(() => witFetch(Promise.resolve() as never)).toThrow('await WitSource.open()')
    expect(() => witFetch(source, { audience: '' })).toThrow(TypeError)
    expect(() => witFetch(source, { lifeSeconds: 301 })).toThrow(TypeError)
    expect(() => witFetch(source, { signResponse: true })).toThrow(`proof: 'signature'`)
    expect(() => witFetch(source, { signResponse: true, proof: 'signature' })).toThrow('`server`')
  })
})

describe('witFetch() with a signature', () => {
  const options: WitFetchOptions = { proof: 'signature' }

  test('sends a Request the way it was made for, such as by its own dispatcher', async () => {
    const dispatched: string[] = []
    const dispatcher = {
      dispatch: ({ path }: { path: string }): never => {
        dispatched.push(path)
        throw new Error('not sent')
      },
    }
    for (const proof of ['token', 'signature'] as const) {
      const request = new Request(`${origin}/${proof}`, { method: 'POST', body: 'x', dispatcher: dispatcher as never })
      await expect(witFetch(source, { proof, clock })(request)).rejects.toThrow()
    }
    expect(dispatched).toEqual(['/token', '/signature'])
  })

  test('HS-01 HS-03 HS-05 signs each request with its body', async () => {
    const { ask, sent } = setUp(options)
    await ask(`${origin}/a?q=1`, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
    await ask(new Request(`${origin}/b`, { method: 'PUT', body: 'text' }))
    await ask(`${origin}/c`)
    for (const { request } of sent) expect((await checkSignature(request)).answer?.mustBeSigned).toBe(false)
    checkContentDigest(fieldsOf(sent[0]!.request), Buffer.from('{"a":1}'))
    expect([await sent[0]!.request.text(), await sent[1]!.request.text()]).toEqual(['{"a":1}', 'text'])
    expect(sent[2]!.request.headers.has('content-digest')).toBe(false)
  })

  test('HS-03 signs no body that is longer than its limit', async () => {
    const { ask, sent } = setUp({ ...options, maxBodyBytes: 4 })
    await expect(ask(`${origin}/a`, { method: 'POST', body: 'hello' })).rejects.toThrowCode('MESSAGE_TOO_LARGE')
    expect(sent).toEqual([])
  })

  const server = exactly('spiffe://example.org/api')
  const demanding: WitFetchOptions = { ...options, signResponse: true, server }

  /** Answers as a service would that signs, apart from what changes. */
  const signing =
    (
      changes: {
        nonce?: string
        status?: number
        by?: typeof svid
        alter?: (headers: Headers) => void
        body?: string
      } = {},
    ): Answer =>
    async (request) => {
      const { status = 200, by = service, alter, body = 'hello' } = changes
      const proven = await checkSignature(request)
      const headers = new Headers({ 'content-type': 'text/plain' })
      const response = { status, fields: HeaderFields.of(headers) }
      const added = await signResponse({ request: asSigned(request), response }, Buffer.from('hello'), by, {
        now,
        requestNonce: changes.nonce ?? proven.answer?.nonce ?? '',
      })
      for (const [name, value] of Object.entries(added)) headers.set(name, value)
      alter?.(headers)
      return new Response(body, { status, headers })
    }

  test('HS-06 HS-07 accepts an answer that is signed by whom it is wanted of, and says by whom', async () => {
    const { ask, sent } = setUp(demanding, signing())
    const answer = await ask(`${origin}/a`)
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'text/plain',
      'hello',
    ])
    expect(witPeerOf(answer)).toMatchObject({ proof: 'signature', body: Buffer.from('hello') })
    expect(witPeerOf(answer).spiffeId.path).toBe('/api')
    expect(sent[0]!.request.headers.get('accept-encoding')).toBe('identity')
    expect((await checkSignature(sent[0]!.request)).answer?.mustBeSigned).toBe(true)
  })

  test.for([200, 204, 302])('HS-06 rejects an answer of status %s that is not signed', async (status) => {
    const { ask } = setUp(demanding, () => new Response(null, { status }))
    await expect(ask(`${origin}/a`)).rejects.toThrowCode('HTTP_SIGNATURE_MISSING')
  })

  test('HS-06 lets an error through that is not signed, which nobody takes for an answer', async () => {
    const { ask } = setUp(demanding, () => new Response(null, { status: 502 }))
    const answer = await ask(`${origin}/a`)
    expect(answer.status).toBe(502)
    expect(() => witPeerOf(answer)).toThrowCode('PEER_NOT_VERIFIED')
  })

  test.for<readonly [string, Parameters<typeof signing>[0], string]>([
    ['another nonce', { nonce: 'another' }, 'HTTP_SIGNATURE_INVALID'],
    ['another body', { body: 'hallo' }, 'CONTENT_DIGEST_INVALID'],
    ['another type', { alter: (headers) => headers.set('content-type', 'text/html') }, 'HTTP_SIGNATURE_INVALID'],
    ['no digest', { alter: (headers) => headers.delete('content-digest') }, 'HTTP_SIGNATURE_INVALID'],
    ['no WIT-SVID', { alter: (headers) => headers.delete('workload-identity-token') }, 'WIT_PROOF_MISSING'],
    [
      'a corrupt signature',
      { alter: (headers) => headers.set('signature', `wimse=:${'A'.repeat(86)}==:`) },
      'HTTP_SIGNATURE_INVALID',
    ],
    [
      'a signature that cannot be read',
      { alter: (headers) => headers.set('signature', '(((') },
      'STRUCTURED_FIELD_INVALID',
    ],
    ['another service', { by: heldWit({ sub: 'spiffe://example.org/other' }) }, 'PEER_REFUSED'],
    ['a foreign trust domain', { by: heldWit({ sub: 'spiffe://other.test/api' }) }, 'BUNDLE_UNKNOWN'],
    ['an error', { status: 404, body: 'hallo' }, 'CONTENT_DIGEST_INVALID'],
  ])(
    'HS-07 HS-13 rejects a signed answer with %s, whether a signature was demanded or not',
    async ([, changes, code]) => {
      for (const each of [demanding, { ...options, server }]) {
        const { ask } = setUp(each, signing(changes))
        const error = await ask(`${origin}/a`).catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(SallyportError)
        expect((error as SallyportError).code).toBe(code)
      }
    },
  )

  test('HS-13 reads no more of a signed answer than its limit', async () => {
    const { ask } = setUp({ ...demanding, maxBodyBytes: 4 }, signing())
    await expect(ask(`${origin}/a`)).rejects.toThrowCode('MESSAGE_TOO_LARGE')
  })

  test('HS-06 checks a signature that was not asked for, by anybody whom the bundles know', async () => {
    const { ask } = setUp({ ...options, server: memberOf('example.org') }, signing())
    expect(witPeerOf(await ask(`${origin}/a`)).spiffeId.path).toBe('/api')
    const anybody = setUp(options, signing())
    expect(witPeerOf(await anybody.ask(`${origin}/a`)).spiffeId.path).toBe('/api')
  })
})

describe('headers for other clients', () => {
  test('WP-02 proofTokenHeaders() is what witFetch() adds', async () => {
    const headers = { authorization: 'Bearer t' }
    const added = await proofTokenHeaders(source, { url: `${origin}/a?q`, headers }, { clock })
    expect(Object.keys(added)).toEqual(['workload-identity-token', 'workload-proof-token'])
    const request = new Request(`${origin}/a?q`, { headers: { ...headers, ...added } })
    expect([...(await checkToken(request)).coveredTokens]).toEqual(['authorization'])
  })

  test('HS-01 signatureHeaders() is what witFetch() adds', async () => {
    const body = Buffer.from('hello')
    const added = await signatureHeaders(source, { method: 'POST', url: `${origin}/a?q=1`, body }, { clock })
    const request = new Request(`${origin}/a?q=1`, { method: 'POST', headers: added })
    expect((await checkSignature(request)).proof).toBe('signature')
    checkContentDigest(fieldsOf(request), body)
  })
})
