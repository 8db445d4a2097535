import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fetchInvitedBundle, readTrustBundle } from '../../../agent/node/bootstrap.ts'
import { verifyServerName, verifyServerWith } from '../../../agent/upstream/server-identity.ts'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { type BundleSet, bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { bundleToMessage } from '../../../src/wire/bundle-message.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { functionTransport } from '../../fakes/function-transport.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const authority = await TestAuthority.create({ now: new FakeClock().now() })
const other = await TestAuthority.create({ now: new FakeClock().now() })
const { trustDomain } = authority
const hashOf = ({ certificate }: TestAuthority) => createHash('sha256').update(certificate.der).digest()
const { signal } = new AbortController()

describe('readTrustBundle()', () => {
  test('reads PEM and SPIFFE bundles', async () => {
    const disk = new MemoryDisk()
    disk.files.set('a.pem', Buffer.from(printPem([authority.certificate])))
    disk.files.set('a.json', Buffer.from(printBundleDocument(authority.bundle())))
    for (const path of ['a.pem', 'a.json']) {
      const { x509Authorities } = await readTrustBundle(path, trustDomain, disk)
      expect(x509Authorities[0]?.certificate.der).toEqual(authority.certificate.der)
    }
    await expect(readTrustBundle('gone', trustDomain, disk)).rejects.toThrowCode('BOOTSTRAP_REFUSED', 'does not exist')
  })
})

describe('fetchInvitedBundle()', () => {
  const invitation = { trustDomain, serverAddress: 's:1', authorityHashes: [hashOf(authority)], token: 't' }
  const serving = (...authorities: TestAuthority[]) => ({
    dial: () =>
      functionTransport({
        'spire.api.server.bundle.v1.Bundle': {
          getBundle: async () => bundleToMessage(authority.bundle(...authorities)),
        },
      }),
  })

  test('trusts only the authorities that the join file names by hash', async () => {
    const bundle = await fetchInvitedBundle(invitation, serving(other, authority), signal)
    expect(bundle.x509Authorities.map(({ certificate }) => certificate.der)).toEqual([authority.certificate.der])
    expect(bundle.jwtAuthorities).toEqual([])
  })

  test('trusts nobody who has none of them', async () => {
    await expect(fetchInvitedBundle(invitation, serving(other), signal)).rejects.toThrowCode(
      'BOOTSTRAP_REFUSED',
      'none of its',
    )
  })
})

describe('the server’s identity', () => {
  const verifying = (...sets: readonly BundleSet[]) =>
    verifyServerWith({
      trustDomain,
      cryptography,
      clock: new FakeClock(),
      candidates: async function* () {
        yield* sets
      },
    })
  const known = bundleSetOf([authority.bundle()])
  const ders = (svid: Awaited<ReturnType<TestAuthority['issue']>>) => svid.chain.map(({ der }) => der)

  test('quirk 41: is exactly /spire/server of the trust domain', async () => {
    await verifying(known)(ders(await authority.issue('/spire/server')))
    for (const path of ['/spire/agent/x', '/workload', '/spire/server/x']) {
      await expect(verifying(known)(ders(await authority.issue(path)))).rejects.toThrowCode('SERVER_UNTRUSTED')
    }
  })

  test('is proven by what was learned, or by what an administrator gives later', async () => {
    const chain = ders(await authority.issue('/spire/server'))
    const stale = bundleSetOf([authority.bundle(other)])
    await expect(verifying(stale)(chain)).rejects.toThrowCode('SERVER_UNTRUSTED')
    await verifying(stale, known)(chain)
    await expect(verifying()(chain)).rejects.toThrowCode('SERVER_UNTRUSTED', 'no bundle is known')
  })

  test('an expired one is refused', async () => {
    const now = new FakeClock().now().getTime()
    const late = await authority.issue('/spire/server', {
      notAfter: new Date(now - 1000),
      notBefore: new Date(now - 9000),
    })
    await expect(verifying(known)(ders(late))).rejects.toThrowCode('SERVER_UNTRUSTED', 'expired')
  })

  test('quirk 41: with insecure bootstrap it is at least its name, alone', async () => {
    await verifyServerName(trustDomain)(ders(await other.issue('/spire/server')))
    await expect(verifyServerName(trustDomain)(ders(await other.issue('/workload')))).rejects.toThrowCode(
      'PEER_REFUSED',
    )
    const two = await other.issue('/x', { uriSans: ['spiffe://example.org/spire/server', 'spiffe://example.org/x'] })
    await expect(verifyServerName(trustDomain)(ders(two))).rejects.toThrowCode('PEER_REFUSED')
  })
})
