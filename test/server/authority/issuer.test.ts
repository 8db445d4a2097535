import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { keyTypes } from '../../../src/key/key-type.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { subjectKeyIdOf } from '../../../src/x509/spki.ts'
import { verifyChain } from '../../../src/x509/verify-chain.ts'
import type { X509Issued } from '../../../server/authority/issuer.ts'
import { serialTagIn, serialTagOf } from '../../../server/authority/serial-number.ts'
import type { X509Order } from '../../../server/authority/x509-svid-template.ts'
import { agentId, AuthorityWorld, DAY, HOUR, orderOf, SECOND, workload, workloadSpki } from './authority-world.ts'

let world: AuthorityWorld
beforeAll(async () => {
  world = await AuthorityWorld.open()
})

async function issue(order: Partial<X509Order> = {}, from: AuthorityWorld = world): Promise<X509Issued> {
  const [issued] = await from.issuer.issueX509Svids([orderOf(order)])
  if (issued === undefined || issued instanceof SallyportError) throw issued
  return issued
}

const extensionHex = (der: Buffer, oid: string): string => {
  const at = der.indexOf(Buffer.from(oid, 'hex'))
  return der.subarray(at - 2, at + 40).toString('hex')
}

describe('issueX509Svids()', () => {
  test('SV-01 SV-05 issues what the published bundle verifies', async () => {
    const { certificate, chain, authorityId } = await issue()
    const authorities = world.authorities.bundle().x509Authorities.map((one) => one.certificate)
    await verifyChain({ chain: [certificate], authorities, now: world.clock.now(), cryptography })
    expect(chain).toEqual([certificate.der])
    expect(authorityId).toBe(certificate.authorityKeyId?.toString('hex'))
    // One other byte in the id, and it does not verify.
    const forged = Buffer.from(certificate.der)
    forged[forged.indexOf('storefront')]! ^= 1
    const verifying = verifyChain({
      chain: [decodeCertificate(forged)],
      authorities,
      now: world.clock.now(),
      cryptography,
    })
    await expect(verifying).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test.for(keyTypes)('issues with an authority of %s', { timeout: 60_000 }, async (keyType) => {
    const { x509 } = world.config
    const other = await AuthorityWorld.open({
      config: { x509: { ...x509, keyType }, jwt: { keyType: 'ec-p256', ttlSeconds: 86_400 } },
    })
    const { certificate } = await issue({}, other)
    const ca = new X509Certificate(other.authorities.activeX509().certificate.der)
    const leaf = new X509Certificate(certificate.der)
    expect(leaf.verify(ca.publicKey) && leaf.checkIssued(ca)).toBe(true)
  })

  test('X5-01 IO-01 X5-06 has one id, an empty subject and so a critical list of names', async () => {
    const { certificate } = await issue({ dnsNames: ['storefront.internal', '*.storefront.internal'] })
    expect(certificate.uriSans).toEqual([workload.toString()])
    expect(certificate.dnsSans).toEqual(['storefront.internal', '*.storefront.internal'])
    expect(certificate.subject.toString('hex')).toBe('3000')
    // 2.5.29.17, then BOOLEAN TRUE.
    expect(extensionHex(certificate.der, '0603551d11')).toContain('0603551d110101ff')
  })

  test('X5-07 X5-08 IO-03 is no CA and says so with an empty sequence', async () => {
    const { certificate } = await issue()
    expect(certificate.isCa).toBe(false)
    expect(certificate.pathLength).toBeUndefined()
    expect(extensionHex(certificate.der, '0603551d13')).toContain('0603551d130101ff04023000')
  })

  test('X5-09 X5-12 X5-14 X5-16 X5-17 has the usages of a leaf, for both ends of a connection', async () => {
    const { certificate } = await issue()
    expect(certificate.keyUsage).toEqual(new Set(['digitalSignature']))
    expect(extensionHex(certificate.der, '0603551d0f')).toContain('0603551d0f0101ff')
    expect(certificate.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(extensionHex(certificate.der, '0603551d25')).not.toContain('0603551d250101ff')
    expect(certificate.subjectKeyId).toEqual(subjectKeyIdOf(workloadSpki))
  })

  test('a subject is written where an operator asks for one', async () => {
    const other = await AuthorityWorld.open({ issuer: { subject: { organization: 'Example' } } })
    const { certificate } = await issue({}, other)
    expect(new X509Certificate(certificate.der).subject).toBe('O=Example')
  })

  test('lives from ten seconds ago for the time of the order, or the default of an hour', async () => {
    const now = world.clock.now().getTime()
    const byDefault = await issue({ ttlSeconds: 0 })
    expect([byDefault.notBefore.getTime(), byDefault.expiresAt.getTime()]).toEqual([now - 10 * SECOND, now + HOUR])
    const asked = await issue({ ttlSeconds: 600 })
    expect(asked.certificate.notAfter.getTime()).toBe(now + 600 * SECOND)
  })

  test('X5-26 never outlives its authority', async () => {
    const other = await AuthorityWorld.open()
    const { notAfter } = other.authorities.activeX509()
    other.clock.advance(7 * DAY - 10 * 60 * SECOND)
    expect((await issue({}, other)).expiresAt).toEqual(notAfter)
    expect((await issue({ ttlSeconds: 2 ** 31 - 1 }, other)).expiresAt).toEqual(notAfter)
    expect(
      (await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'], ttlSeconds: 1e9 })).expiresAt,
    ).toEqual(other.authorities.activeJwt().notAfter)
  })

  test('SE-23 X5-25 serial numbers are positive, random, and name the agent', async () => {
    const orders = Array.from({ length: 500 }, (_, index) => orderOf(index % 2 === 0 ? {} : { agentId: undefined }))
    const issued = (await world.issuer.issueX509Svids(orders)) as X509Issued[]
    expect(new Set(issued.map(({ serialNumber }) => serialNumber)).size).toBe(500)
    for (const [index, { serialNumber, certificate }] of issued.entries()) {
      expect(serialNumber > 0n && serialNumber < 1n << 127n).toBe(true)
      expect(certificate.serialNumber).toBe(serialNumber)
      expect(serialTagIn(serialNumber)).toBe(index % 2 === 0 ? serialTagOf(agentId) : 0n)
    }
    const low = issued.map(({ serialNumber }) => BigInt.asUintN(80, serialNumber))
    // 80 bits: their top 16 would be empty if fewer than 64 were random.
    expect(low.some((bits) => bits >> 64n > 0n)).toBe(true)
  })

  test('SV-11 each order of a batch has its own result, in order', async () => {
    const results = await world.issuer.issueX509Svids([
      orderOf(),
      orderOf({ spiffeId: SpiffeId.parse('spiffe://other.org/web') }),
      orderOf({ ttlSeconds: -1 }),
      orderOf({ spki: undefined, publicKey: undefined }),
      orderOf({ spiffeId: SpiffeId.parse('spiffe://example.org/last') }),
    ])
    expect(results[0]).toMatchObject({ spiffeId: workload })
    expect(results[1]).toThrowCode('SIGNING_REFUSED', 'it is not in trust domain example.org')
    expect(results[2]).toThrowCode('REQUEST_INVALID', 'not a whole number')
    expect(results[3]).toThrowCode('REQUEST_INVALID', 'there is no public key')
    expect(results[4]).toMatchObject({ certificate: { uriSans: ['spiffe://example.org/last'] } })
    expect(await world.issuer.issueX509Svids([])).toEqual([])
  })

  test.for([
    ['X5-04', 'spiffe://example.org', 'it has no path'],
    ['SV-11', 'spiffe://example.org/spire/server', 'its path is reserved'],
    ['SV-11', 'spiffe://example.org/spire/agent/join_token/x', 'its path is reserved'],
    ['SV-11', 'spiffe://example.org/spire', 'its path is reserved'],
    ['SV-01', 'spiffe://other.org/web', 'it is not in trust domain'],
  ] as const)('%s refuses %s for a workload: %s', async ([, id, words]) => {
    const [refused] = await world.issuer.issueX509Svids([orderOf({ spiffeId: SpiffeId.parse(id) })])
    expect(refused).toThrowCode('SIGNING_REFUSED', words)
    const token = world.issuer.issueJwtSvid({ spiffeId: SpiffeId.parse(id), audience: ['a'] })
    await expect(token).rejects.toThrowCode('SIGNING_REFUSED', words)
  })

  test('X5-27 SE-15 refuses weak keys', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const weak = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('ec', { namedCurve: 'secp521r1' }),
      generateKeyPairSync('ed25519'),
    ]
    const results = await world.issuer.issueX509Svids(
      weak.map(({ publicKey }) => orderOf({ publicKey, spki: undefined })),
    )
    for (const result of results) expect(result).toThrowCode('KEY_REFUSED')
  })

  test('takes the key in either form', async () => {
    const { publicKey, spki } = orderOf()
    const one = await issue({ publicKey: undefined, spki })
    const other = await issue({ publicKey, spki: undefined })
    expect(one.certificate.spki).toEqual(other.certificate.spki)
    const [refused] = await world.issuer.issueX509Svids([
      orderOf({ publicKey: undefined, spki: Buffer.from('3000', 'hex') }),
    ])
    expect(refused).toThrowCode('REQUEST_INVALID')
  })

  test('whatever an order asks for: a refusal, or a leaf of this trust domain within its authority', async () => {
    const anyId = fc.constantFrom('', '/a', '/spire', '/spire/server', '/spire/agent/x', '/ns/a/b')
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('example.org', 'other.org'),
        anyId,
        fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, NaN, Infinity, 1e15)),
        fc.array(fc.string(), { maxLength: 3 }),
        async (domain, path, ttlSeconds, dnsNames) => {
          const spiffeId = SpiffeId.parse(`spiffe://${domain}${path}`)
          const [result] = await world.issuer.issueX509Svids([orderOf({ spiffeId, ttlSeconds, dnsNames })])
          if (result instanceof SallyportError || result === undefined) return
          const { certificate } = result
          const authority = world.authorities.activeX509()
          expect([certificate.isCa, domain, spiffeId.isReserved, path === '']).toEqual([
            false,
            'example.org',
            false,
            false,
          ])
          expect(certificate.notAfter <= authority.notAfter && certificate.notBefore >= authority.notBefore).toBe(true)
          expect(certificate.uriSans).toEqual([spiffeId.toString()])
          expect(certificate.dnsSans).toEqual(dnsNames)
        },
      ),
    )
  })
})

