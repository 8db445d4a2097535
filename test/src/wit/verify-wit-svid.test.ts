import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign } from 'jose'
import { describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { parseBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { verifyJwtSvid } from '../../../src/svid/verify.ts'
import { verifyWitSvid, type WitVerifyOptions } from '../../../src/wit/verify-wit-svid.ts'
import { parseWitSvid, PRIVATE_JWK_MAX, withPrivateKey } from '../../../src/wit/wit-svid.ts'
import {
  authorityKeys,
  bundles,
  bundleWith,
  ecKeys,
  issueWit,
  now,
  refusesAnyBytes,
  seconds,
  signedBy,
  vectors,
  witClaims,
  witHeader,
  workloadKeys,
} from './wit-world.ts'

const verify = (token: string, options: WitVerifyOptions = {}) => verifyWitSvid(token, bundles, { now, ...options })
const jwkWith = (changes: object) => ({ cnf: { jwk: { ...(witClaims()['cnf'] as { jwk: object }).jwk, ...changes } } })

describe('verifyWitSvid()', () => {
  test('accepts a token of the trust domain and says what it holds', async () => {
    const token = issueWit({ jti: 'one', nbf: seconds - 10, foo: { bar: [1] } })
    const svid = await verify(token)
    expect(svid).toMatchObject({
      algorithm: 'ES256',
      tokenId: 'one',
      token,
      keyId: 'k1',
      hint: '',
      issuedAt: now,
      notBefore: new Date(now.getTime() - 10_000),
      expiresAt: new Date(now.getTime() + 3_600_000),
    })
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/web')
    expect(svid.publicKey.equals(workloadKeys.publicKey)).toBe(true)
    expect(svid.publicJwk).toEqual(workloadKeys.publicKey.export({ format: 'jwk' }))
    expect(svid.claims['foo']).toEqual({ bar: [1] })
  })

  test('WI-01 accepts what an independent library signed', async () => {
    const token = await new CompactSign(Buffer.from(JSON.stringify(witClaims())))
      .setProtectedHeader(witHeader)
      .sign(authorityKeys.privateKey)
    expect((await verify(token)).spiffeId.path).toBe('/web')
  })

  test.for([
    (token: string) => `${token}.x`,
    (token: string) => token.slice(0, token.lastIndexOf('.')),
    (token: string) => `${token}=`,
    (token: string) => ` ${token}`,
    (token: string) => token.replace('.', '..'),
    () => '',
  ])('WI-01 refuses what is not three parts of base64url: %s', async (change) => {
    await expect(verify(change(issueWit()))).rejects.toThrowCode('JWS_INVALID')
  })

  test.for(['[]', 'null', '"x"', '{"sub":1,"sub":2}', '{', '\u0000'])(
    'WI-01 refuses the payload %s, which is no object',
    async (payload) => {
      await expect(verify(signedBy(authorityKeys, witHeader, payload))).rejects.toThrowCode('JSON_INVALID')
    },
  )

  test('WI-03 the kid is opaque and case-sensitive', async () => {
    const upper = bundleSetOf([bundleWith({ KEY1: authorityKeys.publicKey, ' /ü': authorityKeys.publicKey })])
    expect((await verifyWitSvid(issueWit({}, { kid: 'KEY1' }), upper, { now })).keyId).toBe('KEY1')
    expect((await verifyWitSvid(issueWit({}, { kid: ' /ü' }), upper, { now })).keyId).toBe(' /ü')
    await expect(verifyWitSvid(issueWit({}, { kid: 'key1' }), upper, { now })).rejects.toThrowCode('WIT_KEY_UNKNOWN')
  })

  test.for([undefined, '', 5])('WI-03 refuses the kid %j', async (kid) => {
    await expect(verify(issueWit({}, { kid }))).rejects.toThrowCode('JWS_INVALID', '"kid"')
  })

  test.for([undefined, 'JWT', 'JOSE', 'WIT+JWT', 'application/wit+jwt', 'wit', 'wpt+jwt', '', 5])(
    'WI-04 refuses typ %j',
    async (typ) => {
      await expect(verify(issueWit({}, { typ }))).rejects.toThrowCode('JWS_INVALID', '"typ"')
    },
  )

  test.for(['none', 'HS256', 'EdDSA', 'ML-DSA-44', 'es256', undefined, 5])('WI-05 refuses alg %j', async (alg) => {
    await expect(verify(issueWit({}, { alg }))).rejects.toThrowCode('JWS_INVALID', '"alg"')
  })

  test.for(['ES384', 'RS256', 'PS512'])('WI-05 refuses %s of a key on P-256', async (alg) => {
    await expect(verify(issueWit({}, { alg }))).rejects.toThrowCode('JWS_SIGNATURE_INVALID', 'another')
  })

  test.for(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const)(
    'WI-05 WI-10 accepts %s, of the authority and of the workload',
    async (alg) => {
      const curve = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }[alg as 'ES256']
      const keys = alg.startsWith('ES') ? ecKeys(curve) : generateKeyPairSync('rsa', { modulusLength: 2048 })
      const token = await new CompactSign(Buffer.from(JSON.stringify(witClaims(keys, alg))))
        .setProtectedHeader({ ...witHeader, alg })
        .sign(keys.privateKey)
      const svid = await verifyWitSvid(token, bundleSetOf([bundleWith({ k1: keys.publicKey })]), { now })
      expect(svid.algorithm).toBe(alg)
    },
  )

  test('WI-07 ignores a header parameter that it does not know, refuses crit, and never takes a key from the header', async () => {
    expect((await verify(issueWit({}, { foo: [1] }))).keyId).toBe('k1')
    await expect(verify(issueWit({}, { foo: 1, crit: ['foo'] }))).rejects.toThrowCode('JWS_INVALID', 'crit')
    const attacker = ecKeys()
    const header = { jwk: attacker.publicKey.export({ format: 'jwk' }), jku: 'https://evil.test/keys', x5c: ['AAAA'] }
    await expect(verify(issueWit({}, header, attacker))).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })

  test.for([
    undefined,
    5,
    '',
    'example.org/a',
    'spiffe://example.org',
    'spiffe://example.org/',
    'spiffe://EXAMPLE.org/a',
    'wimse://example.org/a',
    ['spiffe://example.org/web'],
  ])('WI-08 refuses the sub %j', async (sub) => {
    await expect(verify(issueWit({ sub }))).rejects.toThrowCode('WIT_SVID_INVALID', '"sub"')
  })

  test.for([
    undefined,
    null,
    {},
    [],
    'x',
    { kid: 'k' },
    { jwk: null },
    { jwk: [] },
    { jwk: 'x' },
    { jwk: { kty: 'oct', k: 'AAAA', alg: 'HS256' } },
    { jwk: { kty: 'oct', k: 'AAAA', alg: 'ES256' } },
    { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', alg: 'ES256' } },
  ])('WI-09 refuses the cnf %j', async (cnf) => {
    await expect(verify(issueWit({ cnf }))).rejects.toThrowCode('WIT_SVID_INVALID', '"cnf')
  })

  test.for([{ d: 'AAAA' }, { p: 'AAAA' }, { k: 'AAAA' }, { x: 'AAAA' }, { x: undefined }, { crv: 'secp256k1' }])(
    'WI-09 refuses a cnf.jwk with %j',
    async (changes) => {
      await expect(verify(issueWit(jwkWith(changes)))).rejects.toThrowCode('WIT_SVID_INVALID', 'cnf.jwk')
    },
  )

  test.for(['jwe', 'jku'])('WI-09 refuses a cnf with a %s beside its jwk, which names a second key', async (member) => {
    const { jwk } = witClaims()['cnf'] as { jwk: object }
    await expect(verify(issueWit({ cnf: { jwk, [member]: 'x' } }))).rejects.toThrowCode('WIT_SVID_INVALID', 'one key')
  })

  test('WI-09 refuses a weak key', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    await expect(verify(issueWit(witClaims(weak, 'RS256')))).rejects.toThrowCode('WIT_SVID_INVALID', '1024 bits')
  })

  test.for([undefined, 'EdDSA', 'none', 'HS256', 'ECDH-ES', 5])('WI-10 refuses cnf.jwk.alg %j', async (alg) => {
    await expect(verify(issueWit(jwkWith({ alg })))).rejects.toThrowCode('WIT_SVID_INVALID', 'cnf.jwk.alg')
  })

  test.for(['ES384', 'ES512', 'RS256', 'PS256'])('WI-11 refuses cnf.jwk.alg %s of a key on P-256', async (alg) => {
    await expect(verify(issueWit(jwkWith({ alg })))).rejects.toThrowCode('WIT_SVID_INVALID', 'does not fit')
  })

  test.for([5, null, {}])('WI-12 refuses the jti %j, which is no text', async (jti) => {
    await expect(verify(issueWit({ jti }))).rejects.toThrowCode('WIT_SVID_INVALID', '"jti"')
  })

  test('WI-13 the same token is accepted any number of times: jti says nothing of replays', async () => {
    const token = issueWit({ jti: 'once' })
    for (let round = 0; round < 3; round++) expect((await verify(token)).tokenId).toBe('once')
  })

  test.for([undefined, null, 'soon', `${seconds + 60}`, true, 1e300])('WI-14 refuses the exp %j', async (exp) => {
    await expect(verify(issueWit({ exp }))).rejects.toThrowCode('WIT_SVID_INVALID', '"exp"')
  })

  test('WI-14 refuses what has ended, with 30 seconds of leeway by default and never more than 120', async () => {
    const endedFor = (age: number, leewaySeconds?: number) =>
      verify(issueWit({ exp: seconds - age }), { leewaySeconds })
    expect((await endedFor(29)).keyId).toBe('k1')
    expect((await endedFor(119, 10_000)).keyId).toBe('k1')
    await expect(endedFor(30)).rejects.toThrowCode('WIT_SVID_EXPIRED', 'it ended at 2026-06-01T11:59:30')
    await expect(endedFor(0, 0)).rejects.toThrowCode('WIT_SVID_EXPIRED')
    await expect(endedFor(0, -5)).rejects.toThrowCode('WIT_SVID_EXPIRED')
    await expect(endedFor(0, NaN)).rejects.toThrowCode('WIT_SVID_EXPIRED')
    await expect(endedFor(121, 10_000)).rejects.toThrowCode('WIT_SVID_EXPIRED')
  })

  test('WI-15 refuses what has not begun, with the same leeway', async () => {
    const startsIn = (wait: number) => verify(issueWit({ nbf: seconds + wait }))
    expect((await startsIn(30)).keyId).toBe('k1')
    await expect(startsIn(31)).rejects.toThrowCode('WIT_SVID_EXPIRED', 'it starts at')
    await expect(startsIn(3600)).rejects.toThrowCode('WIT_SVID_EXPIRED', 'it starts at')
    await expect(verify(issueWit({ nbf: 'now' }))).rejects.toThrowCode('WIT_SVID_INVALID', '"nbf"')
  })

  test.for([
    [{ nbf: seconds, exp: seconds + 7200 }, false],
    [{ nbf: seconds, exp: seconds + 3600 }, true],
    [{ iat: seconds - 3600, exp: seconds + 3600 }, false],
    [{ iat: undefined, exp: seconds + 3600 }, true],
    [{ iat: undefined, exp: seconds + 3601 }, false],
    [{ iat: seconds + 7200, exp: seconds + 3601 }, false],
  ] as const)('WI-16 a policy may limit how long a token lives: %j', async ([claims, isAccepted]) => {
    const verified = verify(issueWit(claims), { maxLifeSeconds: 3600 })
    if (isAccepted) expect((await verified).keyId).toBe('k1')
    else await expect(verified).rejects.toThrowCode('WIT_SVID_INVALID', 'lives longer than 3600 seconds')
    expect((await verify(issueWit(claims))).keyId).toBe('k1')
  })

  test('WI-17 iat in the future limits nothing', async () => {
    expect((await verify(issueWit({ iat: seconds + 3600 }))).issuedAt).toEqual(new Date(now.getTime() + 3_600_000))
  })

  test.for(['x', ['x'], [], '', null])('WI-19 refuses a token with the aud %j', async (aud) => {
    await expect(verify(issueWit({ aud }))).rejects.toThrowCode('WIT_SVID_INVALID', '"aud"')
  })

  test('WI-21 ignores claims that it does not know', async () => {
    expect((await verify(issueWit({ foo: 1, act: { sub: 'x' } }))).keyId).toBe('k1')
  })

  test('WI-34 JW-30 a key that is published for JWT-SVIDs verifies no WIT-SVID, and the reverse', async () => {
    const { publicKey } = authorityKeys
    const key = { keyId: 'k1', publicKey, expiresAt: undefined, tainted: false }
    const trustDomain = TrustDomain.parse('example.org')
    const forJwt = bundleSetOf([bundleOf({ trustDomain, jwtAuthorities: [key] })])
    await expect(verifyWitSvid(issueWit(), forJwt, { now })).rejects.toThrowCode('WIT_KEY_UNKNOWN')
    const jwt = signedBy(
      authorityKeys,
      { alg: 'ES256', kid: 'k1', typ: 'JWT' },
      { sub: 'spiffe://example.org/web', aud: ['x'], exp: seconds + 60 },
    )
    expect((await verifyJwtSvid(jwt, 'x', forJwt, { now })).keyId).toBe('k1')
    await expect(verifyJwtSvid(jwt, 'x', bundles, { now })).rejects.toThrowCode('JWT_KEY_UNKNOWN')
  })

  test('WI-34 a trust domain without WIT keys has no WIT-SVIDs', async () => {
    const none = bundleSetOf([bundleWith({})])
    await expect(verifyWitSvid(issueWit(), none, { now })).rejects.toThrowCode('WIT_KEY_UNKNOWN')
  })

  test('WI-35 only the bundle of the trust domain in sub counts', async () => {
    const foreign = ecKeys()
    const both = bundleSetOf([
      bundleWith({ k1: authorityKeys.publicKey }),
      bundleWith({ k2: foreign.publicKey }, 'other.test'),
    ])
    const token = issueWit({}, { kid: 'k2' }, foreign)
    await expect(verifyWitSvid(token, both, { now })).rejects.toThrowCode('WIT_KEY_UNKNOWN')
    await expect(verify(issueWit({ sub: 'spiffe://other.test/web' }))).rejects.toThrowCode('BUNDLE_UNKNOWN')
  })

  test('WI-35 a key that has ended verifies nothing', async () => {
    const [key] = bundles.values()[0]!.witAuthorities
    const ended = (expiresAt: Date) =>
      bundleSetOf([
        bundleOf({ trustDomain: TrustDomain.parse('example.org'), witAuthorities: [{ ...key!, expiresAt }] }),
      ])
    await expect(verifyWitSvid(issueWit(), ended(now), { now })).rejects.toThrowCode('WIT_KEY_UNKNOWN')
    expect((await verifyWitSvid(issueWit(), ended(new Date(now.getTime() + 1)), { now })).keyId).toBe('k1')
  })

  test('refuses a signature of somebody else, and any bit of a token that was changed', async () => {
    await expect(verify(issueWit({}, {}, ecKeys()))).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
    const token = issueWit()
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.'), async (index, letter) => {
        fc.pre(token[index] !== letter)
        const changed = token.slice(0, index) + letter + token.slice(index + 1)
        await expect(verify(changed)).rejects.toBeInstanceOf(SallyportError)
      }),
      { numRuns: 300 },
    )
  })

  test('answers any text with a SallyportError that does not repeat it', async () => {
    await refusesAnyBytes(verify)
  })
})

