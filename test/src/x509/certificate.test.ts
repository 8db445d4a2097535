import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import 'reflect-metadata'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate as AsnCertificate } from '@peculiar/asn1-x509'
import * as peculiar from '@peculiar/x509'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import type { KeyPair } from '../../../src/key/cryptography.ts'
import type { KeyType } from '../../../src/key/key-type.ts'
import { signerOf } from '../../../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { Certificate } from '../../../src/x509/certificate.ts'
import {
  CA_KEY_USAGE,
  type CertificateTemplate,
  LEAF_EXTENDED_KEY_USAGE,
  LEAF_KEY_USAGE,
} from '../../../src/x509/certificate-template.ts'
import { CERTIFICATE_MAX_BYTES, decodeCertificate, decodeCertificates } from '../../../src/x509/decode-certificate.ts'
import { bitString, integer, NULL, octetString, oid, sequence, tagged, TRUE } from '../../../src/x509/der-writer.ts'
import { encodeCertificate, signCertificate } from '../../../src/x509/encode-certificate.ts'
import { encodeExtension } from '../../../src/x509/encode-extensions.ts'
import { commonNameOf, encodeName } from '../../../src/x509/name.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { spkiOf, subjectKeyIdOf } from '../../../src/x509/spki.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { anyBytes, mutationsOf } from './arbitrary.ts'

const notBefore = new Date(Date.now() - 60_000)
notBefore.setUTCMilliseconds(0)
const notAfter = new Date(notBefore.getTime() + 3_600_000)
const CA_SUBJECT = { country: 'US', organization: 'SPIFFE' }

let folder: string
let caKey: KeyPair
let leafKey: KeyPair

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-x509-'))
  caKey = await cryptography.generateKeyPair('ec-p256')
  leafKey = await cryptography.generateKeyPair('ec-p256')
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

function leafTemplate(changes: Partial<CertificateTemplate> = {}): CertificateTemplate {
  return {
    serialNumber: 0x7f00112233445566778899aabbccddeen,
    subject: {},
    notBefore,
    notAfter,
    publicKey: leafKey.publicKey,
    uriSan: 'spiffe://example.org/ns/web',
    dnsSans: ['web.internal'],
    keyUsage: LEAF_KEY_USAGE,
    extendedKeyUsage: LEAF_EXTENDED_KEY_USAGE,
    isCa: false,
    ...changes,
  }
}

function caTemplate(key: KeyPair, changes: Partial<CertificateTemplate> = {}): CertificateTemplate {
  return leafTemplate({
    subject: CA_SUBJECT,
    publicKey: key.publicKey,
    uriSan: 'spiffe://example.org',
    dnsSans: [],
    keyUsage: CA_KEY_USAGE,
    extendedKeyUsage: [],
    isCa: true,
    ...changes,
  })
}

async function encode(template: CertificateTemplate, key = caKey): Promise<Certificate> {
  const issuer = { subject: encodeName(CA_SUBJECT), subjectKeyId: subjectKeyIdOf(spkiOf(key.publicKey)) }
  return decodeCertificate(await encodeCertificate(template, signerOf(key, cryptography), issuer))
}

const refusalOf = (attempt: Promise<unknown>): Promise<unknown> => attempt.catch((error: unknown) => error)
const extensionIn = ({ der }: Certificate, dotted: string): Buffer => der.subarray(der.indexOf(oid(dotted)))

