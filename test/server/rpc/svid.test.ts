import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { Entry } from '../../../src/wire/messages/spire-api-types.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { verifyX509Svid } from '../../../src/svid/verify-x509-svid.ts'
import { verifyJwtSvid } from '../../../src/svid/verify-jwt-svid.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { encodeCsr } from '../../../src/x509/encode-csr.ts'
import { BATCH_MAX_CSRS } from '../../../server/rpc/batch-new-x509-svid.ts'
import { csrOf, entryMessage, idMessage, newKey, START, testServer, type TestServer } from './test-server.ts'

let server: TestServer
let agentId: SpiffeId
beforeEach(async () => {
  server = await testServer()
  agentId = await server.addAgent('join_token/a')
})
afterEach(() => server[Symbol.asyncDispose]())

const created = (path: string, changes: Partial<Entry> = {}, parent = agentId.path): Promise<string> =>
  server.created(entryMessage(path, parent, changes))

const certificatesOf = (chain: readonly Uint8Array[] = []) => chain.map((der) => decodeCertificate(Buffer.from(der)))

describe('BatchNewX509SVID', () => {
  const sign = (...params: { entryId: string; csr: Buffer }[]) =>
    server.svids.batchNewX509Svid({ params }, server.asAgent(agentId))

  test('one result for each CSR, in order, a status in every one', async () => {
    const [web, db] = [
      await created('/web', { dnsNames: ['web.internal'], hint: 'internal' }),
      await created('/db', { x509SvidTtl: 60 }),
    ]
    const forged = await csrOf(await newKey())
    forged[forged.length - 1]! ^= 1
    const csr = await csrOf(await newKey())
    const { results = [] } = await sign(
      { entryId: web, csr },
      { entryId: 'missing', csr },
      { entryId: web, csr: forged },
      { entryId: web, csr: Buffer.from('no CSR') },
      { entryId: '', csr },
      { entryId: db, csr },
    )
    expect(results.map(({ status }) => status?.code)).toEqual([0, 5, 3, 3, 3, 0])
    const [leaf] = certificatesOf(results[0]?.svid?.certChain)
    expect(leaf).toMatchObject({ uriSans: ['spiffe://example.org/web'], dnsSans: ['web.internal'], isCa: false })
    expect(results[0]?.svid).toMatchObject({
      hint: 'internal',
      id: idMessage('/web'),
      expiresAt: START.getTime() / 1000 + 3600,
    })
    expect(results[5]?.svid?.expiresAt).toBe(START.getTime() / 1000 + 60)
  })

  test('SV-11 takes nothing but the key from a CSR: not its URI, nor its DNS names', async () => {
    const keyPair = await newKey()
    const uriSan = 'spiffe://example.org/admin'
    const csr = await encodeCsr({ keyPair, uriSan, dnsSans: ['stolen.internal'], commonName: 'root' }, cryptography)
    const { results = [] } = await sign({ entryId: await created('/web'), csr })
    const chain = certificatesOf(results[0]?.svid?.certChain)
    expect(chain[0]).toMatchObject({ uriSans: ['spiffe://example.org/web'], dnsSans: [], isCa: false })
    const bundles = bundleSetOf([server.authorities.bundle()])
    expect((await verifyX509Svid(chain, bundles, server.clock.now(), cryptography)).spiffeId.path).toBe('/web')
  })

  test('SE-12 signs nothing for entries of other agents, whatever id is asked for', async () => {
    const foreign = await created('/theirs', {}, '/spire/agent/join_token/b')
    const { results = [] } = await sign({ entryId: foreign, csr: await csrOf(await newKey()) })
    expect(results).toEqual([{ status: { code: 5, message: expect.stringContaining('entry not found') }, svid: null }])
  })

  test('SE-10 signs nothing for an agent that was banned while its call waited for its turn', async () => {
    const entryId = await created('/web')
    const call = server.asAgent(agentId)
    await server.agents.banAgent({ id: idMessage(agentId.path) }, server.local())
    const { results = [] } = await server.svids.batchNewX509Svid(
      { params: [{ entryId, csr: await csrOf(await newKey()) }] },
      call,
    )
    expect(results.map(({ status, svid }) => [status?.code, svid])).toEqual([[5, null]])
    const token = server.svids.newJwtSvid({ entryId, audience: ['x'] }, call)
    await expect(token).rejects.toThrowCode('ENTRY_NOT_FOUND')
    expect(server.directory.entitled(agentId)).toEqual([])
  })

  test('clamps a life beyond the authority’s, as SPIRE does', async () => {
    const entryId = await created('/web', { x509SvidTtl: 2 ** 31 - 1 })
    const { results = [] } = await sign({ entryId, csr: await csrOf(await newKey()) })
    expect(results[0]?.svid?.expiresAt).toBe(START.getTime() / 1000 + 7 * 86_400)
  })

  test('refuses none and more than 500', async () => {
    await expect(sign()).rejects.toThrowCode('REQUEST_INVALID', 'missing parameters')
    const many = Array.from({ length: BATCH_MAX_CSRS + 1 }, () => ({ entryId: 'e', csr: Buffer.alloc(0) }))
    await expect(sign(...many)).rejects.toThrowCode('BATCH_TOO_LARGE', '500')
  })
})

