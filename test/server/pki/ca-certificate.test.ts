import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { keyTypes } from '../../../src/key/key-type.ts'
import { signerOf } from '../../../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { encodeName } from '../../../src/x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../../../src/x509/spki.ts'
import { type CaCertificateOrder, makeCaCertificate } from '../../../server/pki/ca-certificate.ts'

const trustDomain = TrustDomain.parse('example.org')
const subject = { country: 'US', organization: 'SPIFFE', serialNumber: '1234' }
const notBefore = new Date('2026-11-23T12:00:00Z')
const notAfter = new Date('2026-11-30T12:00:00Z')

async function make(order: Partial<CaCertificateOrder> = {}) {
  const signer = order.signer ?? signerOf(await cryptography.generateKeyPair('ec-p256'), cryptography)
  const der = await makeCaCertificate({
    signer,
    trustDomain,
    subject,
    notBefore,
    notAfter,
    serialNumber: 0xabcn,
    ...order,
  })
  return { der, certificate: decodeCertificate(der), signer }
}

describe('makeCaCertificate()', () => {
  test('SV-03 SV-04 X5-19 X5-20 X5-21 has the id of the trust domain and no other name', async () => {
    const { certificate } = await make()
    expect(certificate.uriSans).toEqual(['spiffe://example.org'])
    expect(certificate.dnsSans).toEqual([])
    const other = await make({ trustDomain: TrustDomain.parse('other.org') })
    expect(other.certificate.uriSans).toEqual(['spiffe://other.org'])
  })

  test('X5-07 X5-09 X5-10 X5-15 X5-18 X5-24 signs, and is for nothing else', async () => {
    const { der, certificate } = await make()
    expect(certificate.isCa).toBe(true)
    expect(certificate.pathLength).toBeUndefined()
    expect(certificate.keyUsage).toEqual(new Set(['keyCertSign', 'cRLSign']))
    expect(certificate.extendedKeyUsage).toBeUndefined()
    expect(certificate.unknownCriticalExtensions).toEqual([])
    // Both critical: the flag 0101ff stands between the identifier and the value.
    expect(der.toString('hex')).toContain('0603551d130101ff040530030101ff')
    expect(der.toString('hex')).toContain('0603551d0f0101ff0404030201')
    expect(der.toString('hex')).not.toContain('0603551d1e')
  })

  test('X5-25 says what was ordered, with its own name as issuer', async () => {
    const { certificate, signer } = await make({ serialNumber: (1n << 126n) + 5n })
    expect(certificate.serialNumber).toBe((1n << 126n) + 5n)
    expect(certificate.subject).toEqual(encodeName(subject))
    expect(certificate.issuer).toEqual(certificate.subject)
    expect([certificate.notBefore, certificate.notAfter]).toEqual([notBefore, notAfter])
    expect(certificate.subjectKeyId).toEqual(subjectKeyIdOf(spkiOf(signer.publicKey)))
  })

  test('X5-25 keeps a serial number positive whose first bit is set', async () => {
    expect((await make({ serialNumber: 0xffn })).certificate.serialNumber).toBe(0xffn)
  })

  test('X5-25 writes years from 2050 in their long form', async () => {
    const late = new Date('2061-01-01T00:00:00Z')
    expect((await make({ notAfter: late })).certificate.notAfter).toEqual(late)
  })

  test.for(keyTypes)('is signed by its own key of %s', { timeout: 60_000 }, async (keyType) => {
    const signer = signerOf(await cryptography.generateKeyPair(keyType), cryptography)
    const { der, certificate } = await make({ signer })
    const read = new X509Certificate(der)
    expect(read.verify(signer.publicKey) && read.checkIssued(read) && read.ca).toBe(true)
    expect(certificate.signatureAlgorithm).toBe(
      keyType === 'ec-p384' ? 'ES384' : keyType === 'ec-p256' ? 'ES256' : 'RS256',
    )
  })
})
