import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { bundleToMessage } from '../../../src/wire/bundle-message.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import type { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { type Bundle, bundleType, type Entry } from '../../../src/wire/messages/spire-api-types.ts'
import { verifyWitSvid } from '../../../src/wit/verify-wit-svid.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { BATCH_MAX_KEYS } from '../../../server/rpc/batch-new-wit-svid.ts'
import { entryMessage, idMessage, START, testServer, type TestServer } from './test-server.ts'

let server: TestServer
let agentId: SpiffeId
async function open(wit: boolean): Promise<void> {
  server = await testServer({ wit })
  agentId = await server.addAgent('join_token/a')
}
afterEach(() => server[Symbol.asyncDispose]())

const created = (path: string, changes: Partial<Entry> = {}, parent = agentId.path): Promise<string> =>
  server.created(entryMessage(path, parent, changes))

const newSpki = (namedCurve = 'P-256'): Buffer => spkiOf(generateKeyPairSync('ec', { namedCurve }).publicKey)
const param = (entryId: string, publicKey = newSpki(), signingAlgorithm = 'ES256') => ({
  entryId,
  publicKey,
  signingAlgorithm,
})
const sign = (...params: ReturnType<typeof param>[]) =>
  server.svids.batchNewWitSvid({ params }, server.asAgent(agentId))
const mint = (id = idMessage('/minted'), changes: Partial<ReturnType<typeof param>> & { ttl?: number } = {}) =>
  server.svids.mintWitSvid({ id, publicKey: newSpki(), signingAlgorithm: 'ES256', ttl: 0, ...changes }, server.local())
const verified = (token = '') =>
  verifyWitSvid(token, bundleSetOf([server.authorities.bundle()]), { now: server.clock.now() })

const downstream = () =>
  server.callBy({
    kind: 'downstream',
    address: '',
    roles: ['downstream'],
    entryId: 'e',
    expiresAt: START,
    spiffeId: agentId,
  })
const witAuthority = (keyId: string, expiresAt = 0) => ({ publicKey: newSpki(), keyId, expiresAt, tainted: false })

