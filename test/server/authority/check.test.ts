import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import type { CertificateTemplate } from '../../../src/x509/certificate-template.ts'
import { encodeCertificate } from '../../../src/x509/encode-certificate.ts'
import { checkMaySign, type SigningBounds } from '../../../server/authority/check-may-sign.ts'
import { checkSignedAsAsked } from '../../../server/authority/check-signed.ts'
import { keyOfOrder, x509SvidTemplate } from '../../../server/authority/x509-svid-template.ts'
import { ClockSteadiness } from '../../../server/authority/clock-steadiness.ts'
import { serialNumbers, serialTagIn } from '../../../server/authority/serial-number.ts'
import { AuthorityWorld, HOUR, MINUTE, orderOf, trustDomain } from './authority-world.ts'
import { ManualClock } from './manual-clock.ts'

let world: AuthorityWorld
let template: CertificateTemplate
let bounds: SigningBounds
const key = keyOfOrder(orderOf())
beforeAll(async () => {
  world = await AuthorityWorld.open()
  const authority = world.authorities.activeX509()
  const { notBefore, notAfter } = authority
  bounds = { trustDomain, purpose: 'workload', notBefore, notAfter }
  template = x509SvidTemplate(orderOf({ dnsNames: ['a.internal'] }), key, authority, {
    purpose: 'workload',
    now: world.clock.now(),
    serialNumber: 77n,
    defaultTtlSeconds: 3600,
    subject: { commonName: 'web' },
  })
})

describe('checkMaySign()', () => {
  test('accepts what templates say', () => {
    expect(() => checkMaySign(template, bounds)).not.toThrow()
  })

  test.for([
    ['X5-07', 'a leaf is never a signing certificate', { isCa: true }],
    ['X5-14', 'its key usage is another', { keyUsage: ['digitalSignature', 'keyCertSign'] }],
    ['X5-14', 'its key usage is another', { keyUsage: ['digitalSignature', 'cRLSign'] }],
    ['X5-12', 'its key usage is another', { keyUsage: [] }],
    ['X5-17', 'its extended key usage is another', { extendedKeyUsage: ['serverAuth'] }],
    ['X5-08', 'its path length', { pathLength: 0 }],
    ['X5-25', 'its serial number', { serialNumber: 0n }],
    ['X5-25', 'its serial number', { serialNumber: -1n }],
    ['X5-25', 'its serial number', { serialNumber: 1n << 127n }],
    ['X5-26', 'it would outlive its authority', { notAfter: new Date('2099-01-01') }],
    ['X5-26', 'valid before its authority', { notBefore: new Date('2001-01-01') }],
    ['X5-25', 'it would end before it starts', { notAfter: new Date('2001-01-01') }],
    ['X5-04', 'it has no path', { uriSan: 'spiffe://example.org' }],
    ['SV-01', 'it is not in trust domain', { uriSan: 'spiffe://other.org/web' }],
    ['SV-11', 'its path is reserved', { uriSan: 'spiffe://example.org/spire/agent/x' }],
  ] as const)('%s refuses a template: %s', ([, words, change]) => {
    expect(() => checkMaySign({ ...template, ...change }, bounds)).toThrowCode('SIGNING_REFUSED', words)
  })

  test('SV-01 refuses everything in another trust domain', () => {
    const other = { ...bounds, trustDomain: TrustDomain.parse('other.org') }
    expect(() => checkMaySign(template, other)).toThrowCode('SIGNING_REFUSED', 'not in trust domain other.org')
  })

  test('refuses DNS names for anything but workloads', () => {
    const agent = { ...template, uriSan: 'spiffe://example.org/spire/agent/x' }
    expect(() => checkMaySign(agent, { ...bounds, purpose: 'agent' })).toThrowCode('SIGNING_REFUSED', 'only workloads')
  })

  test('a signing certificate is only for nested servers', () => {
    const purpose = 'downstream'
    const leaf = { ...template, uriSan: 'spiffe://example.org', dnsSans: [] }
    expect(() => checkMaySign(leaf, { ...bounds, purpose })).toThrowCode(
      'SIGNING_REFUSED',
      'it is not a signing certificate',
    )
    expect(() => checkMaySign(template, { ...bounds, purpose })).toThrowCode('SIGNING_REFUSED', 'without a path')
  })
})

