import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Bundle, bundleOf, type JwtAuthority } from '../../../src/bundle/bundle.ts'
import { parseBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import type { SignatureAlgorithm, Signer } from '../../../src/key/cryptography.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { parseJwtSvid } from '../../../src/svid/jwt-svid.ts'
import { JWT_LEEWAY_SECONDS, type JwtVerification, verifyJwtSvid } from '../../../src/svid/verify-jwt-svid.ts'

const now = new Date('2026-06-01T12:00:00Z')
const seconds = now.getTime() / 1000
const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const otherKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

const authority = (
  keyId: string,
  publicKey: KeyObject = keys.publicKey,
  changes: Partial<JwtAuthority> = {},
): JwtAuthority => ({
  keyId,
  publicKey,
  expiresAt: undefined,
  tainted: false,
  ...changes,
})
const bundle = (name: string, ...jwtAuthorities: readonly JwtAuthority[]): Bundle =>
  bundleOf({ trustDomain: TrustDomain.parse(name), jwtAuthorities })
const signerOf = ({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Signer => ({
  keyType: 'ec-p256',
  publicKey,
  sign: (algorithm: SignatureAlgorithm, data, encoding) => cryptography.sign(algorithm, privateKey, data, encoding),
})

const claims = { sub: 'spiffe://example.org/web', aud: ['x'], exp: seconds + 300, iat: seconds }
const issue = (changes: object = {}, kid = 'k1', signer = signerOf(keys)): Promise<string> =>
  signJws({ kid, typ: 'JWT' }, { ...claims, ...changes }, signer, 'ES256')
const known = [bundle('example.org', authority('k1'), authority('k2', otherKeys.publicKey))]
const verify = (
  token: string,
  bundles: readonly Bundle[] = known,
  options: JwtVerification = {},
  audience: string | string[] = 'x',
) => verifyJwtSvid(token, audience, bundleSetOf(bundles), now, options)

/** A token of the same key without `kid`. */
async function withoutKeyId(): Promise<string> {
  const head = Buffer.from('{"alg":"ES256"}').toString('base64url')
  const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
  const signature = await cryptography.sign('ES256', keys.privateKey, Buffer.from(`${head}.${body}`), 'ieee-p1363')
  return `${head}.${body}.${signature.toString('base64url')}`
}

describe('verifyJwtSvid()', () => {
  test('accepts a token of the trust domain and says what it holds', async () => {
    const token = await issue({ foo: { bar: [1] } })
    expect(await verify(token)).toMatchObject({
      audience: ['x'],
      issuedAt: now,
      expiresAt: new Date((seconds + 300) * 1000),
      claims: { ...claims, foo: { bar: [1] } },
      token,
    })
  })

  test('JW-21 accepts the same token twice', async () => {
    const token = await issue({ jti: 'once' })
    await verify(token)
    await verify(token)
  })

  test.for([
    ['unknown', 'k3'],
    ['in another case', 'K1'],
  ] as const)('JW-07 refuses a kid that is %s', async ([, kid]) => {
    await expect(verify(await issue({}, kid))).rejects.toThrowCode('JWT_KEY_UNKNOWN', kid)
  })

  test('JW-07 refuses a kid that belongs to another key of the trust domain', async () => {
    await expect(verify(await issue({}, 'k2'))).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })

  test('JW-07 takes a token without kid only where told', async () => {
    const token = await withoutKeyId()
    await expect(verify(token)).rejects.toThrowCode('JWT_SVID_INVALID', '"kid"')
    await verify(token, known, { missingKeyId: true })
    await expect(
      verify(token, [bundle('example.org', authority('k2', otherKeys.publicKey))], { missingKeyId: true }),
    ).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })

  test('JW-23 SV-01 WA-45 refuses a key of another trust domain, though its kid is known there', async () => {
    const foreign = bundle('other.test', authority('k9'))
    const token = await issue({}, 'k9')
    await expect(verify(token, [...known, foreign])).rejects.toThrowCode('JWT_KEY_UNKNOWN', 'example.org')
  })

  test('JW-23 JW-31 refuses a token of a trust domain without bundle, or without JWT keys', async () => {
    const token = await issue()
    await expect(verify(token, [bundle('other.test', authority('k1'))])).rejects.toThrowCode('BUNDLE_UNKNOWN')
    await expect(verify(token, [bundle('example.org')])).rejects.toThrowCode('JWT_KEY_UNKNOWN')
  })

  test('a key verifies nothing after its end', async () => {
    const ended = authority('k1', keys.publicKey, { expiresAt: now })
    await expect(verify(await issue(), [bundle('example.org', ended)])).rejects.toThrowCode('JWT_KEY_UNKNOWN')
  })

  test.for([undefined, 5, 'example.org/a', 'spiffe://td', 'spiffe://td/', '', ['spiffe://td/a']])(
    'JW-10 refuses sub %j',
    async (sub) => {
      await expect(verify(await issue({ sub }))).rejects.toThrowCode('JWT_SVID_INVALID', '"sub"')
    },
  )

  test.for(['x', ['x'], ['x', 'y'], ['y', 'x']])('JW-12 accepts aud %j for x', async (aud) => {
    await verify(await issue({ aud }))
  })

  test.for([['X'], ['xy'], 'y', ['x ']])('JW-12 refuses aud %j for x', async (aud) => {
    await expect(verify(await issue({ aud }))).rejects.toThrowCode('JWT_SVID_AUDIENCE')
  })

  test.for([undefined, [], '', [''], 5, [5], ['x', 5], null, Array.from({ length: 101 }, () => 'x')])(
    'JW-12 refuses aud %j, which is none',
    async (aud) => {
      await expect(verify(await issue({ aud }))).rejects.toThrowCode('JWT_SVID_INVALID', '"aud"')
    },
  )

  test.for([{ audience: [] }, { audience: '' }, { audience: ['x', ''] }])(
    'JW-13 $audience is no audience to verify for',
    async ({ audience }) => {
      await expect(verify(await issue(), known, {}, audience)).rejects.toBeInstanceOf(TypeError)
    },
  )

  test('JW-13 one of several audiences is enough', async () => {
    await verify(await issue(), known, {}, ['a', 'x'])
  })

  test.for([undefined, '1700000000', null, NaN, 1e300, {}])('JW-17 refuses exp %j', async (exp) => {
    await expect(verify(await issue({ exp }))).rejects.toThrowCode('JWT_SVID_INVALID', '"exp"')
  })

  test('JW-17 a token ends at exp, give or take the leeway', async () => {
    const strict = { leewaySeconds: 0 }
    await verify(await issue({ exp: seconds + 1 }), known, strict)
    await expect(verify(await issue({ exp: seconds }), known, strict)).rejects.toThrowCode('JWT_SVID_EXPIRED', 'ended')
    await expect(verify(await issue({ exp: seconds - 1 }), known, strict)).rejects.toThrowCode('JWT_SVID_EXPIRED')
    await verify(await issue({ exp: seconds - JWT_LEEWAY_SECONDS + 1 }))
    await expect(verify(await issue({ exp: seconds - JWT_LEEWAY_SECONDS }))).rejects.toThrowCode('JWT_SVID_EXPIRED')
  })

  test('JW-17 nobody can ask for more than 60 s of leeway', async () => {
    const generous = { leewaySeconds: 3600 }
    await verify(await issue({ exp: seconds - 59 }), known, generous)
    await expect(verify(await issue({ exp: seconds - 60 }), known, generous)).rejects.toThrowCode('JWT_SVID_EXPIRED')
  })

  test.for(['nbf', 'iat'])('JW-20 refuses a token whose %s lies in the future', async (claim) => {
    await expect(verify(await issue({ [claim]: seconds + 3600 }))).rejects.toThrowCode('JWT_SVID_EXPIRED', 'starts')
    await verify(await issue({ [claim]: seconds + JWT_LEEWAY_SECONDS }))
  })

  test.for(['nbf', 'iat'])('refuses a %s that is no instant', async (claim) => {
    await expect(verify(await issue({ [claim]: 'soon' }))).rejects.toThrowCode('JWT_SVID_INVALID', `"${claim}"`)
  })

  test('JW-20 ignores claims that it does not know', async () => {
    await verify(await issue({ foo: 1, role: 'admin' }))
  })

  test('JW-22 trusts no claim before the signature: a forged token is not called expired', async () => {
    const forged = await issue({ exp: 1 }, 'k1', signerOf(otherKeys))
    await expect(verify(forged)).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })

  test('WA-41 JW-28 messages never hold the token', async () => {
    const token = await issue({ aud: ['y'] })
    const error = await verify(token).then(
      () => new Error('accepted'),
      (thrown: unknown) => thrown as Error,
    )
    expect(error).toThrowCode('JWT_SVID_AUDIENCE')
    for (const part of token.split('.')) expect(error.message).not.toContain(part)
  })

  test('WA-41 every refusal is INVALID_ARGUMENT', async () => {
    const bad = [
      'x',
      await issue({ aud: 'y' }),
      await issue({ exp: 1 }),
      await issue({}, 'k9'),
      await issue({ sub: 'spiffe://a.test/b' }),
    ]
    for (const token of bad) {
      const error = await verify(token).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(SallyportError)
      expect((error as SallyportError).row.grpc).toBe('INVALID_ARGUMENT')
    }
  })
})

describe('parseJwtSvid()', () => {
  test('reads without verifying', async () => {
    const token = await issue({}, 'anything', signerOf(otherKeys))
    expect(parseJwtSvid(token, 'internal')).toMatchObject({ audience: ['x'], hint: 'internal', token })
  })

  test('a token without iat has no start', async () => {
    expect(parseJwtSvid(await issue({ iat: undefined })).issuedAt).toBeUndefined()
  })
})

describe('published vectors', () => {
  const vectors = JSON.parse(readFileSync(new URL('../../vectors/svid-vectors.json', import.meta.url), 'utf8')) as {
    readonly bundle: { readonly keys: readonly Record<string, unknown>[] }
    readonly jwtSvid: { readonly audience: string; readonly spiffeId: string; readonly token: string }
    readonly witSvid: { readonly token: string }
  }
  const published = parseBundleDocument(JSON.stringify(vectors.bundle), TrustDomain.parse('vector.test'))
  const { token, audience, spiffeId } = vectors.jwtSvid
  const check = (text: string, at = now, wanted = audience, from = published) =>
    verifyJwtSvid(text, wanted, bundleSetOf([from]), at)

  test('the bundle has one authority of each kind, and no WIT key', () => {
    expect([published.x509Authorities.length, published.jwtAuthorities.map(({ keyId }) => keyId)]).toEqual([
      1,
      ['jwt-1'],
    ])
    expect([published.sequenceNumber, published.refreshHintSeconds]).toEqual([1, 300])
  })

  test('NT-12 accepts the JWT-SVID', async () => {
    expect((await check(token)).spiffeId.toString()).toBe(spiffeId)
  })

  test('refuses it with a flipped signature, for another audience, and in 2050', async () => {
    const last = token.lastIndexOf('.') + 5
    const flipped = token.slice(0, last) + (token[last] === 'A' ? 'B' : 'A') + token.slice(last + 1)
    await expect(check(flipped)).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
    await expect(check(token, now, 'reports')).rejects.toThrowCode('JWT_SVID_AUDIENCE')
    await expect(check(token, new Date('2050-01-02'))).rejects.toThrowCode('JWT_SVID_EXPIRED')
  })

  test('JW-24 SV-06 refuses the WIT-SVID', async () => {
    await expect(check(vectors.witSvid.token)).rejects.toThrowCode('JWS_INVALID', '"typ"')
  })

  test('JW-30 refuses it when its key is published for WIT-SVIDs or X509-SVIDs', async () => {
    for (const use of ['wit-svid', 'x509-svid']) {
      const keysThen = vectors.bundle.keys.map((key) => (key['kid'] === 'jwt-1' ? { ...key, use } : key))
      const wrong = parseBundleDocument(JSON.stringify({ keys: keysThen }), TrustDomain.parse('vector.test'))
      await expect(check(token, now, audience, wrong)).rejects.toThrowCode('JWT_KEY_UNKNOWN')
    }
  })

  test('refuses it with the key wit-1 in the place of jwt-1', async () => {
    const wit = vectors.bundle.keys.find((key) => key['kid'] === 'wit-1')
    const wrong = parseBundleDocument(
      JSON.stringify({ keys: [{ ...wit, use: 'jwt-svid', kid: 'jwt-1' }] }),
      TrustDomain.parse('vector.test'),
    )
    await expect(check(token, now, audience, wrong)).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })
})