describe('NewJWTSVID and MintJWTSVID', () => {
  test('JW-02 JW-06 JW-09 JW-11 JW-16 the token says what the entry says, and only to the audience', async () => {
    const entryId = await created('/web', {
      jwtSvidTtl: 60,
      hint: 'h',
      additionalAttributes: { disableX509SvidPrefetch: false, jwtSvidIncludeJti: true },
    })
    const { svid } = await server.svids.newJwtSvid({ entryId, audience: ['orders', 'bills'] }, server.asAgent(agentId))
    const now = START.getTime() / 1000
    expect(svid).toMatchObject({ id: idMessage('/web'), issuedAt: now, expiresAt: now + 60, hint: 'h' })
    const header = JSON.parse(Buffer.from(svid?.token?.split('.')[0] ?? '', 'base64url').toString()) as object
    const [authority] = server.authorities.bundle().jwtAuthorities
    expect(header).toEqual({ alg: 'ES256', kid: authority?.keyId, typ: 'JWT' })
    const bundles = bundleSetOf([server.authorities.bundle()])
    const verified = await verifyJwtSvid(svid?.token ?? '', 'bills', bundles, server.clock.now())
    expect(verified.claims).toEqual({
      sub: 'spiffe://example.org/web',
      aud: ['orders', 'bills'],
      iat: now,
      exp: now + 60,
      jti: expect.any(String),
    })
  })

  test('refuses no audience, an empty one, and entries of other agents', async () => {
    const entryId = await created('/web')
    const call = (audience: string[], id = entryId) =>
      server.svids.newJwtSvid({ entryId: id, audience }, server.asAgent(agentId))
    await expect(call([])).rejects.toThrowCode('REQUEST_INVALID', 'audience')
    await expect(call([''])).rejects.toThrowCode('REQUEST_INVALID', 'audience')
    const foreign = await created('/theirs', {}, '/spire/agent/join_token/b')
    await expect(call(['orders'], foreign)).rejects.toThrowCode('ENTRY_NOT_FOUND')
  })

  test('minting is for ids of workloads in the trust domain', async () => {
    const mint = (id: ReturnType<typeof idMessage>) =>
      server.svids.mintJwtSvid({ id, audience: ['orders'], ttl: 30 }, server.local())
    expect((await mint(idMessage('/minted'))).svid).toMatchObject({ expiresAt: START.getTime() / 1000 + 30 })
    await expect(mint(idMessage('/spire/server'))).rejects.toThrowCode('REQUEST_INVALID', '/spire belongs')
    await expect(mint(idMessage('/x', 'other.org'))).rejects.toThrowCode('REQUEST_INVALID', 'not in trust domain')
    await expect(mint(idMessage(''))).rejects.toThrowCode('REQUEST_INVALID', 'no path')
  })
})

describe('MintX509SVID and NewDownstreamX509CA', () => {
  test('mints what the CSR asks for within the rules', async () => {
    const mint = async (uriSan: string, ttl = 60) =>
      server.svids.mintX509Svid({ csr: await csrOf(await newKey(), uriSan), ttl }, server.local())
    const { svid } = await mint('spiffe://example.org/minted')
    expect(svid).toMatchObject({ id: idMessage('/minted'), expiresAt: START.getTime() / 1000 + 60 })
    await expect(mint('spiffe://example.org/spire/server')).rejects.toThrowCode('CSR_INVALID', 'reserved')
    await expect(mint('spiffe://other.org/x')).rejects.toThrowCode('CSR_INVALID', 'not in trust domain example.org')
    await expect(mint('spiffe://example.org/minted', -1)).rejects.toThrowCode('REQUEST_INVALID', 'life')
  })

  test('gives a downstream server an authority below ours, with the authorities to trust', async () => {
    const spiffeId = server.directory.agent(agentId)!.spiffeId
    const caller = {
      kind: 'downstream',
      spiffeId,
      address: '',
      roles: ['downstream'],
      entryId: 'e',
      expiresAt: START,
    } as const
    const keyPair = await newKey()
    const request = { csr: await csrOf(keyPair, 'spiffe://example.org'), preferredTtl: 3600 }
    const answer = await server.svids.newDownstreamX509Ca(request, server.callBy(caller))
    const [ca] = certificatesOf(answer.caCertChain)
    expect(ca).toMatchObject({
      isCa: true,
      uriSans: ['spiffe://example.org'],
      notAfter: new Date(START.getTime() + 3_600_000),
    })
    expect([...(ca?.keyUsage ?? [])].toSorted()).toEqual(['cRLSign', 'keyCertSign'])
    expect(answer.x509Authorities).toHaveLength(1)
  })
})