describe('encodeCertificate()', () => {
  test('X5-01 X5-12 X5-17 a leaf says what its template says', async () => {
    const leaf = await encode(leafTemplate())
    expect(leaf).toMatchObject({
      serialNumber: 0x7f00112233445566778899aabbccddeen,
      issuer: encodeName(CA_SUBJECT),
      subject: Buffer.from('3000', 'hex'),
      notBefore,
      notAfter,
      uriSans: ['spiffe://example.org/ns/web'],
      dnsSans: ['web.internal'],
      isCa: false,
      pathLength: undefined,
      basicConstraintsPresent: true,
      keyUsage: new Set(['digitalSignature']),
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
      subjectKeyId: subjectKeyIdOf(spkiOf(leafKey.publicKey)),
      authorityKeyId: subjectKeyIdOf(spkiOf(caKey.publicKey)),
      unknownCriticalExtensions: [],
      signatureAlgorithm: 'ES256',
    })
    expect(leaf.publicKey.equals(leafKey.publicKey)).toBe(true)
  })

  test('X5-06 IO-01 the alternative names are critical when the subject is empty, and only then', async () => {
    const isCritical = (leaf: Certificate): boolean => extensionIn(leaf, '2.5.29.17').subarray(5, 8).equals(TRUE)
    expect(isCritical(await encode(leafTemplate()))).toBe(true)
    const named = await encode(leafTemplate({ subject: { commonName: 'web.internal' } }))
    expect(isCritical(named)).toBe(false)
    expect(commonNameOf(named.subject)).toBe('web.internal')
  })

  test('X5-07 X5-09 X5-16 IO-03 key usage and basic constraints are critical, extended key usage is not', async () => {
    const leaf = await encode(leafTemplate())
    expect(extensionIn(leaf, '2.5.29.15').subarray(5, 14).toString('hex')).toBe('0101ff040403020780')
    expect(extensionIn(leaf, '2.5.29.19').subarray(5, 12).toString('hex')).toBe('0101ff04023000')
    expect(extensionIn(leaf, '2.5.29.37').subarray(5, 6).toString('hex')).toBe('04')
    const ca = await encode(caTemplate(caKey))
    expect(extensionIn(ca, '2.5.29.15').subarray(5, 14).toString('hex')).toBe('0101ff040403020106')
    expect(extensionIn(ca, '2.5.29.19').subarray(5, 15).toString('hex')).toBe('0101ff040530030101ff')
  })

  test.for([
    ['X5-13', { keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }],
    ['X5-16', { extendedKeyUsage: [] }],
    ['X5-03', { dnsSans: ['a.test', '*.b.test'] }],
  ] as const)('%s a leaf may have %o', async ([, changes]) => {
    expect((await encode(leafTemplate(changes))).isCa).toBe(false)
  })

  test('X5-11 a signing certificate may do without cRLSign', async () => {
    expect((await encode(caTemplate(caKey, { keyUsage: ['keyCertSign'] }))).keyUsage).toEqual(new Set(['keyCertSign']))
  })

  test('quirk 21: leaf and intermediate have every extension that clients require', async () => {
    const leaf = await encode(leafTemplate())
    for (const dotted of ['2.5.29.14', '2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.35', '2.5.29.37']) {
      expect(leaf.der.includes(oid(dotted))).toBe(true)
    }
    const ca = await encode(caTemplate(caKey))
    for (const dotted of ['2.5.29.14', '2.5.29.15', '2.5.29.19', '2.5.29.35'])
      expect(ca.der.includes(oid(dotted))).toBe(true)
  })

  test('quirk 22: decoded and encoded again by others the bytes are the same', async () => {
    for (const { der, tbs } of [await encode(leafTemplate()), await encode(caTemplate(caKey))]) {
      const decoded = AsnConvert.parse(der, AsnCertificate)
      expect(Buffer.from(AsnConvert.serialize(decoded.tbsCertificate)).equals(tbs)).toBe(true)
    }
  })

  test('X5-10 X5-15 X5-18 X5-19 X5-20 X5-21 X5-24 a signing certificate is exactly that', async () => {
    const ca = await encode(caTemplate(caKey, { pathLength: 1 }))
    expect(ca).toMatchObject({
      isCa: true,
      pathLength: 1,
      uriSans: ['spiffe://example.org'],
      extendedKeyUsage: undefined,
    })
    expect(ca.keyUsage).toEqual(new Set(['keyCertSign', 'cRLSign']))
    expect(ca.der.includes(oid('2.5.29.30'))).toBe(false)
  })

  test.for([
    ['X5-04', { uriSan: 'spiffe://example.org' }, 'path'],
    ['X5-14', { keyUsage: ['digitalSignature', 'keyCertSign'] }, 'keyCertSign'],
    ['X5-14', { keyUsage: ['digitalSignature', 'cRLSign'] }, 'cRLSign'],
    ['X5-12', { keyUsage: ['keyAgreement'] }, 'digitalSignature'],
    ['X5-17', { extendedKeyUsage: ['serverAuth'] }, 'both'],
    ['X5-17', { extendedKeyUsage: ['clientAuth'] }, 'both'],
    ['X5-08', { pathLength: 0 }, 'path length'],
    ['X5-25', { serialNumber: 0n }, 'serial number'],
    ['X5-25', { serialNumber: -1n }, 'serial number'],
    ['X5-25', { serialNumber: 1n << 159n }, 'serial number'],
    ['X5-25', { notAfter: notBefore }, 'end before'],
    ['SV-11', { dnsSans: ['a b'] }, 'DNS name'],
    ['SV-11', { dnsSans: [''] }, 'DNS name'],
    ['SV-11', { subject: { commonName: 'x'.repeat(65) } }, 'commonName'],
  ] as const)('%s refuses to sign a leaf with %o', async ([, changes, words]) => {
    expect(await refusalOf(encode(leafTemplate(changes)))).toThrowCode('TEMPLATE_INVALID', words)
  })

  test('SV-11 refuses an id that is none', async () => {
    expect(await refusalOf(encode(leafTemplate({ uriSan: 'https://example.org/a' })))).toThrowCode('SPIFFE_ID_INVALID')
  })

  test.for([
    ['X5-20', { uriSan: 'spiffe://example.org/ca' }, 'without a path'],
    ['X5-10', { keyUsage: ['cRLSign'] }, 'keyCertSign'],
    ['X5-15', { keyUsage: ['keyCertSign', 'digitalSignature'] }, 'digitalSignature'],
    ['X5-15', { keyUsage: ['keyCertSign', 'keyEncipherment'] }, 'keyEncipherment'],
    ['X5-15', { keyUsage: ['keyCertSign', 'keyAgreement'] }, 'keyAgreement'],
    ['X5-18', { extendedKeyUsage: ['serverAuth', 'clientAuth'] }, 'extended key usage'],
    ['X5-08', { pathLength: -1 }, 'path length'],
  ] as const)('%s refuses to sign an authority with %o', async ([, changes, words]) => {
    expect(await refusalOf(encode(caTemplate(caKey, changes)))).toThrowCode('TEMPLATE_INVALID', words)
  })

  test.for(['ec-p256', 'ec-p384', 'rsa-2048'] satisfies KeyType[])(
    'X5-25 openssl -x509_strict accepts chain, purposes and name of a leaf of a %s authority',
    async (keyType) => {
      const rootKey = await cryptography.generateKeyPair(keyType)
      const ca = await encode(caTemplate(rootKey), rootKey)
      const intermediateKey = await cryptography.generateKeyPair('ec-p384')
      const subject = { organization: 'Intermediate' }
      const intermediate = await encode(caTemplate(intermediateKey, { subject, pathLength: 0 }), rootKey)
      const signer = signerOf(intermediateKey, cryptography)
      const issuer = { subject: intermediate.subject, subjectKeyId: intermediate.subjectKeyId! }
      const leaf = decodeCertificate(await encodeCertificate(leafTemplate(), signer, issuer))
      const [caFile, chainFile, leafFile] = ['ca.pem', 'chain.pem', 'leaf.pem'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      writeFileSync(caFile, printPem([ca]))
      writeFileSync(chainFile, printPem([intermediate]))
      writeFileSync(leafFile, printPem([leaf]))
      for (const purpose of ['sslserver', 'sslclient']) {
        const files = ['-CAfile', caFile, '-untrusted', chainFile, leafFile]
        const output = execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, ...files], {
          encoding: 'utf8',
        })
        expect(output).toContain('OK')
      }
      const text = execFileSync('openssl', ['x509', '-in', leafFile, '-noout', '-ext', 'subjectAltName'], {
        encoding: 'utf8',
      })
      expect(text).toContain('URI:spiffe://example.org/ns/web')
    },
  )
})

