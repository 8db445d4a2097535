import { beforeAll, describe, expect, test } from 'vitest'
import { refusedPeer } from '../../../src/enforce/refused-peer.ts'
import { memberOf } from '../../../src/id/matcher.ts'
import { SallyportError } from '../../../src/errors.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { type PresentedCertificate, verifyPeer } from '../../../src/tls/verify-peer.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { heldSvid, TestSource } from '../../fakes/test-source.ts'

const NOW = new Date('2026-11-20T12:00:00Z')
const clock = new FakeClock(NOW)
const at = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000)
let home: TestAuthority
let partner: TestAuthority
let source: TestSource
beforeAll(async () => {
  home = await TestAuthority.create({ trustDomain: 'example.org', now: NOW })
  partner = await TestAuthority.create({ trustDomain: 'partner.example', now: NOW })
  source = new TestSource(await heldSvid(home, '/db'), home.bundle(), partner.bundle())
})

const presentedBy = ({ chain: [leaf] }: X509Svid): PresentedCertificate => ({ raw: leaf.der })

/** What a peer that shows this certificate is refused for. */
function refusalOf(presented: PresentedCertificate | undefined) {
  try {
    verifyPeer(presented, memberOf('example.org'), { source, clock })
  } catch (error) {
    return refusedPeer(error as Error, presented, source, NOW)
  }
  throw new Error('was not refused')
}

const web = 'spiffe://example.org/web'

describe('ZO-01: a handshake is refused as', () => {
  test('case 8: NO_PEER_IDENTITY without a certificate', () => {
    expect(refusalOf(undefined)).toEqual({ refused: 'NO_PEER_IDENTITY' })
  })

  test.for([
    ['case 7: two URI SANs', [web, 'spiffe://example.org/other']],
    ['case 7: the same URI SAN twice', [web, web]],
    ['no URI SAN', []],
    ['case 9: no path', ['spiffe://example.org']],
    ['case 6: upper case', ['spiffe://EXAMPLE.org/web']],
    ['case 5: dot segments', ['spiffe://example.org/a/../web']],
    ['case 4: an escape', ['spiffe://example.org/web%2fx']],
  ] as const)('SVID_MALFORMED: %s', async ([, uriSans]) => {
    expect(refusalOf(presentedBy(await malformed(uriSans)))).toEqual({ refused: 'SVID_MALFORMED' })
  })

  test('SVID_MALFORMED: bytes that are no certificate', () => {
    expect(refusalOf({ raw: Buffer.from('3000', 'hex') })).toEqual({ refused: 'SVID_MALFORMED' })
  })

  test('case 11: UNKNOWN_TRUST_DOMAIN', async () => {
    const evil = await TestAuthority.create({ trustDomain: 'evil.example', now: NOW })
    expect(refusalOf(presentedBy(await heldSvid(evil, '/web')))).toEqual({ refused: 'UNKNOWN_TRUST_DOMAIN' })
  })

  test('case 15: TRUST_DOMAIN_MISMATCH, when only another bundle vouches for the chain', async () => {
    const forged = await heldSvid(partner, '/web', { uriSans: [web] })
    expect(refusalOf(presentedBy(forged))).toEqual({ refused: 'TRUST_DOMAIN_MISMATCH', claimedId: web })
  })

  test('CHAIN_INVALID, when no bundle does', async () => {
    const other = await TestAuthority.create({ trustDomain: 'example.org', now: NOW })
    const stranger = presentedBy(await heldSvid(other, '/web'))
    expect(refusalOf(stranger)).toEqual({ refused: 'CHAIN_INVALID', claimedId: web })
  })

  test('SVID_EXPIRED after its end, CHAIN_INVALID before its start', async () => {
    const late = await heldSvid(home, '/web', { notBefore: at(-20), notAfter: at(-10) })
    expect(refusalOf(presentedBy(late))).toEqual({ refused: 'SVID_EXPIRED', claimedId: web })
    const early = await heldSvid(home, '/web', { notBefore: at(10), notAfter: at(20) })
    expect(refusalOf(presentedBy(early))).toEqual({ refused: 'CHAIN_INVALID', claimedId: web })
  })
})

test('what is no fault of a certificate is nobody’s refusal', () => {
  expect(refusedPeer(new Error('read ECONNRESET'), undefined, source, NOW)).toBeUndefined()
  expect(refusedPeer(new SallyportError('TLS_FAILED', 'broken off'), undefined, source, NOW)).toBeUndefined()
})

/** `heldSvid` would not hold what is no SVID. */
async function malformed(uriSans: readonly string[]): Promise<X509Svid> {
  const { chain, keyPair } = await home.issue('/web', { uriSans: [...uriSans] })
  return { spiffeId: source.current().svid.spiffeId, chain, privateKey: keyPair.privateKey, hint: '' }
}