describe('the project vectors', () => {
  const { project } = vectors
  const known = bundleSetOf([parseBundleDocument(JSON.stringify(project.bundle), TrustDomain.parse('vector.test'))])

  test('WI-01 the WIT-SVID is accepted, and ends', async () => {
    const svid = await verifyWitSvid(project.witSvid, known)
    expect(svid.spiffeId.toString()).toBe('spiffe://vector.test/web')
    const later = new Date('2050-01-01T00:02:01Z')
    await expect(verifyWitSvid(project.witSvid, known, { now: later })).rejects.toThrowCode('WIT_SVID_EXPIRED')
  })

  test('JW-24 the WIT-SVID is no JWT-SVID, and the reverse', async () => {
    await expect(verifyJwtSvid(project.witSvid, 'x', known)).rejects.toThrowCode('JWS_INVALID', '"typ"')
    await expect(verifyWitSvid(project.jwtSvid, known)).rejects.toThrowCode('JWS_INVALID', '"typ"')
  })

  test('WA-50 its private key fits it', () => {
    const svid = withPrivateKey(parseWitSvid(project.witSvid), JSON.stringify(project.privateKey))
    expect(createPublicKey(svid.privateKey).equals(svid.publicKey)).toBe(true)
  })

  test('WI-01 the example of the standard is read', () => {
    const svid = parseWitSvid(vectors.standard.witSvid, 'internal')
    expect(svid).toMatchObject({
      keyId: 'lQSi3hZFnda2D-XJkj1zl7foJouiwI4nrAyhy4jZiJg',
      expiresAt: new Date(1765456503_000),
      issuedAt: new Date(1765452903_000),
      tokenId: '1yj19V4McOAzMcFi7qvsg_AgCxlrY5E_x509wlKKQtc',
      hint: 'internal',
    })
    expect(svid.spiffeId.toString()).toBe('spiffe://example.com/my-workload')
  })

  test('WI-05 WI-08 WI-10 plain WIMSE tokens, of wimse URIs and Ed25519, are none', () => {
    expect(() => parseWitSvid(vectors.wimse.wit)).toThrowCode('WIT_SVID_INVALID')
    expect(() => parseWitSvid(vectors.httpSignature.headers['Workload-Identity-Token']!)).toThrowCode('JWS_INVALID')
  })
})