describe('the record of what is signed', () => {
  test('holds the facts of every certificate, in one commit for a batch', async () => {
    const other = await AuthorityWorld.open()
    let commits = 0
    other.storeOptions.beforeCommit = () => void commits++
    const results = (await other.issuer.issueX509Svids([orderOf(), orderOf({ callerId: 'admin' })])) as X509Issued[]
    expect(commits).toBe(1)
    const records = await other.audit('x509-svid.issued')
    expect(records).toHaveLength(2)
    expect(records[0]?.facts).toMatchObject({
      spiffeId: workload.toString(),
      entryId: 'entry-1',
      agentId: agentId.toString(),
      serialNumber: results[0]?.serialNumber.toString(),
      authorityId: other.authorities.activeX509().authorityId,
      notAfter: results[0]?.expiresAt.toISOString(),
    })
    expect(records[0]?.facts['keyHash']).toMatch(/^[0-9a-f]{64}$/)
    expect(records[1]?.facts['callerId']).toBe('admin')
  })

  test('nothing is released when it cannot be made durable', async () => {
    const other = await AuthorityWorld.open()
    other.storeOptions.beforeCommit = () => {
      throw new SallyportError('STORE_FULL', 'the disk is full')
    }
    await expect(other.issuer.issueX509Svids([orderOf()])).rejects.toThrowCode('STORE_FULL')
    await expect(other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'] })).rejects.toThrowCode('STORE_FULL')
  })

  test('what was refused leaves no record of an issue', async () => {
    const other = await AuthorityWorld.open()
    await other.issuer.issueX509Svids([orderOf({ spiffeId: SpiffeId.parse('spiffe://other.org/web') })])
    expect(await other.audit('x509-svid.issued')).toEqual([])
  })

  test('SE-19 nothing leaves that was signed by an authority revoked meanwhile', async () => {
    const other = await AuthorityWorld.open()
    const first = other.in('active')!
    await other.authorities.prepare('x509')
    let isFirst = true
    other.storeOptions.beforeCommit = async () => {
      if (!isFirst) return
      isFirst = false
      await new Promise(setImmediate)
    }
    const issuing = issue({}, other)
    const revoking = (async () => {
      await other.authorities.activate('x509', other.in('published')!)
      await other.authorities.taint('x509', first)
      await other.authorities.revoke('x509', first)
    })()
    const [released] = await Promise.allSettled([issuing, revoking])
    const published = other.authorities
      .bundle()
      .x509Authorities.map(({ certificate }) => certificate.subjectKeyId?.toString('hex'))
    expect(published).not.toContain(first)
    // The commit of the record was queued before the revocation, so the signature left while its authority was published.
    if (released.status === 'rejected') expect(released.reason).toThrowCode('NOT_READY', 'revoked while it signed')
    other.authorities.isPublished = () => false
    await expect(issue({}, other)).rejects.toThrowCode('NOT_READY', 'revoked while it signed')
  })
})

describe('other certificates', () => {
  test('an agent has an id of its own kind and the tag of its own name', async () => {
    const issued = await world.issuer.issueAgentSvid({ spiffeId: agentId, spki: workloadSpki })
    expect(issued.certificate.uriSans).toEqual([agentId.toString()])
    expect(serialTagIn(issued.serialNumber)).toBe(serialTagOf(agentId))
    const refused = world.issuer.issueAgentSvid({ spiffeId: workload, spki: workloadSpki })
    await expect(refused).rejects.toThrowCode('SIGNING_REFUSED', 'it is not the id of an agent')
  })

  test('the server has its own id', async () => {
    const { certificate } = await world.issuer.issueServerSvid(workloadSpki)
    expect(certificate.uriSans).toEqual(['spiffe://example.org/spire/server'])
    expect(certificate.isCa).toBe(false)
  })

  test('X5-10 X5-15 X5-19 X5-20 X5-22 IO-04 a nested server gets a signing certificate of the trust domain', async () => {
    const { certificate } = await world.issuer.issueDownstreamCa({ spki: workloadSpki, ttlSeconds: 3600 })
    expect(certificate.isCa).toBe(true)
    expect(certificate.uriSans).toEqual(['spiffe://example.org'])
    expect(certificate.keyUsage).toEqual(new Set(['keyCertSign', 'cRLSign']))
    expect(certificate.extendedKeyUsage).toBeUndefined()
    expect(new X509Certificate(certificate.der).subject).toContain('OU=DOWNSTREAM-1')
    expect(certificate.subject.equals(certificate.issuer)).toBe(false)
    const [recorded] = await world.audit('x509-ca.issued')
    expect(recorded?.facts).toMatchObject({ purpose: 'downstream' })
  })
})