describe('with experimental.witSvid', () => {
  beforeEach(() => open(true))

  test('BatchNewWITSVID has one result for each key, in order, a status in every one', async () => {
    const [web, db] = [await created('/web', { hint: 'internal' }), await created('/db', { x509SvidTtl: 60 })]
    const { results = [] } = await sign(
      param(web),
      param('missing'),
      param(web, Buffer.from('no key')),
      param(web, Buffer.alloc(0)),
      param(web, newSpki(), ''),
      param(web, newSpki(), 'EdDSA'),
      param(web, newSpki(), 'ES384'),
      param(''),
      param(db, newSpki('P-384'), 'ES384'),
    )
    expect(results.map(({ status }) => status?.code)).toEqual([0, 5, 3, 3, 3, 3, 3, 3, 0])
    const now = START.getTime() / 1000
    expect(results[0]?.svid).toMatchObject({
      id: idMessage('/web'),
      issuedAt: now,
      expiresAt: now + 3600,
      hint: 'internal',
    })
    expect(results[8]?.svid).toMatchObject({ expiresAt: now + 60, hint: '' })
    expect((await verified(results[0]?.svid?.token)).spiffeId.path).toBe('/web')
    expect((await verified(results[8]?.svid?.token)).algorithm).toBe('ES384')
  })

  test('WI-31 one key for two identities is signed for the first alone', async () => {
    const publicKey = newSpki()
    const [web, db] = [await created('/web'), await created('/db')]
    const { results = [] } = await sign(param(web, publicKey), param(db, publicKey))
    expect(results.map(({ status }) => status?.code)).toEqual([0, 3])
  })

  test('SE-12 signs nothing for entries of other agents', async () => {
    const foreign = await created('/theirs', {}, '/spire/agent/join_token/b')
    const { results = [] } = await sign(param(foreign))
    expect(results).toEqual([{ status: { code: 5, message: expect.stringContaining('entry not found') }, svid: null }])
  })

  test('SE-10 signs nothing for an agent that was banned while its call waited for its turn', async () => {
    const entryId = await created('/web')
    const call = server.asAgent(agentId)
    await server.agents.banAgent({ id: idMessage(agentId.path) }, server.local())
    const { results = [] } = await server.svids.batchNewWitSvid({ params: [param(entryId)] }, call)
    expect(results.map(({ status, svid }) => [status?.code, svid])).toEqual([[5, null]])
  })

  test('refuses none and more than 500', async () => {
    await expect(sign()).rejects.toThrowCode('REQUEST_INVALID', 'missing parameters')
    const many = Array.from({ length: BATCH_MAX_KEYS + 1 }, () => param('e', Buffer.alloc(0)))
    await expect(sign(...many)).rejects.toThrowCode('BATCH_TOO_LARGE', '500')
  })

  test('WI-08 minting is for ids of workloads in the trust domain', async () => {
    expect((await mint(undefined, { ttl: 30 })).svid).toMatchObject({
      id: idMessage('/minted'),
      expiresAt: START.getTime() / 1000 + 30,
    })
    await expect(mint(idMessage('/spire/server'))).rejects.toThrowCode('REQUEST_INVALID', '/spire belongs')
    await expect(mint(idMessage('/x', 'other.org'))).rejects.toThrowCode('REQUEST_INVALID', 'not in trust domain')
    await expect(mint(idMessage(''))).rejects.toThrowCode('REQUEST_INVALID', 'no path')
    await expect(mint(undefined, { signingAlgorithm: 'HS256' })).rejects.toThrowCode('REQUEST_INVALID', 'algorithm')
    await expect(mint(undefined, { publicKey: Buffer.alloc(4096) })).rejects.toThrowCode('REQUEST_INVALID', 'longer')
    const { svid } = await mint()
    expect((await verified(svid?.token)).spiffeId.path).toBe('/minted')
  })

  test('WI-32 WI-33 PublishWITAuthority adds a downstream key; an id that any other key has is refused', async () => {
    const publish = (keyId: string, expiresAt?: number) =>
      server.bundles.publishWitAuthority({ witAuthority: witAuthority(keyId, expiresAt) }, downstream())
    const { witAuthorities } = await publish('downstream-key')
    expect(witAuthorities?.map(({ keyId }) => keyId)).toContain('downstream-key')
    const [jwt] = server.authorities.bundle().jwtAuthorities
    for (const taken of ['downstream-key', jwt?.keyId ?? '']) {
      await expect(publish(taken)).rejects.toThrowCode('BUNDLE_INVALID', 'have the id')
    }
    await expect(publish('late', 1)).rejects.toThrowCode('REQUEST_INVALID', 'expired')
    const none = server.bundles.publishWitAuthority({ witAuthority: null }, downstream())
    await expect(none).rejects.toThrowCode('REQUEST_INVALID', 'missing WIT authority')
  })

  test('AppendBundle and GetBundle carry the keys, under the mask', async () => {
    const [known] = server.authorities.bundle().witAuthorities
    const appended = await server.bundles.appendBundle(
      { x509Authorities: [], jwtAuthorities: [], witAuthorities: [witAuthority('w')], outputMask: null },
      server.local(),
    )
    expect(appended.witAuthorities?.map(({ keyId }) => keyId)).toEqual([known?.keyId, 'w'])
    const outputMask = {
      x509Authorities: false,
      jwtAuthorities: false,
      refreshHint: false,
      sequenceNumber: false,
      witAuthorities: true,
    }
    const shown = await server.bundles.getBundle({ outputMask }, server.anyone())
    expect(Object.keys(shown).toSorted()).toEqual(['trustDomain', 'witAuthorities'])
    expect(shown.witAuthorities).toHaveLength(2)
  })

  test('keys of partners are kept beside their other authorities', async () => {
    await setPartner()
    expect(server.directory.bundle('partner.org')?.witAuthorities.map(({ keyId }) => keyId)).toEqual(['theirs'])
  })
})

describe('without experimental.witSvid', () => {
  beforeEach(() => open(false))

  test('ST-01 every method answers UNIMPLEMENTED, whoever asks and for whatever', async () => {
    const entryId = await created('/web')
    await expect(sign(param(entryId))).rejects.toThrowCode('METHOD_UNIMPLEMENTED', 'not offered')
    await expect(sign()).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    await expect(mint()).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    await expect(mint(idMessage(''))).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    const publishing = server.bundles.publishWitAuthority({ witAuthority: witAuthority('w') }, downstream())
    await expect(publishing).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
  })

  test('ST-01 WI-36 bundles are as if there were none: not appended, not kept of partners, no byte on the wire', async () => {
    const appending = server.bundles.appendBundle(
      { x509Authorities: [], jwtAuthorities: [], witAuthorities: [witAuthority('w')], outputMask: null },
      server.local(),
    )
    await expect(appending).rejects.toThrowCode('REQUEST_INVALID', 'no authorities to append')
    await setPartner()
    expect(server.directory.bundle('partner.org')?.witAuthorities).toEqual([])
    const message = bundleToMessage(server.authorities.bundle()) as Bundle
    const { witAuthorities: _none, ...others } = message
    expect(encodeMessage(bundleType, message)).toEqual(encodeMessage(bundleType, others))
  })
})

async function setPartner(): Promise<void> {
  const partner = await TestAuthority.create({ trustDomain: 'partner.org', now: START })
  const bundle: Bundle = {
    trustDomain: 'partner.org',
    x509Authorities: [{ asn1: partner.certificate.der, tainted: false }],
    jwtAuthorities: [],
    refreshHint: 300,
    sequenceNumber: 7,
    witAuthorities: [witAuthority('theirs')],
  }
  const set = { bundle: [bundle], outputMask: null }
  const { results } = await server.bundles.batchSetFederatedBundle(set, server.local())
  expect(results?.[0]?.status?.code).toBe(0)
}
