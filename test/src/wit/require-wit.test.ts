import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { callerOf } from '../../../src/http/bearer.ts'
import { exactly, memberOf } from '../../../src/id/matcher.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { verifyJwtSvid } from '../../../src/svid/verify.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { HeaderFields } from '../../../src/wit/header-fields.ts'
import { ReplayCache } from '../../../src/wit/replay-cache.ts'
import { requireWit, type RequireWitOptions, witVerifier } from '../../../src/wit/require-wit.ts'
import { signRequest } from '../../../src/wit/sign-message.ts'
import { signProofToken } from '../../../src/wit/proof-token.ts'
import { witPeerOf } from '../../../src/wit/wit-peer.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { bundles, ecKeys, heldWit, issueWit, now, seconds, signedBy } from './wit-world.ts'

type Line = readonly [name: string, value: string]

const origin = 'https://api.example.org'
const target = '/v1/items?q=1'
const audience = `${origin}/v1/items`
const svid = heldWit()
const service = heldWit({ sub: 'spiffe://example.org/api' })
const signWith = { current: () => ({ svid: service, bundles }) }

function requestWith(lines: readonly Line[], body?: string, url = target, method = 'POST'): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { method, url, httpVersionMajor: 1, httpVersionMinor: 1 })
  const all: readonly Line[] = body === undefined ? lines : [...lines, ['Content-Length', String(body.length)]]
  for (const [name, value] of all) {
    request.rawHeaders.push(name, value)
    request.headers[name.toLowerCase()] ??= value
  }
  if (body !== undefined) request.push(body)
  request.push(null)
  return request
}

async function ask(request: IncomingMessage, changes: Partial<RequireWitOptions> = {}) {
  const response = new ServerResponse(request)
  const refused: Error[] = []
  let passed = 0
  const check = requireWit(
    { bundles },
    {
      origins: [origin],
      allow: memberOf('example.org'),
      clock: new FakeClock(now),
      onRefused: (error) => refused.push(error),
      ...changes,
    },
  )
  const mayGoOn = await check(request, response, () => passed++)
  return {
    mayGoOn,
    passed,
    code: refused[0] instanceof SallyportError ? refused[0].code : refused[0],
    status: response.writableEnded ? response.statusCode : undefined,
    headers: response.getHeaders(),
  }
}
const passes = { mayGoOn: true, passed: 1, code: undefined, status: undefined }
const refusal = (code: string, status = 400) => ({ mayGoOn: false, passed: 0, code, status })

const proofFor = (changes: Partial<Parameters<typeof signProofToken>[1]> = {}, wit = svid): Promise<string> =>
  signProofToken(wit, { audience, fields: HeaderFields.of([]), tokenFields: [], now, ...changes })
const proven = async (wit = svid, ...more: readonly Line[]): Promise<readonly Line[]> => [
  ['Workload-Identity-Token', wit.token],
  ['Workload-Proof-Token', await proofFor({ fields: HeaderFields.of(more) }, wit)],
  ...more,
]
async function signed(
  body = '',
  signResponse = false,
  headers: readonly Line[] = [],
  method = 'POST',
): Promise<readonly Line[]> {
  const fields = HeaderFields.of(headers)
  const request = { method, target, fields }
  const order = { audience, tokenFields: [], signResponse, now }
  return [...headers, ...Object.entries((await signRequest(request, Buffer.from(body), svid, order)).headers)]
}

