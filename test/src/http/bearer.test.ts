import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { bearer, type BearerOptions, bearerVerifier, callerOf, type TokenVerifier } from '../../../src/http/bearer.ts'
import { exactly, memberOf } from '../../../src/id/matcher.ts'
import { verifyJwtSvid } from '../../../src/svid/verify.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

let home: TestAuthority
let source: TokenVerifier
let good: string
beforeAll(async () => {
  home = await TestAuthority.create()
  const bundles = bundleSetOf([home.bundleWithJwt()])
  source = { verify: (token, audience) => verifyJwtSvid(token, audience, bundles) }
  good = await home.issueJwt({ audience: ['reports'], path: '/web' })
})

const options: BearerOptions = { audience: 'reports', allow: memberOf('example.org') }

function requestWith(...headers: readonly (readonly [string, string])[]): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  for (const [name, value] of headers) {
    request.rawHeaders.push(name, value)
    request.headers[name.toLowerCase()] ??= value
  }
  return request
}
const withToken = (token: string): IncomingMessage => requestWith(['Authorization', `Bearer ${token}`])

async function ask(request: IncomingMessage, overrides: Partial<BearerOptions> = {}, verifier = source) {
  const response = new ServerResponse(request)
  const refused: Error[] = []
  let passed = 0
  const check = bearer(verifier, { ...options, onRefused: (error) => refused.push(error), ...overrides })
  const mayGoOn = await check(request, response, () => passed++)
  return {
    mayGoOn,
    passed,
    refused,
    status: response.writableEnded ? response.statusCode : undefined,
    challenge: response.getHeader('www-authenticate'),
  }
}

describe('bearer()', () => {
  test('JW-25 lets a caller in whose token verifies, and says who it is', async () => {
    const request = withToken(good)
    expect(await ask(request)).toMatchObject({ mayGoOn: true, passed: 1, status: undefined, refused: [] })
    expect(callerOf(request).spiffeId.toString()).toBe('spiffe://example.org/web')
  })

  test.for([
    ['no header', () => requestWith()],
    ['another scheme', () => requestWith(['Authorization', `Basic ${good}`])],
    ['no token', () => requestWith(['Authorization', 'Bearer '])],
    ['two tokens', () => requestWith(['Authorization', `Bearer ${good} ${good}`])],
    ['two headers', () => requestWith(['Authorization', `Bearer ${good}`], ['authorization', 'Bearer x'])],
  ] as const)('JW-25 answers 401 and asks for a token: %s', async ([, request]) => {
    const answer = await ask(request())
    expect(answer).toMatchObject({ mayGoOn: false, passed: 0, status: 401, challenge: 'Bearer' })
    expect(answer.refused[0]).toThrowCode('TOKEN_MISSING')
  })

  test.for([
    ['JWS_INVALID', () => Promise.resolve('not-a-token')],
    ['JWT_SVID_AUDIENCE', () => home.issueJwt({ audience: ['orders'] })],
    ['JWT_SVID_EXPIRED', () => home.issueJwt({ audience: ['reports'], expiresAt: new Date(Date.now() - 60_000) })],
    ['JWS_SIGNATURE_INVALID', () => Promise.resolve(`${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(86)}`)],
    [
      'BUNDLE_UNKNOWN',
      async () => (await TestAuthority.create({ trustDomain: 'other.test' })).issueJwt({ audience: ['reports'] }),
    ],
  ] as const)('answers 401 with the code %s and nothing of the token', async ([code, token]) => {
    const text = await token()
    const answer = await ask(withToken(text))
    expect(answer).toMatchObject({
      mayGoOn: false,
      passed: 0,
      status: 401,
      challenge: `Bearer error="invalid_token", error_description="${code}"`,
    })
    expect(answer.refused[0]?.message).not.toContain(text)
  })

  test('answers 403 to a caller that is proven and not allowed', async () => {
    const request = withToken(good)
    expect(await ask(request, { allow: exactly('spiffe://example.org/admin') })).toMatchObject({
      mayGoOn: false,
      status: 403,
      challenge: 'Bearer error="insufficient_scope", error_description="PEER_REFUSED"',
    })
    expect(() => callerOf(request)).toThrowCode('PEER_NOT_VERIFIED')
  })

  test.for([
    ['is closed', new SallyportError('SOURCE_CLOSED', 'closed')],
    ['has a fault', new TypeError('a fault')],
  ] as const)('answers 503 when the source %s', async ([, failure]) => {
    const verifier = { verify: () => Promise.reject(failure) }
    const answer = await ask(withToken(good), {}, verifier)
    expect(answer).toMatchObject({ mayGoOn: false, passed: 0, status: 503, challenge: undefined, refused: [failure] })
  })

  test('leaves an answer alone that somebody gave while the token was being verified', async () => {
    const request = withToken('no token')
    const response = new ServerResponse(request)
    const checking = bearer(source, options)(request, response)
    response.writeHead(503).end()
    expect([await checking, response.statusCode]).toEqual([false, 503])
  })

  test('needs a source, an audience and callers to allow', () => {
    expect(() => bearer(Promise.resolve(source) as never, options)).toThrow('await JwtSource.open()')
    expect(() => bearer(source, { ...options, audience: [] })).toThrow(TypeError)
    expect(() => bearer(source, { ...options, audience: '' })).toThrow(TypeError)
    expect(() => bearer(source, { audience: 'reports' } as BearerOptions)).toThrow(TypeError)
  })
})

test('bearerVerifier() resolves to the caller, or rejects for the error handling of a framework', async () => {
  const verify = bearerVerifier(source, options)
  expect((await verify(withToken(good))).spiffeId.path).toBe('/web')
  await expect(verify(requestWith())).rejects.toThrowCode('TOKEN_MISSING')
})