describe('checkSignedAsAsked()', () => {
  test.for([
    ['its serial number', { serialNumber: 78n }],
    ['its subject', { subject: {} }],
    ['its start', { notBefore: new Date('2026-11-23T11:00:00Z') }],
    ['its end', { notAfter: new Date('2026-11-23T12:30:00Z') }],
    ['its id', { uriSan: 'spiffe://example.org/other' }],
    ['its DNS names', { dnsSans: ['a.internal', 'b.internal'] }],
    ['its DNS names', { dnsSans: [] }],
    ['its key usage', { keyUsage: ['digitalSignature', 'keyAgreement'] }],
    ['its extended key usage', { extendedKeyUsage: [] }],
  ] as const)('refuses when %s is not what was asked for', async ([field, signed]) => {
    const { signer, issuer } = world.authorities.activeX509()
    const der = await encodeCertificate({ ...template, ...signed }, signer, issuer)
    expect(() => checkSignedAsAsked(der, template, issuer, key)).toThrowCode('SIGNED_OTHERWISE', field)
  })

  test('SV-05 refuses another key, issuer or authority', async () => {
    const { signer, issuer } = world.authorities.activeX509()
    const der = await encodeCertificate(template, signer, issuer)
    expect(checkSignedAsAsked(der, template, issuer, key).serialNumber).toBe(77n)
    const otherKey = keyOfOrder(orderOf({ publicKey: signer.publicKey, spki: undefined }))
    expect(() => checkSignedAsAsked(der, template, issuer, otherKey)).toThrowCode('SIGNED_OTHERWISE', 'its key')
    const otherIssuer = { ...issuer, subject: Buffer.from('3000', 'hex') }
    expect(() => checkSignedAsAsked(der, template, otherIssuer, key)).toThrowCode('SIGNED_OTHERWISE', 'its issuer')
    const otherId = { ...issuer, subjectKeyId: Buffer.alloc(20) }
    expect(() => checkSignedAsAsked(der, template, otherId, key)).toThrowCode('SIGNED_OTHERWISE', 'its authority')
  })

  test('refuses bytes that are no certificate', () => {
    const { issuer } = world.authorities.activeX509()
    expect(() => checkSignedAsAsked(Buffer.of(0x30, 0), template, issuer, key)).toThrowCode('CERTIFICATE_INVALID')
  })
})

describe('serialNumbers()', () => {
  test('SE-23 X5-25 keep tag and at least 64 random bits, whatever the random numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: (1n << 47n) - 1n }), { maxLength: 10 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        (tags, stream) => {
          let used = Buffer.alloc(0)
          const made = serialNumbers(tags, (bytes) => (used = Buffer.from([...stream.take(bytes)])))
          expect(made.map(serialTagIn)).toEqual(tags)
          for (const [index, serial] of made.entries()) {
            expect(serial > 0n && serial < 1n << 127n).toBe(true)
            const random = BigInt(`0x${used.subarray(index * 10, index * 10 + 10).toString('hex')}`)
            expect(BigInt.asUintN(80, serial)).toBe(random === 0n ? 1n : random)
          }
        },
      ),
    )
  })
})

describe('ClockSteadiness', () => {
  test('SE-20 notices jumps either way, and trusts the clock again after it ran evenly', () => {
    const clock = new ManualClock(new Date('2026-11-23T12:00:00Z'))
    const steadiness = new ClockSteadiness(clock, 15 * MINUTE)
    expect(steadiness.isSteady).toBe(false)
    clock.advance(15 * MINUTE)
    expect(steadiness.observe()).toBe(0)
    expect(steadiness.isSteady).toBe(true)
    for (const jump of [HOUR, -HOUR, 10_000]) {
      clock.jump(jump)
      expect(steadiness.observe()).toBe(jump)
      expect(steadiness.isSteady).toBe(false)
      clock.advance(15 * MINUTE)
      expect(steadiness.isSteady).toBe(true)
    }
  })

  test('follows a clock that is steered slowly', () => {
    const clock = new ManualClock(new Date('2026-11-23T12:00:00Z'))
    const steadiness = new ClockSteadiness(clock, 0)
    for (let step = 0; step < 100; step++) {
      clock.advance(MINUTE)
      clock.jump(500)
      expect(steadiness.observe()).toBe(0)
    }
  })
})
