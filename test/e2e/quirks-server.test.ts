import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { printPem } from '../../src/x509/pem.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { foreignBundle } from './foreign-bundle.ts'
import { House } from './house.ts'
import {
  adminClient,
  agentCsr,
  identityOf,
  joinAsForeignAgent,
  newToken,
  StockClient,
  tlsClient,
  writtenIdentity,
  type ForeignIdentity,
  type WireSvid,
} from './stock-clients.ts'

// What SPIRE's agent and CLI, and other clients of its server API, require of a server (quirk N is item N of the list of
// client quirks), asked of a real one.

const AGENT = 'spire.api.server.agent.v1.Agent'
const ENTRY = 'spire.api.server.entry.v1.Entry'
const SVID = 'spire.api.server.svid.v1.SVID'
const BUNDLE = 'spire.api.server.bundle.v1.Bundle'

/** The reasons of SPIRE's PermissionDeniedDetails, on which its agents act. */
const reasons = ['UNKNOWN', 'EXPIRED', 'NOT_ATTESTED', 'NOT_ACTIVE', 'BANNED', 'MUST_REATTEST']

interface ItemStatus {
  readonly code: number
  readonly message: string
}

let house: House
let agent: ForeignIdentity
let entryId: string

beforeAll(async () => {
  house = await House.open()
  agent = await joinAsForeignAgent(house, await newToken(house, '--spiffe-id', 'spiffe://example.org/node/foreign'))
  const parent = ['--parent', 'spiffe://example.org/node/foreign', '--selector', 'unix:uid:7']
  for (const name of ['one', 'two', 'three']) {
    await house.json('entry', 'create', '--spiffe-id', `spiffe://example.org/foreign/${name}`, ...parent)
  }
  const entries = await house.json<{ id: string; spiffeId: string }[]>('entry', 'list')
  entryId = entries.find(({ spiffeId }) => spiffeId.endsWith('/foreign/one'))!.id
})

afterAll(async () => house?.[Symbol.asyncDispose]())

/** The code of a refusal, and the reason in its details where there is one. */
async function refusal(call: Promise<unknown>): Promise<{ code: number; details: string; reason: string | undefined }> {
  const error = await call.then(
    () => undefined,
    (thrown: grpc.ServiceError) => thrown,
  )
  if (error === undefined) throw new Error('was not refused')
  const [bytes] = error.metadata.get('grpc-status-details-bin') as Buffer[]
  const at = bytes?.indexOf('type.googleapis.com/spire.api.types.PermissionDeniedDetails') ?? -1
  const value = bytes?.subarray(at + 'type.googleapis.com/spire.api.types.PermissionDeniedDetails'.length)
  const reason = at < 0 || value === undefined ? undefined : reasons[value[1] === 0 ? 0 : (value[3] ?? 0)]
  return { code: error.code, details: error.details, reason }
}

const listen = async (socket: TLSSocket): Promise<TLSSocket> => {
  await once(socket, 'secureConnect')
  return socket
}

describe('the server’s side of TLS', () => {
  test('quirk 41: its certificate names the server alone, ALPN is h2, a client certificate is asked for and not required', async () => {
    const bundle = await house.bundlePem()
    const options = { host: '127.0.0.1', port: house.port, ALPNProtocols: ['h2'], ca: bundle }
    const socket = await listen(connectTls({ ...options, checkServerIdentity: () => undefined }))
    onTestFinished(() => void socket.destroy())
    expect(socket.authorized).toBe(true)
    expect(socket.alpnProtocol).toBe('h2')
    const leaf = new X509Certificate(socket.getPeerCertificate(true).raw)
    const uris = leaf.subjectAltName?.split(', ').filter((name) => name.startsWith('URI:'))
    expect(uris).toEqual(['URI:spiffe://example.org/spire/server'])
    using anybody = await tlsClient(house, BUNDLE)
    expect(await anybody.call('GetBundle')).toMatchObject({ trustDomain: 'example.org' })
    using known = await tlsClient(house, ENTRY, agent)
    expect(await known.call('GetAuthorizedEntries')).toMatchObject({ entries: expect.any(Array) })
  })
})