describe('requireWit() with a Workload Proof Token', () => {
  test('WP-03 lets a caller in whose WIT-SVID and proof hold, and says who it is', async () => {
    const request = requestWith(await proven(), 'hello')
    expect(await ask(request)).toMatchObject(passes)
    const peer = witPeerOf(request)
    expect(peer).toMatchObject({ proof: 'token', body: undefined, coveredTokens: new Set() })
    expect([peer.spiffeId.toString(), peer.svid.token]).toEqual(['spiffe://example.org/web', svid.token])
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk)
    expect(body).toBe('hello')
  })

  test('WI-23 WI-25 a WIT-SVID alone lets nobody in', async () => {
    expect(await ask(requestWith([['Workload-Identity-Token', svid.token]]))).toMatchObject(
      refusal('WIT_PROOF_MISSING'),
    )
    const foreign = heldWit({}, ecKeys())
    const stolen: readonly Line[] = [
      ['Workload-Identity-Token', svid.token],
      ['Workload-Proof-Token', await proofFor({}, { ...svid, privateKey: foreign.privateKey })],
    ]
    expect(await ask(requestWith(stolen))).toMatchObject(refusal('WIT_PROOF_INVALID'))
  })

  test('WI-24 a WIT-SVID in Authorization is no WIT-SVID', async () => {
    const lines: readonly Line[] = [['Authorization', `Bearer ${svid.token}`]]
    expect(await ask(requestWith(lines))).toMatchObject(refusal('WIT_PROOF_MISSING'))
    const withProof: readonly Line[] = [...lines, ['Workload-Proof-Token', await proofFor()]]
    expect(await ask(requestWith(withProof))).toMatchObject(refusal('WIT_PROOF_MISSING'))
  })

  test.for(['Workload-Identity-Token', 'Workload-Proof-Token'])('WP-01 WP-04 refuses two headers %s', async (name) => {
    const lines = await proven()
    const again = lines.find(([one]) => one === name)!
    expect(await ask(requestWith([...lines, [name.toLowerCase(), again[1]]]))).toMatchObject(
      refusal('WIT_PROOF_MISSING'),
    )
    const joined = lines.map(([one, value]): Line => [one, one === name ? `${value}, ${value}` : value])
    const { code, status } = await ask(requestWith(joined))
    expect([code, status]).toEqual([name.includes('Proof') ? 'WIT_PROOF_INVALID' : 'JWS_INVALID', 400])
  })

  test('WP-03 HS-10 says what is wrong with the WIT-SVID before it looks at a proof', async () => {
    const bad = signedBy(ecKeys(), { alg: 'ES256', kid: 'k1', typ: 'wit+jwt' }, svid.claims)
    for (const proof of [
      [['Workload-Proof-Token', await proofFor()]],
      [['Workload-Proof-Token', 'x']],
      [['Signature-Input', 'wimse=(((']],
      [],
    ] as readonly (readonly Line[])[]) {
      const lines: readonly Line[] = [['Workload-Identity-Token', bad], ...proof]
      expect(await ask(requestWith(lines))).toMatchObject(refusal('JWS_SIGNATURE_INVALID'))
    }
  })

  test('WP-06 WP-07 what the request says of its own address is not believed', async () => {
    const proof = await proofFor({ audience: 'https://victim.test/v1/items' })
    const lines: readonly Line[] = [
      ['Host', 'victim.test'],
      ['X-Forwarded-Host', 'victim.test'],
      ['Forwarded', 'host=victim.test;proto=https'],
      ['Workload-Identity-Token', svid.token],
      ['Workload-Proof-Token', proof],
    ]
    expect(await ask(requestWith(lines))).toMatchObject(refusal('WIT_PROOF_AUDIENCE'))
    expect(await ask(requestWith(lines, undefined, 'https://victim.test/v1/items'))).toMatchObject(
      refusal('WIT_PROOF_AUDIENCE'),
    )
    expect(await ask(requestWith(lines), { origins: [origin, 'https://victim.test'] })).toMatchObject(passes)
  })

  test.for(['/v1/other', '/v1/items/', '/', '*', '//v1/items', 'api.example.org:443', ''])(
    'WP-06 WI-30 a proof for one path is none for %j',
    async (url) => {
      expect(await ask(requestWith(await proven(), undefined, url))).toMatchObject(refusal('WIT_PROOF_AUDIENCE'))
    },
  )

  test('WP-06 goes by the path that was sent, where a framework has taken off what it is mounted on', async () => {
    const mounted = Object.assign(requestWith(await proven(), undefined, '/items?q=1'), { originalUrl: target })
    expect(await ask(mounted)).toMatchObject(passes)
  })

  test('WP-10 WI-28 refuses a proof that was used, by the same middleware and wherever a cache is shared', async () => {
    const lines = await proven()
    const replays = new ReplayCache({ clock: new FakeClock(now) })
    expect(await ask(requestWith(lines), { replays })).toMatchObject(passes)
    expect(await ask(requestWith(lines), { replays })).toMatchObject(refusal('WIT_PROOF_REPLAYED'))
    expect(await ask(requestWith(lines), { replays: false })).toMatchObject(passes)
  })

  test('WI-13 the same WIT-SVID with another proof is accepted', async () => {
    const replays = new ReplayCache({ clock: new FakeClock(now) })
    const wit = heldWit({ jti: 'once' })
    for (let round = 0; round < 3; round++)
      expect(await ask(requestWith(await proven(wit)), { replays })).toMatchObject(passes)
  })

  test('WI-28 answers 503 while it can remember no more proofs', async () => {
    const replays = new ReplayCache({ clock: new FakeClock(now), maxProofs: 1 })
    expect(await ask(requestWith(await proven()), { replays })).toMatchObject(passes)
    expect(await ask(requestWith(await proven()), { replays })).toMatchObject(refusal('REPLAY_CACHE_FULL', 503))
  })

  test('WI-28 whoever is not allowed fills no cache', async () => {
    const replays = new ReplayCache({ clock: new FakeClock(now) })
    const allow = exactly('spiffe://example.org/admin')
    expect(await ask(requestWith(await proven()), { replays, allow })).toMatchObject(refusal('PEER_REFUSED', 403))
    expect(replays.size).toBe(0)
  })

  test('WP-11 WP-12 covers tokens that come along, and says which', async () => {
    const line: Line = ['Authorization', 'Bearer t']
    const request = requestWith(await proven(svid, line))
    expect(await ask(request)).toMatchObject(passes)
    expect([...witPeerOf(request).coveredTokens]).toEqual(['authorization'])
    expect(await ask(requestWith([...(await proven()), line]))).toMatchObject(refusal('WIT_PROOF_INVALID'))
    const key: Line = ['X-Api-Key', 'k']
    const lines = [...(await proven()), key]
    expect(await ask(requestWith(lines))).toMatchObject(passes)
    expect(await ask(requestWith(lines), { tokenHeaders: ['X-API-Key'] })).toMatchObject(refusal('WIT_PROOF_INVALID'))
  })

  test.for([
    ['no WIT-SVID', () => Promise.resolve([])],
    [
      'an ended WIT-SVID',
      async () => proven(heldWit({ exp: seconds + 1 })),
      { clock: new FakeClock(new Date(now.getTime() + 40_000)) },
    ],
    ['a foreign trust domain', () => proven(heldWit({ sub: 'spiffe://other.test/web' }))],
    [
      'an unknown key',
      async () => [
        ['Workload-Identity-Token', issueWit({}, { kid: 'k9' })],
        ['Workload-Proof-Token', await proofFor()],
      ],
    ],
    [
      'a proof of another time',
      async () => [
        ['Workload-Identity-Token', svid.token],
        ['Workload-Proof-Token', await proofFor({ now: new Date(now.getTime() - 100_000) })],
      ],
    ],
    ['no JSON', () => Promise.resolve([['Workload-Identity-Token', 'e30.e30.AAAA']])],
  ] as readonly (readonly [string, () => Promise<readonly Line[]>, Partial<RequireWitOptions>?])[])(
    'WP-14 HS-15 answers 400 and asks for no credentials: %s',
    async ([, lines, changes]) => {
      const answer = await ask(requestWith(await lines()), changes)
      expect(answer).toMatchObject({ mayGoOn: false, passed: 0, status: 400 })
      expect(answer.headers).not.toHaveProperty('www-authenticate')
      expect(answer.headers['content-type']).toBe('application/problem+json')
    },
  )

  test('WP-14 the answer names the code, and nothing of the request', async () => {
    const request = requestWith([['Workload-Identity-Token', `${svid.token}x`]])
    const response = new ServerResponse(request)
    const sent: string[] = []
    response.end = ((body: Buffer) => sent.push(body.toString())) as never
    const check = requireWit({ bundles }, { origins: [origin], allow: memberOf('example.org') })
    expect(await check(request, response)).toBe(false)
    expect(JSON.parse(sent[0]!)).toEqual({
      type: 'about:blank',
      title: expect.any(String) as string,
      status: 400,
      code: 'JWS_INVALID',
    })
  })

  test('answers 503 when there is nothing to verify with', async () => {
    const closed = {
      get bundles() {
        if (isClosed) throw new SallyportError('SOURCE_CLOSED', 'closed')
        return bundles
      },
    }
    let isClosed = false
    const request = requestWith(await proven())
    const response = new ServerResponse(request)
    const check = requireWit(closed, { origins: [origin], allow: memberOf('example.org'), clock: new FakeClock(now) })
    isClosed = true
    expect([await check(request, response), response.statusCode]).toEqual([false, 503])
  })

  test('WP-07 needs a source, callers to allow, and its own names from configuration', () => {
    const options = { origins: [origin], allow: memberOf('example.org') }
    expect(() => requireWit(Promise.resolve() as never, options)).toThrow('await WitSource.open()')
    expect(() => requireWit({ bundles }, { origins: [origin] } as never)).toThrow('`allow`')
    expect(() => requireWit({ bundles }, { allow: memberOf('example.org') })).toThrow('`origins` or `audiences`')
    expect(() => requireWit({ bundles }, { ...options, signWith: {} as never })).toThrow('source of WIT-SVIDs')
  })
})

