import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { keyHashOf } from '../../../src/x509/rejoin-payload.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { aliasEntryOf } from '../../../server/attest/join-token.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import {
  csrOf,
  entryMessage,
  idMessage,
  newKey,
  selectorsOf,
  START,
  testServer,
  type TestServer,
} from './test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const NO_FILTER = {
  byAttestationType: '',
  bySelectorMatch: null,
  byBanned: null,
  byCanReattest: null,
  byExpiresBefore: '',
}

describe('ListAgents, CountAgents, GetAgent', () => {
  beforeEach(async () => {
    await server.addAgent('join_token/a')
    await server.addAgent('x509pop/b', {
      attestationType: 'x509pop',
      canReattest: true,
      selectors: selectorsOf('x509pop:subject:cn:b'),
      expiresAt: new Date(START.getTime() - 1e3),
    })
    await server.addAgent('join_token/c', { banned: true, serialNumber: '' })
  })

  const list = async (changes: object) => {
    const request = { filter: { ...NO_FILTER, ...changes }, outputMask: null, pageSize: 0, pageToken: '' }
    const { agents = [] } = await server.agents.listAgents(request, server.local())
    expect(await server.agents.countAgents(request, server.local())).toEqual({ count: agents.length })
    return agents.map(({ id }) => id?.path?.split('/').at(-1) ?? '').toSorted((a, b) => a.localeCompare(b))
  }

  test('filter by type, ban, re-attestation and selectors', async () => {
    expect(await list({})).toEqual(['a', 'b', 'c'])
    expect(await list({ byAttestationType: 'x509pop' })).toEqual(['b'])
    expect(await list({ byBanned: { value: false } })).toEqual(['a', 'b'])
    expect(await list({ byCanReattest: { value: true } })).toEqual(['b'])
    const selectors = selectorsOf('x509pop:subject:cn:b')
    expect(await list({ bySelectorMatch: { selectors, match: 'MATCH_SUPERSET' } })).toEqual(['b'])
  })

  test('users’ rank 10: by_expires_before in SPIRE’s layout finds stale agents; a malformed one is refused, not ignored', async () => {
    expect(await list({ byExpiresBefore: '2026-01-01 00:00:00 +0000 +00' })).toEqual(['b'])
    expect(await list({ byExpiresBefore: '2026-01-01 01:59:59 +0200 +02' })).toEqual([])
    for (const bad of ['yesterday', '2026-01-01', '2026-02-31 00:00:00 +0000 +00', '2026-01-01 00:00:00 +0000 +01']) {
      await expect(list({ byExpiresBefore: bad })).rejects.toThrowCode('REQUEST_INVALID', 'by_expires_before')
    }
  })

  test('the mask decides what is shown; the id always is', async () => {
    const mask = {
      attestationType: false,
      x509svidSerialNumber: false,
      x509svidExpiresAt: false,
      selectors: false,
      banned: true,
      canReattest: false,
      agentVersion: false,
    }
    const id = idMessage('/spire/agent/join_token/c')
    expect(await server.agents.getAgent({ id, outputMask: mask }, server.local())).toEqual({ id, banned: true })
  })

  test('an unknown agent is NotFound, a malformed or foreign id InvalidArgument', async () => {
    const get = (id: ReturnType<typeof idMessage> | null) =>
      server.agents.getAgent({ id, outputMask: null }, server.local())
    await expect(get(idMessage('/spire/agent/join_token/none'))).rejects.toThrowCode('AGENT_NOT_FOUND')
    await expect(get(idMessage('/web'))).rejects.toThrowCode('REQUEST_INVALID', 'not the id of an agent')
    await expect(get(idMessage('/spire/agent/x', 'other.org'))).rejects.toThrowCode('REQUEST_INVALID')
    await expect(get(null)).rejects.toThrowCode('REQUEST_INVALID', 'missing')
  })
})

describe('BanAgent and DeleteAgent', () => {
  test('a ban keeps the record and empties its serial numbers', async () => {
    const agentId = await server.addAgent('join_token/a', { pendingSerialNumber: '2', pendingExpiresAt: START })
    await server.agents.banAgent({ id: idMessage(agentId.path) }, server.local())
    expect(server.directory.agent(agentId)).toMatchObject({
      banned: true,
      serialNumber: '',
      pendingSerialNumber: undefined,
    })
    const record = (await server.audit()).find(({ type }) => type === 'agent.banned')
    expect(JSON.parse(record?.facts ?? '{}')).toMatchObject({ callerId: 'local:uid:0', spiffeId: agentId.toString() })
  })

  test('users’ rank 10: eviction removes the alias entries of the agent and leaves what others use', async () => {
    const agentId = await server.addAgent('join_token/a')
    const alias = aliasEntryOf(
      { hash: 'ab'.repeat(32), expiresAt: START },
      SpiffeId.parse('spiffe://example.org/node/a'),
      agentId,
      START,
    )
    await server.store.commit({
      mutations: [{ kind: 'entry.create', entry: { ...alias, expiresAt: undefined } }],
      audit: [],
    })
    const entries = [entryMessage('/web', '/node/a'), entryMessage('/own', agentId.path)]
    await server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())
    await server.agents.deleteAgent({ id: idMessage(agentId.path) }, server.local())
    expect(server.directory.agent(agentId)).toBeUndefined()
    expect([...server.directory.entries()].map(({ spiffeId }) => spiffeId.path).toSorted()).toEqual(['/own', '/web'])
    const again = server.agents.deleteAgent({ id: idMessage(agentId.path) }, server.local())
    await expect(again).rejects.toThrowCode('AGENT_NOT_FOUND')
  })
})