describe('AttestAgent', () => {
  interface Attested {
    readonly result: { readonly svid: WireSvid; readonly reattestable: boolean }
  }

  test('quirk 42: the CSR names nobody, the chain is DER with the leaf first, GetBundle follows on the same connection', async () => {
    const token = await newToken(house)
    const { csr, privateKey } = await agentCsr()
    using client = await tlsClient(house, AGENT)
    const { send, answers } = client.duplex<Attested>('AttestAgent')
    using stream = answers
    send({ params: { data: { type: 'join_token', payload: Buffer.from(token) }, params: { csr } } })
    const { result } = await stream.next()
    expect(result.reattestable).toBe(false)
    const leaf = new X509Certificate(result.svid.certChain[0]!)
    expect(leaf.checkPrivateKey(privateKey)).toBe(true)
    expect(leaf.subjectAltName).toBe(`URI:${identityOf(result.svid, privateKey).spiffeId}`)
    expect(result.svid.expiresAt).toBe(Math.floor(leaf.validToDate.getTime() / 1000))
    using after = await tlsClient(house, BUNDLE)
    expect(await after.call('GetBundle')).toMatchObject({ trustDomain: 'example.org' })
  })

  const attest = async (type: string, payload: string | Buffer): Promise<unknown> => {
    const { csr } = await agentCsr()
    using client = await tlsClient(house, AGENT)
    const { send, answers } = client.duplex('AttestAgent')
    using stream = answers
    send({ params: { data: { type, payload: Buffer.from(payload) }, params: { csr } } })
    return await stream.next()
  }

  test('SE-13 quirk 49: a token works once; the second use is told so and is an alarm in the journal', async () => {
    const token = await newToken(house)
    await attest('join_token', token)
    expect(await refusal(attest('join_token', token))).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      details: expect.stringContaining('join token does not exist or has already been used'),
    })
    const { stdout } = await house.cli('audit', 'list', '--json-lines')
    expect(stdout).toContain('127.0.0.1')
    expect(stdout).not.toContain(token)
    expect(stdout).toMatch(/"type":"[^"]*reus/)
  })

  test('SE-13 of two uses at once exactly one succeeds', async () => {
    const token = await newToken(house)
    const outcomes = await Promise.allSettled([attest('join_token', token), attest('join_token', token)])
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('a token that is late, guessed, or for elsewhere is refused', async () => {
    const late = await newToken(house, '--ttl', '1s')
    const elsewhere = await newToken(house, '--address-range', '10.1.2.0/24')
    await sleep(1100)
    for (const token of [late, 'a'.repeat(27), '']) {
      expect((await refusal(attest('join_token', token))).code).toBe(grpc.status.INVALID_ARGUMENT)
    }
    expect((await refusal(attest('join_token', elsewhere))).code).toBe(grpc.status.PERMISSION_DENIED)
    expect((await refusal(attest('no_such', 'x'))).code).toBe(grpc.status.FAILED_PRECONDITION)
  })
})

describe('SyncAuthorizedEntries', () => {
  test('quirk 43: a first response has the complete list, or revisions and no entries', async () => {
    interface Answer {
      readonly entries: readonly { id: string; revisionNumber: number; createdAt: number }[]
      readonly entryRevisions: readonly unknown[]
      readonly more: boolean
    }
    using client = await tlsClient(house, ENTRY, agent)
    const { send, answers } = client.duplex<Answer>('SyncAuthorizedEntries')
    using stream = answers
    send({ outputMask: { spiffeId: true, selectors: true, revisionNumber: true, createdAt: true } })
    const { entries, entryRevisions, more } = await stream.next()
    expect(entryRevisions).toEqual([])
    expect(more).toBe(false)
    // The three, and the alias.
    expect(entries.filter(({ id }) => id.length > 0)).toHaveLength(entries.length)
    expect(entries.length).toBeGreaterThanOrEqual(3)
    for (const { revisionNumber, createdAt } of entries) {
      expect(revisionNumber).toBeGreaterThanOrEqual(0)
      expect(createdAt).toBeGreaterThan(1_600_000_000)
    }
  })
})