test('WP-14 HS-15 whatever stands in the headers is answered, and lets nobody in', async () => {
  const good = new Map([...(await signed()), ...(await proven())])
  const names = [...good.keys(), 'Authorization', 'Txn-Token', 'Content-Digest', 'Content-Type']
  const value = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 60 }),
    fc.constantFrom(...good.values()),
    fc.tuple(fc.constantFrom(...good.values()), fc.nat(200)).map(([text, at]) => text.slice(at)),
    fc.constant('wimse=("@method" "@request-target" "workload-identity-token")'),
    fc.constant('wimse=:AAAA:'),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 8 }), async (lines) => {
      // All of one good request together would be one.
      fc.pre(!lines.some(([name, text]) => /Proof|signature$/i.test(name) && good.get(name) === text))
      const { mayGoOn, passed, status } = await ask(requestWith(lines))
      expect([mayGoOn, passed, status]).toEqual([false, 0, 400])
    }),
    { numRuns: 500 },
  )
})

describe('requireWit() with an HTTP signature', () => {
  test('HS-01 HS-03 lets a caller in, with the body that was signed', async () => {
    const request = requestWith(await signed('hello'), 'hello')
    expect(await ask(request)).toMatchObject(passes)
    const { proof, body } = witPeerOf(request)
    expect([proof, body?.toString()]).toEqual(['signature', 'hello'])
  })

  test('HS-01 a request without a body needs no digest', async () => {
    const request = requestWith(await signed('', false, [], 'GET'), undefined, target, 'GET')
    expect(await ask(request)).toMatchObject(passes)
    expect(witPeerOf(request).body).toEqual(Buffer.alloc(0))
  })

  test('HS-03 refuses an altered body, and one without a digest', async () => {
    expect(await ask(requestWith(await signed('hello'), 'hellp'))).toMatchObject(refusal('CONTENT_DIGEST_INVALID'))
    expect(await ask(requestWith(await signed(''), 'hello'))).toMatchObject(refusal('CONTENT_DIGEST_INVALID'))
    expect(await ask(requestWith(await signed('hello')))).toMatchObject(refusal('CONTENT_DIGEST_INVALID'))
  })

  test('HS-03 reads no more of a body than its limit, and answers 413', async () => {
    const body = 'x'.repeat(1000)
    const request = requestWith(await signed(body), body)
    expect(await ask(request, { maxBodyBytes: 999 })).toMatchObject(refusal('MESSAGE_TOO_LARGE', 413))
    expect(await ask(requestWith(await signed(body), body), { maxBodyBytes: 1000 })).toMatchObject(passes)
  })

  test('HS-03 waits for no body of a sender who went away while the signature was checked', async () => {
    const request = requestWith(await signed('hello'), 'hello')
    request.destroy()
    expect(await ask(request)).toMatchObject({ mayGoOn: false, code: 'CALL_CANCELLED' })
  })

  test('HS-03 says so when somebody has read the body before', async () => {
    const request = requestWith(await signed('hello'), 'hello')
    for await (const _ of request);
    expect(await ask(request)).toMatchObject({ mayGoOn: false, status: 503 })
  })

  test('HS-11 refuses a nonce that was used, also in front of the body', async () => {
    const replays = new ReplayCache({ clock: new FakeClock(now) })
    const lines = await signed('hello')
    expect(await ask(requestWith(lines, 'hello'), { replays })).toMatchObject(passes)
    const again = requestWith(lines, 'hello')
    expect(await ask(again, { replays })).toMatchObject(refusal('WIT_PROOF_REPLAYED'))
    expect(again.readableEnded).toBe(false)
  })

  test('HS-12 answers 501 to a request for a signed answer, before the handler, where nothing signs', async () => {
    expect(await ask(requestWith(await signed('', true)))).toMatchObject(refusal('RESPONSE_NOT_SIGNABLE', 501))
    const none = {
      current: () => {
        throw new SallyportError('SVID_EXPIRED', 'ended')
      },
    }
    expect(await ask(requestWith(await signed('', true)), { signWith: none })).toMatchObject(
      refusal('RESPONSE_NOT_SIGNABLE', 501),
    )
    expect(await ask(requestWith(await signed('', true)), { signWith })).toMatchObject(passes)
  })

  test('WI-26 takes either proof, or one kind alone; of several each must hold', async () => {
    expect(await ask(requestWith(await proven()), { proof: 'signature' })).toMatchObject(refusal('WIT_PROOF_MISSING'))
    expect(await ask(requestWith(await signed()), { proof: 'token' })).toMatchObject(refusal('WIT_PROOF_MISSING'))
    expect(await ask(requestWith(await signed()), { proof: 'signature' })).toMatchObject(passes)
    const token: Line = ['Workload-Proof-Token', await proofFor()]
    expect(await ask(requestWith([...(await signed()), token]))).toMatchObject(passes)
    const twice = [token, ['workload-proof-token', await proofFor()] as const]
    expect(await ask(requestWith([...(await signed()), ...twice]))).toMatchObject(refusal('WIT_PROOF_MISSING'))
    const wrong: Line = ['Workload-Proof-Token', await proofFor({ audience: 'https://evil.test/' })]
    expect(await ask(requestWith([...(await signed()), wrong]))).toMatchObject(refusal('WIT_PROOF_AUDIENCE'))
  })

  test('HS-14 an Accept-Signature is ignored, whatever it says', async () => {
    expect(await ask(requestWith(await signed('', false, [['Accept-Signature', ';;;']])))).toMatchObject(passes)
  })
})