describe('decodeCertificate()', () => {
  test.for(['ec-p256', 'ec-p384', 'rsa-2048'] satisfies KeyType[])(
    'reads what Node and @peculiar/x509 read, of a %s key',
    async (keyType) => {
      const authority = await TestAuthority.create({ keyType })
      const { certificate } = await authority.issue('/a/b', {
        keyType,
        dnsSans: ['a.test', 'b.test'],
        subject: { commonName: 'ü' },
      })
      for (const ours of [certificate, authority.certificate]) {
        const node = new X509Certificate(ours.der)
        const other = new peculiar.X509Certificate(new Uint8Array(ours.der))
        expect(BigInt(`0x${node.serialNumber}`)).toBe(ours.serialNumber)
        expect(node.ca).toBe(ours.isCa)
        expect(node.validFromDate).toEqual(ours.notBefore)
        expect(node.validToDate).toEqual(ours.notAfter)
        expect(node.publicKey.equals(ours.publicKey)).toBe(true)
        expect(node.verify(authority.certificate.publicKey)).toBe(true)
        expect(other.notAfter).toEqual(ours.notAfter)
        expect(Buffer.from(other.subjectName.toArrayBuffer())).toEqual(ours.subject)
        expect(Buffer.from(other.issuerName.toArrayBuffer())).toEqual(ours.issuer)
        expect(Buffer.from(other.publicKey.rawData)).toEqual(ours.spki)
        const names = other.getExtension(peculiar.SubjectAlternativeNameExtension)!.names.toJSON()
        expect(names.filter(({ type }) => type === 'url').map(({ value }) => value)).toEqual(ours.uriSans)
        expect(names.filter(({ type }) => type === 'dns').map(({ value }) => value)).toEqual(ours.dnsSans)
        const keyId = other.getExtension(peculiar.SubjectKeyIdentifierExtension)!.keyId
        expect(keyId).toBe(ours.subjectKeyId!.toString('hex'))
      }
    },
  )

  test('reads what @peculiar/x509 writes', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const made = await peculiar.X509CertificateGenerator.createSelfSigned({
      serialNumber: '0102',
      name: 'CN=Test, O=Example',
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new peculiar.BasicConstraintsExtension(true, 2, true),
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.keyCertSign, true),
        await peculiar.SubjectKeyIdentifierExtension.create(keys.publicKey),
        new peculiar.SubjectAlternativeNameExtension([
          { type: 'url', value: 'spiffe://example.org' },
          { type: 'ip', value: '127.0.0.1' },
          { type: 'email', value: 'a@example.org' },
        ]),
      ],
    })
    const certificate = decodeCertificate(Buffer.from(made.rawData))
    expect(certificate).toMatchObject({
      serialNumber: 0x102n,
      isCa: true,
      pathLength: 2,
      uriSans: ['spiffe://example.org'],
    })
    expect(commonNameOf(certificate.subject)).toBe('Test')
  })

  test('takes a key that was imported before only for the same bytes', async () => {
    const { certificate } = await (await TestAuthority.create()).issue()
    const known = { spki: certificate.spki, publicKey: certificate.publicKey }
    expect(decodeCertificate(certificate.der, known).publicKey).toBe(certificate.publicKey)
    const other = { spki: spkiOf(caKey.publicKey), publicKey: caKey.publicKey }
    expect(decodeCertificate(certificate.der, other).publicKey).not.toBe(caKey.publicKey)
  })

  test('holds its own copy of the bytes', async () => {
    const { certificate } = await (await TestAuthority.create()).issue()
    const bytes = Buffer.from(certificate.der)
    const read = decodeCertificate(bytes)
    bytes.fill(0)
    expect(read.der).toEqual(certificate.der)
  })

  test('X5-25 SE-15 on any bytes it returns or throws CERTIFICATE_INVALID', async () => {
    const { certificate } = await (await TestAuthority.create()).issue('/a', { dnsSans: ['a.test'] })
    fc.assert(
      fc.property(fc.oneof(anyBytes, mutationsOf(certificate.der)), (bytes) => {
        const result = attempt(() => decodeCertificate(bytes))
        if (result instanceof SallyportError) expect(result.code).toBe('CERTIFICATE_INVALID')
        // What is accepted is what Node accepts too, whole.
        else expect(new X509Certificate(result.der).raw).toEqual(bytes)
      }),
      { numRuns: 4_000 },
    )
  })

  test('SE-15 its time is bounded on large hostile bytes', () => {
    const wide = sequence(...Array.from({ length: 20_000 }, () => NULL))
    const start = performance.now()
    for (let run = 0; run < 20; run++) expect(() => decodeCertificate(wide)).toThrowCode('CERTIFICATE_INVALID')
    expect(performance.now() - start).toBeLessThan(2_000)
    expect(() => decodeCertificate(Buffer.alloc(CERTIFICATE_MAX_BYTES + 1))).toThrowCode(
      'CERTIFICATE_INVALID',
      'longer than',
    )
  })

  test.for([
    ['an extension twice', [encodeExtension('1.2.3', false, NULL), encodeExtension('1.2.3', false, NULL)], 'twice'],
    ['a written default', [sequence(oid('1.2.3'), Buffer.of(1, 1, 0), octetString(NULL))], 'default'],
    ['an empty key usage', [encodeExtension('2.5.29.15', true, Buffer.of(3, 1, 0))], 'key usage'],
    ['a key usage that is not minimal', [encodeExtension('2.5.29.15', true, Buffer.of(3, 2, 0, 0x80))], 'key usage'],
    ['a path length without CA', [encodeExtension('2.5.29.19', true, sequence(integer(1n)))], 'path length'],
    [
      'basic constraints that write false',
      [encodeExtension('2.5.29.19', true, sequence(Buffer.of(1, 1, 0)))],
      'default',
    ],
    ['a URI with a zero byte', [encodeExtension('2.5.29.17', true, sequence(Buffer.of(0x86, 2, 0x61, 0)))], 'ASCII'],
    ['no alternative name', [encodeExtension('2.5.29.17', true, sequence())], 'empty'],
    [
      'an unknown kind of name',
      [encodeExtension('2.5.29.17', true, sequence(Buffer.of(0x89, 1, 0x61)))],
      'unknown form',
    ],
    ['an empty extended key usage', [encodeExtension('2.5.29.37', false, sequence())], 'empty'],
    ['bytes behind an extension', [encodeExtension('2.5.29.19', true, Buffer.from('30000500', 'hex'))], 'follow'],
  ] as const)('X5-25 refuses %s', async ([, extensions, words]) => {
    const authority = await TestAuthority.create()
    const good = authority.fields({ keyUsage: undefined }, leafKey)
    const der = await signCertificate({ ...good, extensions: [...extensions] }, authority.signer)
    expect(() => decodeCertificate(der)).toThrowCode('CERTIFICATE_INVALID', words)
  })

  test('X5-03 other kinds of names are read over', async () => {
    const authority = await TestAuthority.create()
    const names = sequence(
      Buffer.concat([Buffer.of(0x86, 20), Buffer.from('spiffe://example.org')]),
      Buffer.of(0x87, 4, 127, 0, 0, 1),
      Buffer.concat([Buffer.of(0x82, 1), Buffer.from('a')]),
      tagged(4, encodeName({ commonName: 'x' })),
    )
    const extensions = [encodeExtension('2.5.29.17', false, names)]
    const fields = { ...authority.fields({}, leafKey), extensions }
    const certificate = decodeCertificate(await signCertificate(fields, authority.signer))
    expect(certificate).toMatchObject({ uriSans: ['spiffe://example.org'], dnsSans: ['a'] })
  })

  test('NT-07 a DNS name that looks like a list of names adds no id; key usage is read from its bits', async () => {
    const authority = await TestAuthority.create()
    const [hidden, spelt] = ['a.test, URI:spiffe://evil.test/x', 'b.test", URI:"spiffe://evil.test/y']
    const names = await authority.issue('/web', { dnsSans: [hidden] }).catch((error: unknown) => error)
    const also = await authority.issue('/web', { dnsSans: [spelt] }).catch((error: unknown) => error)
    for (const outcome of [names, also]) {
      // Refused where DNS names are held to their form; else read whole, as the one name that it is.
      if (outcome instanceof Error) expect(outcome).toThrowCode('CERTIFICATE_INVALID')
      else expect((outcome as { certificate: Certificate }).certificate.uriSans).toEqual(['spiffe://example.org/web'])
    }
    const { certificate } = await authority.issue('/web', { keyUsage: ['digitalSignature', 'keyAgreement'] })
    expect([...(certificate.keyUsage ?? [])].toSorted()).toEqual(['digitalSignature', 'keyAgreement'])
    // What Node calls key usage is the extended one.
    expect(new X509Certificate(certificate.der).keyUsage).not.toContain('digitalSignature')
  })

  test('X5-25 refuses versions 1 and 2, negative and long serial numbers', async () => {
    const authority = await TestAuthority.create()
    const { certificate } = await authority.issue()
    const rest = certificate.tbs.subarray(certificate.tbs.indexOf(Buffer.of(0xa0, 3, 2, 1, 2)) + 5)
    const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
    const withTbs = (...parts: readonly Buffer[]): Buffer =>
      sequence(sequence(...parts), algorithm, bitString(certificate.signature))
    expect(() => decodeCertificate(withTbs(rest))).toThrowCode('CERTIFICATE_INVALID', 'version 3')
    expect(() => decodeCertificate(withTbs(tagged(0, integer(1n)), rest))).toThrowCode(
      'CERTIFICATE_INVALID',
      'version 3',
    )
    const afterSerial = rest.subarray(2 + rest[1]!)
    const version = tagged(0, integer(2n))
    const negative = withTbs(version, Buffer.of(2, 1, 0x80), afterSerial)
    expect(() => decodeCertificate(negative)).toThrowCode('CERTIFICATE_INVALID', 'serial number')
    const long = withTbs(version, integer(1n << 160n), afterSerial)
    expect(() => decodeCertificate(long)).toThrowCode('CERTIFICATE_INVALID', 'serial number')
  })

  test('SE-15 refuses keys on curves given by parameters, compressed points, and points off the curve', async () => {
    const authority = await TestAuthority.create()
    const good = authority.fields({}, leafKey)
    const point = good.spki.subarray(26)
    const algorithm = good.spki.subarray(2, 23)
    const explicit = sequence(sequence(oid('1.2.840.10045.2.1'), sequence(integer(1n))), bitString(point))
    const compressed = sequence(algorithm, bitString(Buffer.concat([Buffer.of(2), point.subarray(1, 33)])))
    const offCurve = Buffer.from(good.spki)
    offCurve[90]! ^= 1
    for (const spki of [explicit, compressed, offCurve]) {
      const der = await signCertificate({ ...good, spki }, authority.signer)
      expect(() => decodeCertificate(der)).toThrowCode('CERTIFICATE_INVALID', 'public key')
    }
  })

  test('SE-15 refuses an RSA key of absurd size before it is imported', async () => {
    const authority = await TestAuthority.create()
    const rsa = sequence(oid('1.2.840.113549.1.1.1'), NULL)
    const key = sequence(integer((1n << 20_000n) + 1n), integer(65537n))
    const der = await signCertificate(
      { ...authority.fields({}, leafKey), spki: sequence(rsa, bitString(key)) },
      authority.signer,
    )
    expect(() => decodeCertificate(der)).toThrowCode('CERTIFICATE_INVALID', 'too large')
  })
})

describe('decodeCertificates()', () => {
  test('quirk 23: reads a chain without padding, and no bytes as no certificates', async () => {
    const { chain } = await (await (await TestAuthority.create()).intermediate()).issue()
    const all = Buffer.concat(chain.map(({ der }) => der))
    expect(decodeCertificates(all).map(({ der }) => der)).toEqual(chain.map(({ der }) => der))
    expect(decodeCertificates(Buffer.alloc(0))).toEqual([])
    expect(() => decodeCertificates(Buffer.concat([all, Buffer.of(0)]))).toThrowCode('CERTIFICATE_INVALID')
    expect(() => decodeCertificates(all.subarray(0, -1))).toThrowCode('CERTIFICATE_INVALID')
  })

  test('on any bytes it returns or throws CERTIFICATE_INVALID', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const result = attempt(() => decodeCertificates(bytes))
        if (result instanceof SallyportError) expect(result.code).toBe('CERTIFICATE_INVALID')
      }),
    )
  })
})

function attempt<T>(action: () => T): T | SallyportError {
  try {
    return action()
  } catch (error) {
    if (error instanceof SallyportError) return error
    throw error
  }
}