describe('signing', () => {
  test('quirk 44: as many results as parameters, in their order, each with a status', async () => {
    const keyPair = await cryptography.generateKeyPair('ec-p256')
    const csr = await encodeCsr({ keyPair }, cryptography)
    const params = [
      { entryId, csr },
      { entryId: 'nobody', csr },
      { entryId, csr: Buffer.from('no csr') },
      { entryId, csr },
    ]
    using client = await tlsClient(house, SVID, agent)
    const { results } = await client.call<{ results: { status: ItemStatus; svid: WireSvid | null }[] }>(
      'BatchNewX509SVID',
      { params },
    )
    expect(results.map(({ status }) => status.code)).toEqual([
      0,
      grpc.status.NOT_FOUND,
      grpc.status.INVALID_ARGUMENT,
      0,
    ])
    expect(results.map(({ svid }) => svid?.id?.path)).toEqual(['/foreign/one', undefined, undefined, '/foreign/one'])
  })

  test('quirk 45: a token tells when it was made and when it ends', async () => {
    using client = await tlsClient(house, SVID, agent)
    const { svid } = await client.call<{ svid: { token: string; issuedAt: number; expiresAt: number } }>('NewJWTSVID', {
      entryId,
      audience: ['orders'],
    })
    const { iat, exp } = decodeJwt(svid.token)
    expect([svid.issuedAt, svid.expiresAt]).toEqual([iat, exp])
    expect(svid.issuedAt).toBeGreaterThan(0)
    expect(svid.expiresAt).toBeGreaterThan(svid.issuedAt)
  })

  test('SE-12 nothing of other agents’ entries is signed, whatever id is asked for', async () => {
    await house.register('/not-foreign')
    const entries = await house.json<{ id: string; spiffeId: string }[]>('entry', 'list')
    const other = entries.find(({ spiffeId }) => spiffeId.endsWith('/not-foreign'))!.id
    using client = await tlsClient(house, SVID, agent)
    const { csr } = await agentCsr()
    const { results } = await client.call<{ results: { status: ItemStatus }[] }>('BatchNewX509SVID', {
      params: [{ entryId: other, csr }],
    })
    expect(results[0]?.status.code).toBe(grpc.status.NOT_FOUND)
    const jwt = refusal(client.call('NewJWTSVID', { entryId: other, audience: ['orders'] }))
    expect((await jwt).code).toBe(grpc.status.NOT_FOUND)
  })

  test('quirk 46: an unknown foreign bundle is NOT_FOUND', async () => {
    using client = await tlsClient(house, BUNDLE, agent)
    const asked = refusal(client.call('GetFederatedBundle', { trustDomain: 'nobody.test' }))
    expect((await asked).code).toBe(grpc.status.NOT_FOUND)
  })
})

describe('agents that are not welcome any more', () => {
  const entriesAs = async (identity: ForeignIdentity): Promise<unknown> => {
    using client = await tlsClient(house, ENTRY, identity)
    return await client.call('GetAuthorizedEntries')
  }

  test('quirk 47: a banned agent is told so in the detail that makes it stop', async () => {
    const banned = await joinAsForeignAgent(house, await newToken(house))
    using open = await tlsClient(house, ENTRY, banned)
    await open.call('GetAuthorizedEntries')
    await house.json('agent', 'ban', banned.spiffeId)
    const denied = { code: grpc.status.PERMISSION_DENIED, reason: 'BANNED' }
    // On the connection that it has, and on a new one.
    expect(await refusal(open.call('GetAuthorizedEntries'))).toMatchObject(denied)
    expect(await refusal(entriesAs(banned))).toMatchObject(denied)
  })

  test('quirk 47: an evicted agent is told to attest again', async () => {
    const evicted = await joinAsForeignAgent(house, await newToken(house))
    await house.json('agent', 'evict', evicted.spiffeId)
    expect(await refusal(entriesAs(evicted))).toMatchObject({
      code: grpc.status.PERMISSION_DENIED,
      reason: 'NOT_ATTESTED',
    })
  })

  test('quirk 48: a renewed agent may use its old SVID until the new one was used', async () => {
    const old = await joinAsForeignAgent(house, await newToken(house))
    const { csr, privateKey } = await agentCsr()
    using client = await tlsClient(house, AGENT, old)
    const { svid } = await client.call<{ svid: WireSvid }>('RenewAgent', { params: { csr } })
    const renewed = identityOf(svid, privateKey)
    expect(renewed.spiffeId).toBe(old.spiffeId)
    await entriesAs(old)
    await entriesAs(renewed)
    expect(await refusal(entriesAs(old))).toMatchObject({ code: grpc.status.PERMISSION_DENIED, reason: 'NOT_ACTIVE' })
  })

  test('a workload’s SVID, another trust domain’s and none at all open nothing that is an agent’s', async () => {
    await house.register('/plain-workload', '--dns', 'plain.internal')
    await house.json('fetch', 'x509', '--write', house.path('workload-svid'))
    using workload = await tlsClient(house, ENTRY, writtenIdentity(house.path('workload-svid')))
    expect((await refusal(workload.call('GetAuthorizedEntries'))).code).toBe(grpc.status.PERMISSION_DENIED)
    using nobody = await tlsClient(house, ENTRY)
    expect([grpc.status.PERMISSION_DENIED, grpc.status.UNAUTHENTICATED]).toContain(
      (await refusal(nobody.call('GetAuthorizedEntries'))).code,
    )
    const foreign = await (await TestAuthority.create()).issue('/spire/agent/join_token/me')
    using stranger = await tlsClient(house, ENTRY, {
      chainPem: printPem(foreign.chain),
      keyPem: foreign.keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    })
    expect((await refusal(stranger.call('GetAuthorizedEntries'))).code).not.toBe(grpc.status.OK)
  })
})

