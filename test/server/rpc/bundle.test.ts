import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bundle, BundleMask } from '../../../src/wire/messages/spire-api-types.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { entryMessage, newKey, START, testServer, type TestServer } from './test-server.ts'

let server: TestServer
let partner: TestAuthority
beforeEach(async () => {
  server = await testServer()
  partner = await TestAuthority.create({ trustDomain: 'partner.org', now: START })
})
afterEach(() => server[Symbol.asyncDispose]())

const NOTHING: BundleMask = {
  x509Authorities: false,
  jwtAuthorities: false,
  refreshHint: false,
  sequenceNumber: false,
  witAuthorities: false,
}

const bundleOf = (changes: Partial<Bundle> = {}): Bundle => ({
  trustDomain: 'partner.org',
  x509Authorities: [
    {
      asn1: partner.certificate.der,
      tainted: false,
    },
  ],
  jwtAuthorities: [],
  refreshHint: 300,
  sequenceNumber: 7,
  witAuthorities: [],
  ...changes,
})
const codesOf = (
  results: readonly { readonly status?: { readonly code?: number | undefined } | null | undefined }[] = [],
) => results.map(({ status }) => status?.code)

async function set(...bundles: Bundle[]): Promise<void> {
  const { results } = await server.bundles.batchSetFederatedBundle(
    { bundle: bundles, outputMask: null },
    server.local(),
  )
  expect(codesOf(results)).toEqual(bundles.map(() => 0))
}

async function federated(path: string, parent = '/spire/agent/join_token/a'): Promise<string> {
  const entries = [entryMessage(path, parent, { federatesWith: ['partner.org'] })]
  const { results } = await server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())
  expect(codesOf(results)).toEqual([0])
  return results?.[0]?.entry?.id ?? ''
}

describe('federated bundles', () => {
  test('create, update by mask and set answer each item by itself', async () => {
    const create = (...bundle: Bundle[]) =>
      server.bundles.batchCreateFederatedBundle({ bundle, outputMask: null }, server.local())
    const own = bundleOf({ trustDomain: 'example.org' })
    expect(codesOf((await create(bundleOf(), own, bundleOf({ trustDomain: 'UPPER' }), bundleOf())).results)).toEqual([
      0, 3, 3, 6,
    ])

    const { results } = await server.bundles.batchUpdateFederatedBundle(
      {
        bundle: [bundleOf({ refreshHint: 60, sequenceNumber: 99 }), bundleOf({ trustDomain: 'none.org' })],
        inputMask: { ...NOTHING, refreshHint: true },
        outputMask: { ...NOTHING, refreshHint: true, sequenceNumber: true },
      },
      server.local(),
    )
    expect(codesOf(results)).toEqual([0, 5])
    expect(results?.[0]?.bundle).toEqual({ trustDomain: 'partner.org', refreshHint: 60, sequenceNumber: 7 })
  })

  test('get: the own trust domain is InvalidArgument, an unknown one NotFound', async () => {
    await set(bundleOf())
    const get = (trustDomain: string) =>
      server.bundles.getFederatedBundle({ trustDomain, outputMask: null }, server.local())
    expect((await get('partner.org')).x509Authorities).toHaveLength(1)
    expect((await get('spiffe://partner.org')).sequenceNumber).toBe(7)
    await expect(get('example.org')).rejects.toThrowCode('REQUEST_INVALID', 'own trust domain')
    await expect(get('none.org')).rejects.toThrowCode('BUNDLE_NOT_FOUND', 'bundle not found')
  })

  test('lists by pages without the own one, and counts all', async () => {
    await set(...['c.org', 'a.org', 'b.org'].map((trustDomain) => bundleOf({ trustDomain })))
    const list = (pageToken: string) =>
      server.bundles.listFederatedBundles({ outputMask: NOTHING, pageSize: 2, pageToken }, server.local())
    const first = await list('')
    expect(first.bundles).toEqual([{ trustDomain: 'a.org' }, { trustDomain: 'b.org' }])
    expect(await list(first.nextPageToken ?? '')).toEqual({ bundles: [{ trustDomain: 'c.org' }], nextPageToken: '' })
    for (const bad of ['garbage', '-1', '§', Buffer.from('b.org').toString('base64url')]) {
      await expect(list(bad)).rejects.toThrowCode('REQUEST_INVALID', 'page token')
    }
    expect(await server.bundles.countBundles({}, server.local())).toEqual({ count: 4 })
  })

  test('SE-18 refuses more than 32 anchors and keeps the last good one', async () => {
    await set(bundleOf())
    const many = bundleOf({ x509Authorities: Array.from({ length: 33 }, () => bundleOf().x509Authorities[0]!) })
    const { results } = await server.bundles.batchSetFederatedBundle(
      { bundle: [many], outputMask: null },
      server.local(),
    )
    expect(results?.[0]?.status).toMatchObject({ code: 3, message: expect.stringContaining('32') })
    expect(server.directory.bundle('partner.org')?.x509Authorities).toHaveLength(1)
  })
})