describe('RenewAgent and PostStatus', () => {
  test('the renewed SVID is pending; old and new key count as the agent’s last keys', async () => {
    const agentId = await server.addAgent('join_token/a', { keyHashes: ['old'] })
    const keyPair = await newKey()
    const renew = async () =>
      server.agents.renewAgent({ params: { csr: await csrOf(keyPair) } }, server.asAgent(agentId))
    const leaf = decodeCertificate(Buffer.from((await renew()).svid!.certChain![0]!))
    expect(leaf.uriSans).toEqual([agentId.toString()])
    const hash = keyHashOf(spkiOf(keyPair.publicKey))
    expect(server.directory.agent(agentId)).toMatchObject({
      serialNumber: '1',
      pendingSerialNumber: leaf.serialNumber.toString(),
      pendingExpiresAt: leaf.notAfter,
      keyHashes: ['old', hash],
    })
    // Renewed again without having used it: the key in use is still the old one.
    await renew()
    expect(server.directory.agent(agentId)?.keyHashes).toEqual(['old', hash])
  })

  test('the keys of renewals that overtake each other all let the agent return; one that it gave up changes nothing', async () => {
    const agentId = await server.addAgent('join_token/a', { keyHashes: ['old'] })
    const renew = async (call = server.asAgent(agentId)) =>
      server.agents.renewAgent({ params: { csr: await csrOf(await newKey()) } }, call)
    await renew()
    await renew()
    const keyHashes = server.directory.agent(agentId)?.keyHashes
    expect(keyHashes).toHaveLength(3)
    const givenUp = Object.assign(server.asAgent(agentId), { signal: AbortSignal.abort(new Error('it gave up')) })
    await expect(renew(givenUp)).rejects.toThrow('it gave up')
    expect(server.directory.agent(agentId)?.keyHashes).toEqual(keyHashes)
  })

  test('SE-14 a renewal with a CSR of another key’s signature is refused', async () => {
    const agentId = await server.addAgent('join_token/a')
    const csr = await csrOf(await newKey())
    csr[csr.length - 1]! ^= 1
    const renewal = server.agents.renewAgent({ params: { csr } }, server.asAgent(agentId))
    await expect(renewal).rejects.toThrowCode('CSR_INVALID', 'not signed')
    await expect(server.agents.renewAgent({ params: null }, server.asAgent(agentId))).rejects.toThrowCode(
      'REQUEST_INVALID',
    )
    expect(server.directory.agent(agentId)?.pendingSerialNumber).toBeUndefined()
  })

  test('an agent that can re-attest must, and is told so in the detail that SPIRE’s agents read', async () => {
    const agentId = await server.addAgent('x509pop/a', { canReattest: true })
    const csr = await csrOf(await newKey())
    const error = await server.agents
      .renewAgent({ params: { csr } }, server.asAgent(agentId))
      .catch((thrown: unknown) => thrown)
    expect(error).toThrowCode('AGENT_REFUSED', 'must reattest')
    expect(error).toMatchObject({
      detail: { typeUrl: 'type.googleapis.com/spire.api.types.PermissionDeniedDetails', value: Buffer.from([8, 5]) },
    })
  })

  test('a ban that comes while an agent renews wins', async () => {
    const agentId = await server.addAgent('join_token/a')
    const call = server.asAgent(agentId)
    const renewal = server.agents.renewAgent({ params: { csr: await csrOf(await newKey()) } }, call)
    await server.agents.banAgent({ id: idMessage(agentId.path) }, server.local())
    await renewal.catch(() => undefined)
    expect(server.directory.agent(agentId)).toMatchObject({ banned: true })
    const late = server.agents.renewAgent({ params: { csr: await csrOf(await newKey()) } }, call)
    await expect(late).rejects.toThrowCode('AGENT_REFUSED', 'banned')
    expect(server.directory.agent(agentId)?.pendingSerialNumber).toBeUndefined()
  })

  test('a call with an SVID that was replaced meanwhile renews nothing', async () => {
    const agentId = await server.addAgent('join_token/a')
    const call = server.asAgent(agentId)
    const before = server.directory.agent(agentId)
    if (before === undefined) throw new Error('no agent')
    const agent = { ...before, serialNumber: '2', revisionNumber: before.revisionNumber + 1 }
    await server.commit({ mutations: [{ kind: 'agent.put', agent }], audit: [] })
    const renewal = server.agents.renewAgent({ params: { csr: await csrOf(await newKey()) } }, call)
    await expect(renewal).rejects.toThrowCode('AGENT_REFUSED', 'replaced')
    expect(server.directory.agent(agentId)?.pendingSerialNumber).toBeUndefined()
  })

  test('the version is kept, of at most 255 characters; the serial of the bundle goes to the acknowledgements', async () => {
    const agentId = await server.addAgent('join_token/a')
    const post = (agentVersion: string) =>
      server.agents.postStatus({ currentBundleSerial: 7, agentVersion }, server.asAgent(agentId))
    await post('1.15.3')
    expect(server.directory.agent(agentId)?.version).toBe('1.15.3')
    expect(server.polled).toEqual([`${agentId.toString()} 7`])
    await expect(post('x'.repeat(256))).rejects.toThrowCode('REQUEST_INVALID', '255')
  })
})
