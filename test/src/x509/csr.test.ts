import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import 'reflect-metadata'
import * as peculiar from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import type { Cryptography, KeyPair } from '../../../src/key/cryptography.ts'
import type { KeyType } from '../../../src/key/key-type.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { encodeAlgorithm } from '../../../src/x509/algorithm-identifier.ts'
import { CSR_MAX_BYTES, decodeCsr, verifyCsr } from '../../../src/x509/csr.ts'
import { bitString, integer, NULL, oid, sequence, setOf, tagged } from '../../../src/x509/der-writer.ts'
import { encodeCsr } from '../../../src/x509/encode-csr.ts'
import { encodeAlternativeNames, encodeBasicConstraints, encodeKeyUsage } from '../../../src/x509/encode-extensions.ts'
import { commonNameOf, encodeName } from '../../../src/x509/name.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { anyBytes, mutationsOf } from './arbitrary.ts'

const uriSan = 'spiffe://example.org/ns/web'
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14')

let keyPair: KeyPair
let good: Buffer

beforeAll(async () => {
  keyPair = await cryptography.generateKeyPair('ec-p256')
  good = await encodeCsr({ keyPair, uriSan, dnsSans: ['a.test', 'b.test'], commonName: 'web' }, cryptography)
})

const refusalOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) => error,
  )

/** Must not be asked: what is refused here is refused before any signature is verified. */
const untouched: Cryptography = {
  ...cryptography,
  verify: () => {
    throw new Error('a signature was verified')
  },
}

function signedInfo(spki: Buffer, attributes: readonly Buffer[], privateKey = keyPair.privateKey): Buffer {
  const info = sequence(integer(0n), encodeName({}), spki, tagged(0, ...attributes))
  const algorithm = encodeAlgorithm(privateKey.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256')
  return sequence(info, algorithm, bitString(sign('sha256', info, privateKey)))
}

describe('encodeCsr()', () => {
  test.for(['ec-p256', 'ec-p384', 'rsa-2048'] satisfies KeyType[])(
    'X5-27 what it writes of a %s key proves possession, to us, @peculiar/x509 and openssl',
    async (keyType) => {
      const pair = await cryptography.generateKeyPair(keyType)
      const der = await encodeCsr({ keyPair: pair, uriSan, dnsSans: ['a.test'] }, cryptography)
      const csr = decodeCsr(der)
      expect(csr).toMatchObject({ uriSans: [uriSan], dnsSans: ['a.test'], isCa: false })
      expect(csr.spki).toEqual(spkiOf(pair.publicKey))
      await verifyCsr(csr, cryptography)
      expect(await new peculiar.Pkcs10CertificateRequest(new Uint8Array(der)).verify()).toBe(true)
      const text = execFileSync('openssl', ['req', '-inform', 'DER', '-verify', '-noout', '-text'], {
        input: der,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      expect(text).toContain(`URI:${uriSan}`)
    },
  )

  test('asks for nothing when nothing is wanted', async () => {
    const csr = decodeCsr(await encodeCsr({ keyPair }, cryptography))
    expect(csr).toMatchObject({ uriSans: [], dnsSans: [], subject: Buffer.from('3000', 'hex') })
    await verifyCsr(csr, cryptography)
  })
})

describe('decodeCsr()', () => {
  test('reads names and subject', () => {
    const csr = decodeCsr(good)
    expect(csr).toMatchObject({ uriSans: [uriSan], dnsSans: ['a.test', 'b.test'], signatureAlgorithm: 'ES256' })
    expect(commonNameOf(csr.subject)).toBe('web')
  })

  test('reads what @peculiar/x509 writes', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const made = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=web, O=SPIRE',
      keys,
      signingAlgorithm: algorithm,
      attributes: [new peculiar.ChallengePasswordAttribute('x')],
      extensions: [
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.digitalSignature),
        new peculiar.SubjectAlternativeNameExtension([{ type: 'url', value: uriSan }]),
      ],
    })
    const csr = decodeCsr(Buffer.from(made.rawData))
    expect(csr.uriSans).toEqual([uriSan])
    await verifyCsr(csr, cryptography)
  })

  test('SV-11 tells what a request asks for beyond an id', () => {
    const wishes = [
      encodeBasicConstraints(true),
      encodeKeyUsage(['keyCertSign']),
      encodeAlternativeNames({ uris: [uriSan, 'spiffe://example.org/other'], dnsNames: [] }, false),
    ]
    const csr = decodeCsr(
      signedInfo(spkiOf(keyPair.publicKey), [sequence(EXTENSION_REQUEST, setOf(sequence(...wishes)))]),
    )
    expect(csr).toMatchObject({ isCa: true, uriSans: [uriSan, 'spiffe://example.org/other'] })
  })

  test('refuses extensions that are asked for twice', () => {
    const request = sequence(EXTENSION_REQUEST, setOf(sequence(encodeBasicConstraints(false))))
    const spki = spkiOf(keyPair.publicKey)
    expect(() => decodeCsr(signedInfo(spki, [request, request]))).toThrowCode('CSR_INVALID', 'twice')
    const both = sequence(
      EXTENSION_REQUEST,
      setOf(sequence(encodeBasicConstraints(false)), sequence(encodeBasicConstraints(true))),
    )
    expect(() => decodeCsr(signedInfo(spki, [both]))).toThrowCode('CSR_INVALID', 'more than it should')
  })

  test('on any bytes and any mutation it returns or throws CSR_INVALID, and a mutated one is never verified', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyBytes, mutationsOf(good)), async (bytes) => {
        const refusal = await refusalOf(Promise.resolve().then(() => verifyCsr(decodeCsr(bytes), cryptography)))
        if (bytes.equals(good)) return
        expect(refusal).toBeInstanceOf(SallyportError)
        expect(['CSR_INVALID', 'KEY_REFUSED']).toContain((refusal as SallyportError).code)
      }),
      { numRuns: 3_000 },
    )
  })

  test('SE-15 refuses what is too long before it reads it', () => {
    expect(() => decodeCsr(Buffer.alloc(CSR_MAX_BYTES + 1))).toThrowCode('CSR_INVALID', 'longer than')
  })
})

