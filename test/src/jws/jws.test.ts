import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { compactVerify, decodeProtectedHeader } from 'jose'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { JWS_MAX_BYTES, parseJws } from '../../../src/jws/parse-jws.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { verifyJws } from '../../../src/jws/verify-jws.ts'
import type { SignatureAlgorithm, Signer } from '../../../src/key/cryptography.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'] as const
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ecKeys = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'secp521r1' }),
}
const keysFor = (algorithm: string): { publicKey: KeyObject; privateKey: KeyObject } =>
  algorithm in ecKeys ? ecKeys[algorithm as keyof typeof ecKeys] : rsa

function signerFor(algorithm: string): Signer {
  const { publicKey, privateKey } = keysFor(algorithm)
  return {
    keyType: 'ec-p256',
    publicKey,
    sign: (name, data, encoding) => cryptography.sign(name, privateKey, data, encoding),
  }
}

const header = { kid: 'key-1', typ: 'JWT' } as const
const payload = { sub: 'spiffe://td/web', aud: ['x'], exp: 2_000_000_000 }
const sign = (algorithm: SignatureAlgorithm): Promise<string> =>
  signJws(header, payload, signerFor(algorithm), algorithm)
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const tokenWith = (head: unknown, body: unknown = payload): string => `${encode(head)}.${encode(body)}.AAAA`

describe('signJws()', () => {
  test.for(algorithms)('JW-04 NT-12 signs with %s what an independent library verifies', async (algorithm) => {
    const token = await sign(algorithm)
    const { payload: verified } = await compactVerify(token, keysFor(algorithm).publicKey)
    expect(JSON.parse(Buffer.from(verified).toString())).toEqual(payload)
  })

  test('JW-02 IO-20 the header holds alg, kid and typ and nothing else', async () => {
    const bigger = { ...header, jku: 'https://evil.test' }
    expect(decodeProtectedHeader(await signJws(bigger, payload, signerFor('ES256'), 'ES256'))).toEqual({
      alg: 'ES256',
      ...header,
    })
  })

  test.for([
    ['EdDSA', 'ES256', 'no SVID is signed with'],
    ['ES384', 'ES256', 'another curve'],
    ['RS256', 'ES256', 'another kind of key'],
  ] as const)('JW-04 JW-05 refuses %s with a key for %s', async ([algorithm, key, why]) => {
    await expect(signJws(header, payload, signerFor(key), algorithm)).rejects.toThrowCode('JWS_INVALID', why)
  })

  test('JW-06 refuses an empty key id', async () => {
    await expect(signJws({ ...header, kid: '' }, payload, signerFor('ES256'), 'ES256')).rejects.toThrowCode(
      'JWS_INVALID',
    )
  })
})