describe('requireWit() beside bearer tokens', () => {
  async function setUp() {
    const home = await TestAuthority.create({ now })
    const jwtBundles = bundleSetOf([home.bundleWithJwt()])
    const source = {
      verify: (token: string, accepted: readonly string[] | string) =>
        verifyJwtSvid(token, accepted, jwtBundles, { now }),
    }
    const token = (path: string) => home.issueJwt({ audience: 'api', path })
    const bearerInstead = { source, audience: 'api', allow: exactly('spiffe://example.org/old') }
    return { token, bearer: bearerInstead }
  }

  test('WP-16 decides by caller who may still come with a bearer token', async () => {
    const { token, bearer } = await setUp()
    const old = requestWith([['Authorization', `Bearer ${await token('/old')}`]])
    expect(await ask(old, { bearer })).toMatchObject(passes)
    expect(callerOf(old).spiffeId.path).toBe('/old')
    expect(() => witPeerOf(old)).toThrowCode('PEER_NOT_VERIFIED')
    const other = requestWith([['Authorization', `Bearer ${await token('/web')}`]])
    expect(await ask(other, { bearer })).toMatchObject(refusal('PEER_REFUSED', 403))
  })

  test('WP-16 bearer tokens are off by default', async () => {
    const { token } = await setUp()
    expect(await ask(requestWith([['Authorization', `Bearer ${await token('/old')}`]]))).toMatchObject(
      refusal('WIT_PROOF_MISSING'),
    )
  })

  test('WP-16 WI-24 a request with a WIT-SVID is judged by that, and a WIT-SVID is no bearer token', async () => {
    const { token, bearer } = await setUp()
    const line: Line = ['Authorization', `Bearer ${await token('/old')}`]
    expect(await ask(requestWith([['Workload-Identity-Token', svid.token], line]), { bearer })).toMatchObject(
      refusal('WIT_PROOF_MISSING'),
    )
    const wit = requestWith([['Authorization', `Bearer ${svid.token}`]])
    expect(await ask(wit, { bearer })).toMatchObject({ mayGoOn: false, status: 401 })
  })
})

test('witVerifier() resolves to the caller, or rejects for the error handling of a framework', async () => {
  const verify = witVerifier(
    { bundles },
    { origins: [origin], allow: memberOf('example.org'), clock: new FakeClock(now) },
  )
  expect((await verify(requestWith(await proven()))).spiffeId.path).toBe('/web')
  await expect(verify(requestWith([]))).rejects.toThrowCode('WIT_PROOF_MISSING')
  await expect(verify(requestWith(await signed('', true)))).rejects.toThrowCode('RESPONSE_NOT_SIGNABLE')
})
