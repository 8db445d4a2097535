import { beforeAll, describe, expect, test } from 'vitest'
import { exactly, memberOf } from '../../../src/id/matcher.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { type PresentedCertificate, verifyPeer } from '../../../src/tls/verify-peer.ts'
import type { VerifiedPeer } from '../../../src/tls/verified-peer.ts'
import { badSvidNames, badSvids, issueBad } from '../../../src/testing/bad-svids.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../../fakes/test-source.ts'

const now = new Date('2026-06-01T12:00:00Z')
const members = memberOf('example.org')
let home: TestAuthority
let other: TestAuthority
let own: X509Svid
let web: X509Svid

beforeAll(async () => {
  home = await TestAuthority.create({ now })
  other = await TestAuthority.create({ now, trustDomain: 'other.test' })
  own = await heldSvid(home, '/own')
  web = await heldSvid(await home.intermediate(), '/web', { notAfter: new Date(now.getTime() + 60_000) })
})

/** As Node shows a chain: each certificate leads to its issuer, a self-signed one to itself. */
function presented(chain: readonly { readonly der: Buffer }[]): PresentedCertificate | undefined {
  return chain.reduceRight<PresentedCertificate | undefined>(
    (issuerCertificate, { der: raw }) => ({ raw, issuerCertificate }),
    undefined,
  )
}

const newSource = (): TestSource => new TestSource(own, home.bundle(), other.bundle())

function verify(
  chain: X509Svid['chain'],
  { source = newSource(), clock = new FakeClock(now), wanted = members } = {},
): VerifiedPeer {
  return verifyPeer(presented(chain), wanted, { source, clock })
}

describe('verifyPeer()', () => {
  test('X5-30 says who was proven, and until when', () => {
    const peer = verify(web.chain)
    expect(peer.id.toString()).toBe('spiffe://example.org/web')
    expect(peer.notAfter).toEqual(new Date(now.getTime() + 60_000))
  })

  test('X5-38 refuses a peer without certificate', () => {
    expect(() => verifyPeer(undefined, members, { source: newSource(), clock: new FakeClock(now) })).toThrowCode(
      'PEER_CERTIFICATE_MISSING',
    )
  })

  test('NT-09 refuses a proven peer that is not wanted, whether it was seen before or not', () => {
    const source = newSource()
    const wanted = exactly('spiffe://example.org/db')
    expect(() => verify(web.chain, { source, wanted })).toThrowCode('PEER_REFUSED', 'wanted is spiffe://example.org/db')
    verify(web.chain, { source })
    expect(() => verify(web.chain, { source, wanted })).toThrowCode('PEER_REFUSED')
  })

  test.for(badSvidNames.map((name) => ({ name, rule: badSvids[name].rule })))(
    '$rule refuses $name, again and again',
    async ({ name }) => {
      const { chain } = await issueBad(home, name)
      const source = newSource()
      for (let i = 0; i < 2; i++) expect(() => verify(chain, { source })).toThrow()
    },
  )

  test('a self-signed certificate that leads to itself ends the chain', () => {
    const root = { raw: home.certificate.der } as { raw: Buffer; issuerCertificate?: PresentedCertificate }
    root.issuerCertificate = root
    const leaf = { raw: own.chain[0].der, issuerCertificate: root }
    const peer = verifyPeer(leaf, members, { source: newSource(), clock: new FakeClock(now) })
    expect(peer.svid.chain).toHaveLength(2)
  })

  test('a chain without an end is refused', () => {
    const [first, second] = [{ raw: own.chain[0].der }, { raw: web.chain[0].der }] as (PresentedCertificate & {
      issuerCertificate?: PresentedCertificate
    })[]
    Object.assign(first!, { issuerCertificate: second })
    Object.assign(second!, { issuerCertificate: first })
    expect(() => verifyPeer(first, members, { source: newSource(), clock: new FakeClock(now) })).toThrowCode(
      'X509_SVID_INVALID',
      'more than 16',
    )
  })
})

describe('a verdict', () => {
  test('is remembered by the bytes of the leaf', () => {
    const source = newSource()
    const first = verify(web.chain, { source })
    expect(verify(web.chain, { source })).toBe(first)
    expect(verify(own.chain, { source })).not.toBe(first)
  })

  test('ends with the first certificate of its proof', async () => {
    const [source, clock] = [newSource(), new FakeClock(now)]
    verify(web.chain, { source, clock })
    await clock.advance(60_000)
    verify(web.chain, { source, clock })
    await clock.advance(1)
    expect(() => verify(web.chain, { source, clock })).toThrowCode('CERTIFICATE_EXPIRED')
  })

  test('does not hold before its certificates begin, after a clock was set back', () => {
    const [source, clock] = [newSource(), new FakeClock(now)]
    verify(web.chain, { source, clock })
    clock.jump(-10 * 60_000)
    expect(() => verify(web.chain, { source, clock })).toThrowCode('CERTIFICATE_EXPIRED', 'not valid before')
  })

  test('TB-21 ends with the bundle that it was made by, and with no other', async () => {
    const source = newSource()
    const [{ bundles }] = [source.current()]
    const ofHome = bundles.get('example.org')!
    const first = verify(web.chain, { source })
    source.use(own, ofHome, (await TestAuthority.create({ now, trustDomain: 'other.test' })).bundle())
    expect(verify(web.chain, { source })).toBe(first)
    source.use(own, (await TestAuthority.create({ now })).bundle())
    expect(() => verify(web.chain, { source })).toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('is of one source: what another trusts does not count', async () => {
    verify(web.chain)
    const elsewhere = new TestSource(own, (await TestAuthority.create({ now })).bundle())
    expect(() => verify(web.chain, { source: elsewhere })).toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('is not taken over by somebody else with the same leaf: the handshake proves the key, so the leaf is enough', async () => {
    const source = newSource()
    const first = verify(web.chain, { source })
    // Without its intermediate a stranger to this source would be refused; the leaf was proven already.
    expect(verify([web.chain[0]], { source })).toBe(first)
    expect(() => verify([web.chain[0]])).toThrowCode('CERTIFICATE_UNTRUSTED')
  })
})