describe('withPrivateKey()', () => {
  const svid = parseWitSvid(issueWit())
  const jwk = workloadKeys.privateKey.export({ format: 'jwk' })

  test('WA-50 takes the key of the token', () => {
    expect(withPrivateKey(svid, JSON.stringify(jwk)).privateKey.equals(workloadKeys.privateKey)).toBe(true)
  })

  test.for([
    ['another key', JSON.stringify(ecKeys().privateKey.export({ format: 'jwk' })), 'not the one'],
    ['a public key', JSON.stringify(workloadKeys.publicKey.export({ format: 'jwk' })), 'not a private JWK'],
    ['no key', '{}', 'not a private JWK'],
    ['a secret', '{"kty":"oct","k":"c2VjcmV0LXNlY3JldA"}', 'not a private JWK'],
    ['a long text', `{"kty":"${'x'.repeat(PRIVATE_JWK_MAX)}"}`, 'longer than'],
  ] as const)('WA-50 refuses %s, and repeats nothing of it', ([, text, why]) => {
    expect(() => withPrivateKey(svid, text)).toThrowCode('WIT_SVID_INVALID', why)
    expect(() => withPrivateKey(svid, text)).not.toThrow(/c2VjcmV0/)
  })

  test('WA-50 refuses what is not JSON', () => {
    expect(() => withPrivateKey(svid, 'secret secret')).toThrowCode('JSON_INVALID')
    expect(() => withPrivateKey(svid, 'secret secret')).not.toThrow(/secret/)
  })
})