describe('BatchDeleteFederatedBundle', () => {
  const remove = (mode: 'RESTRICT' | 'DELETE' | 'DISSOCIATE', ...trustDomains: string[]) =>
    server.bundles.batchDeleteFederatedBundle({ trustDomains, mode }, server.local())

  test('RESTRICT refuses while entries federate', async () => {
    await set(bundleOf())
    await federated('/web')
    const { results } = await remove('RESTRICT', 'partner.org', 'none.org', 'example.org')
    expect(results?.map(({ status, trustDomain }) => [trustDomain, status?.code])).toEqual([
      ['partner.org', 9],
      ['none.org', 5],
      ['example.org', 3],
    ])
    expect(results?.[0]?.status?.message).toContain('federated with 1 registration entries')
  })

  test('DELETE takes the entries along in the same transaction', async () => {
    await set(bundleOf())
    const id = await federated('/web')
    const before = server.store.revision
    expect(codesOf((await remove('DELETE', 'partner.org')).results)).toEqual([0])
    expect([server.directory.entry(id), server.directory.bundle('partner.org')]).toEqual([undefined, undefined])
    expect(server.store.revision).toBe(before + 1)
  })

  test('DISSOCIATE clears the name in the same transaction and counts the revision numbers up', async () => {
    await set(bundleOf(), bundleOf({ trustDomain: 'other.org' }))
    const entries = [entryMessage('/web', '/spire/agent/join_token/a', { federatesWith: ['partner.org', 'other.org'] })]
    const { results } = await server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())
    const before = server.store.revision
    expect(codesOf((await remove('DISSOCIATE', 'partner.org')).results)).toEqual([0])
    const entry = server.directory.entry(results?.[0]?.entry?.id ?? '')
    expect([entry?.federatesWith.map(({ name }) => name), entry?.revisionNumber]).toEqual([['other.org'], 1])
    expect(server.store.revision).toBe(before + 1)
  })

  test('an entry that names the bundle and the deletion of it never both succeed', async () => {
    for (let round = 0; round < 20; round += 1) {
      await set(bundleOf())
      const entries = [entryMessage(`/web${round}`, '/spire/agent/join_token/a', { federatesWith: ['partner.org'] })]
      const [created, deleted] = await Promise.all([
        server.entries.batchCreateEntry({ entries, outputMask: null }, server.local()),
        remove('RESTRICT', 'partner.org'),
      ])
      expect(codesOf(created.results).includes(0) && codesOf(deleted.results).includes(0)).toBe(false)
      await remove('DELETE', 'partner.org')
    }
  })
})