describe('parseJws()', () => {
  test.for([
    'none',
    'None',
    'HS256',
    'EdDSA',
    'Ed25519',
    'ES256K',
    'RSA-OAEP',
    'ML-DSA-65',
    '',
    5,
    undefined,
    ['ES256'],
  ])('JW-04 refuses alg %j before it looks at the payload', (alg) => {
    expect(() => parseJws(tokenWith({ ...header, alg }, 'not json'))).toThrowCode('JWS_INVALID', '"alg"')
  })

  test.for([undefined, 'JWT', 'JOSE'])('JW-08 accepts typ %j', (typ) => {
    expect(parseJws(tokenWith({ alg: 'ES256', kid: 'k', typ })).keyId).toBe('k')
  })

  test.for(['jwt', 'wit+jwt', 'at+jwt', 'application/jwt', '', 5, null])('JW-08 JW-24 refuses typ %j', (typ) => {
    expect(() => parseJws(tokenWith({ alg: 'ES256', kid: 'k', typ }))).toThrowCode('JWS_INVALID', '"typ"')
  })

  test.for(['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'foo', 'enc', '__proto__'])(
    'JW-03 refuses %s in the header',
    (name) => {
      const text = `{"alg":"ES256","kid":"k",${JSON.stringify(name)}:["x"]}`
      expect(() => parseJws(tokenWith(text))).toThrowCode('JWS_INVALID', name)
    },
  )

  test.for([5, '', null, 'k'.repeat(2000)])('JW-07 refuses kid %j', (kid) => {
    expect(() => parseJws(tokenWith({ alg: 'ES256', kid }))).toThrowCode('JWS_INVALID', '"kid"')
  })

  test.for([
    '',
    'a.b',
    'a.b.c.d',
    'a.b.c.d.e',
    'a.b.c.d.e.f.g',
    '..',
    `${encode({ alg: 'ES256' })}..AAAA`,
    `${encode({ alg: 'ES256' })}.${encode(payload)}.`,
    JSON.stringify({ protected: encode({ alg: 'ES256' }), payload: encode(payload), signature: 'AAAA' }),
  ])('JW-01 SV-06 refuses %s, which is not three parts', (token) => {
    expect(() => parseJws(token)).toThrowCode('JWS_INVALID')
  })

  test.for([
    (token: string) => `${token}=`,
    (token: string) => ` ${token}`,
    (token: string) => `${token}\n`,
    (token: string) => token.replace('.', '. '),
    (token: string) => token.replace('.', '+.'),
    (token: string) => token.replace('.', '/.'),
  ])('JW-01 NT-06 refuses characters that are not base64url (%#)', (change) => {
    expect(() => parseJws(change(tokenWith({ alg: 'ES256', kid: 'k' })))).toThrow(SallyportError)
  })

  test.for(['[]', 'null', '"x"', '{"sub":"a","sub":"b"}', '{'])('JW-22 refuses the payload %s', (body) => {
    expect(() => parseJws(tokenWith({ alg: 'ES256', kid: 'k' }, body))).toThrowCode('JSON_INVALID')
  })

  test('NT-05 refuses a header that names alg twice', () => {
    expect(() => parseJws(tokenWith('{"alg":"none","alg":"ES256","kid":"k"}'))).toThrowCode('JSON_INVALID', 'twice')
  })

  test('JW-22 refuses a payload that is not UTF-8', () => {
    const broken = Buffer.from('7b22ff223a317d', 'hex').toString('base64url')
    expect(() => parseJws(`${encode({ alg: 'ES256' })}.${broken}.AAAA`)).toThrowCode('JSON_INVALID', 'UTF-8')
  })

  test('refuses a token over the limit, and JW-28 never repeats it', () => {
    expect(() => parseJws('a'.repeat(JWS_MAX_BYTES + 1))).toThrowCode('JWS_INVALID', 'longer')
    const secret = encode({ sub: 'spiffe://td/secret' })
    const attempt = (): unknown => parseJws(`${encode({ alg: 'ES256', kid: 'k' })}.${secret}!.AAAA`)
    expect(attempt).toThrowCode('JWS_INVALID', 'base64url')
    expect(attempt).not.toThrow(secret)
  })

  test('on any text returns a token or throws a SallyportError', () => {
    const part = fc.oneof(fc.string(), fc.json().map(encode), fc.constant(encode({ alg: 'ES256', kid: 'k' })))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        try {
          parseJws(parts.join('.'))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('verifyJws()', () => {
  const verify = (token: string, key: KeyObject) => verifyJws(parseJws(token), key, cryptography)

  test.for(algorithms)('JW-04 accepts %s', async (algorithm) => {
    await verify(await sign(algorithm), keysFor(algorithm).publicKey)
  })

  test('SV-05 refuses a token when any one character of its payload or signature is another', async () => {
    const token = await sign('ES256')
    const start = token.indexOf('.') + 1
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: start, max: token.length - 1 }), async (at) => {
        if (token[at] === '.') return
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
        await expect((async () => verify(changed, keysFor('ES256').publicKey))()).rejects.toBeInstanceOf(SallyportError)
      }),
      { numRuns: 150 },
    )
  })

  test.for([
    ['ES256', 'ES384'],
    ['ES384', 'ES256'],
    ['RS256', 'ES256'],
    ['ES256', 'RS256'],
  ] as const)('JW-05 refuses %s with a key for %s', async ([algorithm, key]) => {
    const token = await sign(algorithm)
    await expect(verify(token, keysFor(key).publicKey)).rejects.toThrowCode('JWS_SIGNATURE_INVALID', 'needs another')
  })

  test('JW-05 refuses a PS256 signature under an RS256 header', async () => {
    const [, body, signature] = (await sign('PS256')).split('.')
    const token = `${encode({ alg: 'RS256', kid: 'key-1' })}.${body}.${signature}`
    await expect(verify(token, rsa.publicKey)).rejects.toThrowCode('JWS_SIGNATURE_INVALID')
  })

  test('NT-12 refuses an ECDSA signature in DER', async () => {
    const { signed } = parseJws(await sign('ES256'))
    const der = await cryptography.sign('ES256', ecKeys.ES256.privateKey, signed, 'der')
    await expect(
      verify(`${signed.toString()}.${der.toString('base64url')}`, ecKeys.ES256.publicKey),
    ).rejects.toThrowCode('JWS_SIGNATURE_INVALID', 'length')
  })

  test('JW-05 SE-15 refuses a weak RSA key', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const signer = {
      ...signerFor('RS256'),
      sign: (name: SignatureAlgorithm, data: Uint8Array) => cryptography.sign(name, weak.privateKey, data, 'der'),
    }
    const token = await signJws(header, payload, signer, 'RS256')
    await expect(verify(token, weak.publicKey)).rejects.toThrowCode('KEY_REFUSED')
  })
})