describe('an administrator', () => {
  const id = (path: string) => ({ trustDomain: 'example.org', path })
  const entryOf = (path: string) => ({
    spiffeId: id(path),
    parentId: id('/node/web-1'),
    selectors: [{ type: 'unix', value: 'uid:4711' }],
  })

  test('quirk 49: a duplicate answers AlreadyExists with the entry that is there; one bad item spoils no other', async () => {
    using client = adminClient(house, ENTRY)
    const create = (...entries: object[]) =>
      client.call<{ results: { status: ItemStatus; entry: { id: string } | null }[] }>('BatchCreateEntry', { entries })
    const first = await create(entryOf('/twice'))
    const { results } = await create(entryOf('/twice'), { ...entryOf('/bad'), selectors: [] }, entryOf('/good'))
    expect(results.map(({ status }) => status.code)).toEqual([
      grpc.status.ALREADY_EXISTS,
      grpc.status.INVALID_ARGUMENT,
      grpc.status.OK,
    ])
    expect(results[0]?.entry?.id).toBe(first.results[0]?.entry?.id)
  })

  test('quirk 49: agents are listed by an instant in Go’s layout', async () => {
    using client = adminClient(house, AGENT)
    const list = (byExpiresBefore: string) =>
      client.call<{ agents: unknown[] }>('ListAgents', { filter: { byExpiresBefore } })
    expect((await list('2001-02-03 04:05:06 -0700 -07')).agents).toEqual([])
    expect((await list('2101-02-03 04:05:06 -0700 -07')).agents.length).toBeGreaterThan(0)
    expect((await refusal(list('tomorrow'))).code).toBe(grpc.status.INVALID_ARGUMENT)
  })

  test('quirk 49: a foreign bundle that entries need is not deleted in mode restrict', async () => {
    writeFileSync(house.path('needed.json'), await foreignBundle('needed.test', 'both'))
    await house.json('bundle', 'set', 'needed.test', '--file', house.path('needed.json'))
    await house.register('/needs', '--federates-with', 'needed.test')
    using client = adminClient(house, BUNDLE)
    const { results } = await client.call<{ results: { status: ItemStatus }[] }>('BatchDeleteFederatedBundle', {
      trustDomains: ['needed.test'],
      mode: 'RESTRICT',
    })
    expect(results[0]?.status.code).toBe(grpc.status.FAILED_PRECONDITION)
  })

  test('quirk 50: logger and debug are nowhere but on the admin socket of the agent', async () => {
    for (const service of ['spire.api.server.logger.v1.Logger', 'spire.api.server.debug.v1.Debug'] as const) {
      const method = service.endsWith('Logger') ? 'GetLogger' : 'GetInfo'
      for (const caller of [undefined, agent]) {
        using client = await tlsClient(house, service, caller)
        expect((await refusal(client.call(method))).code).toBe(grpc.status.UNIMPLEMENTED)
      }
    }
    using health = await tlsClient(house, 'grpc.health.v1.Health', agent)
    expect((await refusal(health.call('Check'))).code).toBe(grpc.status.UNIMPLEMENTED)
    const admin = `unix:${house.agentAdminSocket}`
    using debug = new StockClient('spire.agent.debug.v1.Debug', admin)
    expect(await debug.call('GetInfo')).toMatchObject({ uptime: expect.any(Number) })
    using logger = new StockClient('spire.api.agent.logger.v1.Logger', admin)
    expect(await logger.call('GetLogger')).toMatchObject({ currentLevel: 'INFO' })
    using outside = new StockClient('spire.agent.debug.v1.Debug', house.endpoint)
    expect((await refusal(outside.call('GetInfo'))).code).toBe(grpc.status.UNIMPLEMENTED)
  })

  test('quirk 51: health of the whole is asked for with an empty name', async () => {
    using client = adminClient(house, 'grpc.health.v1.Health')
    expect(await client.call('Check', { service: '' })).toEqual({ status: 'SERVING' })
    expect((await refusal(client.call('Check', { service: 'nothing' }))).code).toBe(grpc.status.NOT_FOUND)
  })

  test('NT-13 a message over 4 MiB is refused by its length, and the connection lives on', async () => {
    using client = adminClient(house, ENTRY)
    const huge = { ...entryOf('/huge'), hint: createHash('sha256').digest('hex').repeat(80_000) }
    const { code } = await refusal(client.call('BatchCreateEntry', { entries: [huge] }))
    expect(code).toBe(grpc.status.RESOURCE_EXHAUSTED)
    expect(await client.call('CountEntries')).toMatchObject({ count: expect.any(Number) })
  })
})
