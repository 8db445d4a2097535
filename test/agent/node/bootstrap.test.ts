import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bootstrapBundle, fetchInvitedBundle, homeOf, readTrustBundle } from '../../../agent/node/bootstrap.ts'
import { proofsOf } from '../../../agent/node/proofs.ts'
import { SavedState } from '../../../agent/node/saved-state.ts'
import { verifyServerName, verifyServerWith } from '../../../agent/upstream/server-identity.ts'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { type BundleSet, bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { printJoinString } from '../../../src/config/join-string.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
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

const joinFile = '/data/join'
const joinString = printJoinString({
  ...{ trustDomain: 'invited.test', serverAddress: 'invited.test:8081', authorityHashes: [hashOf(authority)] },
  token: 'invited-token',
})
const diskWith = (files: Readonly<Record<string, string>>): MemoryDisk => {
  const disk = new MemoryDisk()
  for (const [path, text] of Object.entries(files)) disk.files.set(path, Buffer.from(text))
  return disk
}

describe('homeOf()', () => {
  const nowhere = { trustDomain: undefined, server: { address: undefined } }
  const home = async (
    disk: MemoryDisk,
    config: Pick<Parameters<typeof homeOf>[0], 'trustDomain' | 'server'> = nowhere,
  ) => {
    const found = await homeOf({ ...config, attestor: { joinFile } }, new SavedState(disk, '/data'), disk)
    return `${found.trustDomain} ${found.serverAddress}`
  }

  test('is what the configuration says, else what the join file says', async () => {
    const disk = diskWith({ [joinFile]: joinString })
    const configured = { trustDomain: TrustDomain.parse('mine.test'), server: { address: 'mine.test:1' } }
    expect(await home(disk, configured)).toBe('mine.test mine.test:1')
    expect(await home(disk)).toBe('invited.test invited.test:8081')
  })

  test('is unknown without either', async () => {
    await expect(home(diskWith({}))).rejects.toThrowCode('BOOTSTRAP_REFUSED', `${joinFile} does not exist`)
  })
})

describe('bootstrapBundle()', () => {
  const link = { dial: () => functionTransport({}) }

  test('is a file that the configuration names; a join file that is gone vouches for nobody', async () => {
    const disk = diskWith({ 'a.pem': printPem([authority.certificate]) })
    const bundle = await bootstrapBundle({ trustBundle: 'a.pem', attestor: {} }, trustDomain, link, disk, signal)
    expect(bundle?.x509Authorities).toHaveLength(1)
    expect(await bootstrapBundle({ attestor: { joinFile } }, trustDomain, link, disk, signal)).toBeUndefined()
  })
})

describe('proofsOf()', () => {
  const tokenOf = (attestor: Parameters<typeof proofsOf>[0]['attestor'], disk: MemoryDisk) =>
    proofsOf({ attestor }, { disk, random: (bytes) => Buffer.alloc(bytes) }).token()

  test('finds the token in a join file, or alone in a file of its own', async () => {
    const disk = diskWith({ [joinFile]: joinString, '/data/token': 'alone\n' })
    expect(await tokenOf({ joinFile }, disk)).toBe('invited-token')
    expect(await tokenOf({ joinTokenFile: '/data/token' }, disk)).toBe('alone')
  })

  test('has none once its file is gone, or when none was configured', async () => {
    const disk = diskWith({})
    for (const attestor of [{ joinFile }, { joinTokenFile: '/data/token' }, {}]) {
      expect(await tokenOf(attestor, disk)).toBeUndefined()
    }
  })
})

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