describe('verifyCsr()', () => {
  test('X5-27 refuses a signature by another key', async () => {
    const other = await cryptography.generateKeyPair('ec-p256')
    const der = signedInfo(spkiOf(keyPair.publicKey), [], other.privateKey)
    expect(await refusalOf(verifyCsr(decodeCsr(der), cryptography))).toThrowCode(
      'CSR_INVALID',
      'not signed with the key',
    )
  })

  test.for([
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }), 'at least 2048'],
    ['RSA with exponent 3', () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }), 'exponent'],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'secp521r1'],
    ['Ed25519', () => generateKeyPairSync('ed25519'), 'ed25519'],
  ] as const)('X5-27 SE-15 refuses a key of %s before its signature', async ([, generate, words]) => {
    const { publicKey } = generate()
    const csr = decodeCsr(signedInfo(spkiOf(publicKey), []))
    expect(await refusalOf(verifyCsr(csr, untouched))).toThrowCode('KEY_REFUSED', words)
  })

  test('SE-15 refuses RSA of 8192 bits before its signature', async () => {
    const modulus = (1n << 8191n) + 1n
    const spki = sequence(
      sequence(oid('1.2.840.113549.1.1.1'), NULL),
      bitString(sequence(integer(modulus), integer(65537n))),
    )
    const csr = decodeCsr(signedInfo(spki, []))
    expect(await refusalOf(verifyCsr(csr, untouched))).toThrowCode('KEY_REFUSED', 'at most 4096')
  })

  test('SE-15 an RSA modulus that is even is not verified, and does not crash', async () => {
    const spki = sequence(
      sequence(oid('1.2.840.113549.1.1.1'), NULL),
      bitString(sequence(integer(1n << 2047n), integer(65537n))),
    )
    const info = sequence(integer(0n), encodeName({}), spki, tagged(0))
    const csr = decodeCsr(sequence(info, encodeAlgorithm('RS256'), bitString(Buffer.alloc(256, 1))))
    expect(await refusalOf(verifyCsr(csr, cryptography))).toThrowCode('CSR_INVALID', 'not signed')
  })

  test('SE-15 refuses SHA-1 and an algorithm of another kind of key', async () => {
    const csr = decodeCsr(good)
    const ecdsaWithSha1 = { ...csr, signatureAlgorithm: '1.2.840.10045.4.1' }
    expect(await refusalOf(verifyCsr(ecdsaWithSha1, untouched))).toThrowCode('CSR_INVALID', '1.2.840.10045.4.1')
    expect(await refusalOf(verifyCsr({ ...csr, signatureAlgorithm: 'RS256' }, untouched))).toThrowCode(
      'CSR_INVALID',
      'RS256',
    )
  })
})