describe('the own bundle', () => {
  test('GetBundle shows it under the mask, and a polling agent counts as having it', async () => {
    const agentId = await server.addAgent('join_token/a')
    const bundle = await server.bundles.getBundle(
      { outputMask: { ...NOTHING, sequenceNumber: true } },
      server.asAgent(agentId),
    )
    expect(bundle).toEqual({ trustDomain: 'example.org', sequenceNumber: server.authorities.bundle().sequenceNumber })
    expect(server.polled).toEqual([`${agentId.toString()} ${bundle.sequenceNumber ?? 0}`])
    const whole = await server.bundles.getBundle({ outputMask: null }, server.anyone())
    expect([whole.x509Authorities?.length, whole.jwtAuthorities?.length]).toEqual([1, 1])
  })

  test('AppendBundle adds what is new, counts the sequence up, and refuses nothing', async () => {
    const append = (x509Authorities: Bundle['x509Authorities']) =>
      server.bundles.appendBundle(
        { x509Authorities, jwtAuthorities: [], outputMask: null, witAuthorities: [] },
        server.local(),
      )
    const { sequenceNumber } = server.authorities.bundle()
    const appended = await append(bundleOf().x509Authorities)
    expect([appended.x509Authorities?.length, appended.sequenceNumber]).toEqual([2, sequenceNumber + 1])
    expect((await append(bundleOf().x509Authorities)).sequenceNumber).toBe(sequenceNumber + 1)
    await expect(append([])).rejects.toThrowCode('REQUEST_INVALID', 'no authorities to append')
  })

  test('IO-23 tokens are signed with ES256 by default, and no key that is neither EC nor RSA gets into the bundle', async () => {
    const { svid } = await server.svids.mintJwtSvid(
      { id: { trustDomain: 'example.org', path: '/a' }, audience: ['b'], ttl: 0 },
      server.local(),
    )
    expect(decodeProtectedHeader(svid?.token ?? '')).toMatchObject({ alg: 'ES256' })
    const publicKey = spkiOf(generateKeyPairSync('ed25519').publicKey)
    const jwtAuthorities = [{ publicKey, keyId: 'okp', expiresAt: 0, tainted: false }]
    const append = { x509Authorities: [], jwtAuthorities, outputMask: null, witAuthorities: [] }
    await expect(server.bundles.appendBundle(append, server.local())).rejects.toThrowCode('KEY_REFUSED', 'ed25519')
    const { results } = await server.bundles.batchSetFederatedBundle(
      { bundle: [bundleOf({ jwtAuthorities })], outputMask: null },
      server.local(),
    )
    expect(results?.[0]?.status?.message).toContain('ed25519')
  })

  test('PublishJWTAuthority adds a downstream key; a key id that stands for another key is refused', async () => {
    const caller = { kind: 'downstream', address: '', roles: ['downstream'], entryId: 'e', expiresAt: START } as const
    const spiffeId = (await server.addAgent('join_token/a')) as never
    const publish = async (keyId: string, expiresAt = 0) => {
      const publicKey = spkiOf((await newKey()).publicKey)
      const jwtAuthority = { publicKey, keyId, expiresAt, tainted: false }
      return server.bundles.publishJwtAuthority({ jwtAuthority }, server.callBy({ ...caller, spiffeId }))
    }
    const { jwtAuthorities } = await publish('downstream-key')
    expect(jwtAuthorities?.map(({ keyId }) => keyId)).toContain('downstream-key')
    await expect(publish('downstream-key')).rejects.toThrowCode('BUNDLE_INVALID', 'two JWT keys')
    await expect(publish('late', 1)).rejects.toThrowCode('REQUEST_INVALID', 'expired')
    await expect(publish('x'.repeat(1025))).rejects.toThrowCode('BUNDLE_INVALID', 'longer than')
    // Nobody could be told of a bundle with such a key in it.
    for (const never of [2 ** 60, -(2 ** 60)])
      await expect(publish('never', never)).rejects.toThrowCode('BUNDLE_INVALID', 'no instant')
    const bundle = await server.bundles.getBundle({ outputMask: null }, server.local())
    expect(bundle.jwtAuthorities?.map(({ expiresAt }) => Number.isSafeInteger(expiresAt))).not.toContain(false)
    const none = server.bundles.publishJwtAuthority({ jwtAuthority: null }, server.callBy({ ...caller, spiffeId }))
    await expect(none).rejects.toThrowCode('REQUEST_INVALID', 'missing JWT authority')
  })
})
