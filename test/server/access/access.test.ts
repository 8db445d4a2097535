import { beforeAll, describe, expect, test } from 'vitest'
import { Access } from '../../../server/access/access.ts'
import { RateLimits } from '../../../server/access/rate-limits.ts'
import { RefusalCounter } from '../../../server/audit/refusal-counter.ts'
import { Directory } from '../../../server/entries/directory.ts'
import type { Mutation } from '../../../server/store/store.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { silentLog } from '../../../src/log/log.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { permissionDeniedDetailsType } from '../../../src/wire/messages/spire-api-types.ts'
import { keyHashOf } from '../../../src/x509/rejoin-payload.ts'
import { fakeCall, tlsConnection, unixConnection } from '../../fakes/fake-call.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { anAgent, anEntry, anId, anInstant, doing } from '../../fakes/store-objects.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'

const trustDomain = TrustDomain.parse('example.org')
const ENTRIES = '/spire.api.server.entry.v1.Entry/GetAuthorizedEntries'
const LIST = '/spire.api.server.entry.v1.Entry/ListEntries'
const BUNDLE = '/spire.api.server.bundle.v1.Bundle/GetBundle'
const FEDERATED = '/spire.api.server.bundle.v1.Bundle/GetFederatedBundle'
const DOWNSTREAM = '/spire.api.server.svid.v1.SVID/NewDownstreamX509CA'
const PUBLISH = '/spire.api.server.bundle.v1.Bundle/PublishJWTAuthority'
const PUBLISH_WIT = '/spire.api.server.bundle.v1.Bundle/PublishWITAuthority'
const ATTEST = '/spire.api.server.agent.v1.Agent/AttestAgent'
const HEALTH = '/grpc.health.v1.Health/Check'
const AGENT = '/spire/agent/a'

let authority: TestAuthority
let other: TestAuthority
let foreign: TestAuthority
beforeAll(async () => {
  const now = anInstant(0)
  authority = await TestAuthority.create({ now })
  other = await TestAuthority.create({ now })
  foreign = await TestAuthority.create({ now, trustDomain: 'foreign.org' })
})

async function server(
  options: { mutations?: readonly Mutation[]; adminIds?: readonly string[]; attestations?: number } = {},
) {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const bundles = [authority.bundle(), foreign.bundle()].map((bundle): Mutation => ({ kind: 'bundle.put', bundle }))
  const outcome = await store.commit(doing(...bundles, ...(options.mutations ?? [])))
  if (!outcome.ok) throw new Error(outcome.reason)
  const directory = await Directory.open({ store, trustDomain, clock, log: silentLog })
  const refusals = new RefusalCounter({ store, clock, log: silentLog })
  let refused = 0
  const perAddress = options.attestations ?? 100
  const access = new Access({
    ...{ directory, store, trustDomain, clock, cryptography, refusals, log: silentLog },
    adminIds: (options.adminIds ?? []).map((id) => SpiffeId.parse(id)),
    adminUids: new Set([0, 500]),
    limits: new RateLimits(
      {
        signing: { perSecond: 10, burst: 10, maxWaitSeconds: 0 },
        attestation: { perAddress, total: 1000, maxWaitSeconds: 0 },
        downstream: { perSecond: 2, burst: 4, maxWaitSeconds: 0 },
      },
      clock,
    ),
    refusedCalls: { add: () => refused++ },
  })
  const commit = async (...mutations: readonly Mutation[]): Promise<void> => {
    const result = await store.commit(doing(...mutations))
    if (!result.ok) throw new Error(result.reason)
    await directory.reached(result.revision)
  }
  return { access, clock, store, directory, refusals, commit, refusedCount: () => refused }
}

const agentOf = (svid: TestSvid, fields: Parameters<typeof anAgent>[1] = {}): Mutation => ({
  kind: 'agent.put',
  agent: anAgent('a', { serialNumber: svid.certificate.serialNumber.toString(), ...fields }),
})

const refusalOf = async (action: Promise<unknown>): Promise<SallyportError> => {
  const error: unknown = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SallyportError) return error
  throw new Error(`expected a refusal, got ${String(error)}`)
}

function reasonOf({ detail }: SallyportError): string | undefined {
  if (detail === undefined) return undefined
  expect(detail.typeUrl).toBe('type.googleapis.com/spire.api.types.PermissionDeniedDetails')
  return decodeMessage(permissionDeniedDetailsType, detail.value).reason
}

describe('agents', () => {
  test('SE-20 one that came while the wall clock was wrong is let in on the same connection once it is right', async () => {
    const svid = await authority.issue(AGENT)
    const { access, clock } = await server({ mutations: [agentOf(svid)] })
    const call = fakeCall(ENTRIES, tlsConnection(svid.chain))
    clock.jump(-86_400_000)
    expect(await refusalOf(access.authorize(call))).toThrowCode('AGENT_REFUSED')
    clock.jump(86_400_000)
    await access.authorize(call)
  })

  test('one with its current SVID may call what is for agents', async () => {
    const svid = await authority.issue(AGENT)
    const { access } = await server({ mutations: [agentOf(svid)] })
    const call = fakeCall(ENTRIES, tlsConnection(svid.chain))
    await access.authorize(call)
    expect(access.callerOf(call)).toMatchObject({
      kind: 'agent',
      serialNumber: svid.certificate.serialNumber.toString(),
    })
    expect(await refusalOf(access.authorize(fakeCall(LIST, call.connection)))).toThrowCode(
      'CALL_REFUSED',
      'local, admin',
    )
  })

  test('the first use of a renewed SVID promotes it, and ends the one before', async () => {
    const before = await authority.issue(AGENT)
    const renewed = await authority.issue(AGENT)
    const pendingSerialNumber = renewed.certificate.serialNumber.toString()
    const pendingExpiresAt = renewed.certificate.notAfter
    const { access, directory } = await server({
      mutations: [agentOf(before, { pendingSerialNumber, pendingExpiresAt })],
    })
    const old = tlsConnection(before.chain)
    await access.authorize(fakeCall(ENTRIES, old))
    const connection = tlsConnection(renewed.chain)
    // Several calls at once promote once.
    await Promise.all([1, 2, 3].map(() => access.authorize(fakeCall(ENTRIES, connection))))
    expect(directory.agent(anId(AGENT))).toMatchObject({
      serialNumber: pendingSerialNumber,
      expiresAt: pendingExpiresAt,
      pendingSerialNumber: undefined,
      keyHashes: [keyHashOf(renewed.certificate.spki)],
      revisionNumber: 1,
    })
    expect(reasonOf(await refusalOf(access.authorize(fakeCall(ENTRIES, old))))).toBe('AGENT_NOT_ACTIVE')
  })

  test('SE-10 every call asks again: ban, eviction, expiry and a newer SVID end an open connection, each with its reason', async () => {
    const svid = await authority.issue(AGENT)
    const { access, commit, clock, directory } = await server({ mutations: [agentOf(svid)] })
    const call = fakeCall(ENTRIES, tlsConnection(svid.chain))
    await access.authorize(call)
    const record = directory.agent(anId(AGENT))
    if (record === undefined) throw new Error('no agent')
    await commit({ kind: 'agent.put', agent: { ...record, serialNumber: '1', revisionNumber: 1 } })
    expect(reasonOf(await refusalOf(access.authorize(call)))).toBe('AGENT_NOT_ACTIVE')
    await commit({ kind: 'agent.put', agent: { ...record, serialNumber: '', banned: true, revisionNumber: 2 } })
    expect(reasonOf(await refusalOf(access.authorize(call)))).toBe('AGENT_BANNED')
    await commit({ kind: 'agent.delete', spiffeId: anId(AGENT) })
    expect(reasonOf(await refusalOf(access.authorize(call)))).toBe('AGENT_NOT_ATTESTED')
    await clock.advance(61 * 60_000)
    expect(reasonOf(await refusalOf(access.authorize(call)))).toBe('AGENT_EXPIRED')
  })

  test('SE-10 an authority that leaves the bundle takes its connections with it; one that joins changes nothing', async () => {
    const svid = await authority.issue(AGENT)
    const { access, commit } = await server({ mutations: [agentOf(svid)] })
    const call = fakeCall(ENTRIES, tlsConnection(svid.chain))
    await access.authorize(call)
    await commit({ kind: 'bundle.put', bundle: { ...authority.bundle(authority, other), sequenceNumber: 2 } })
    await access.authorize(call)
    await commit({ kind: 'bundle.put', bundle: { ...authority.bundle(other), sequenceNumber: 3 } })
    expect(await refusalOf(access.authorize(call))).toThrowCode('CALLER_UNPROVEN')
    await commit({ kind: 'bundle.put', bundle: { ...authority.bundle(authority), sequenceNumber: 4 } })
    await access.authorize(call)
  })

  test('an SVID that had expired when it was presented tells the agent to join anew', async () => {
    const svid = await authority.issue(AGENT, { notBefore: anInstant(-7200), notAfter: anInstant(-60) })
    const { access } = await server({ mutations: [agentOf(svid)] })
    const refusal = await refusalOf(access.authorize(fakeCall(ENTRIES, tlsConnection(svid.chain))))
    expect(refusal).toThrowCode('AGENT_REFUSED', 'has expired')
    expect(reasonOf(refusal)).toBe('AGENT_EXPIRED')
  })
})

describe('everybody else', () => {
  test('without a certificate only the first contact is possible', async () => {
    const { access } = await server()
    const connection = tlsConnection(undefined)
    await access.authorize(fakeCall(BUNDLE, connection))
    await access.authorize(fakeCall(ATTEST, connection))
    for (const method of [ENTRIES, LIST, FEDERATED, DOWNSTREAM]) {
      expect(await refusalOf(access.authorize(fakeCall(method, connection)))).toThrowCode(
        'CALLER_UNPROVEN',
        'no client certificate',
      )
    }
  })

  test('a certificate of an unknown authority proves nothing, yet takes away nothing', async () => {
    const { access } = await server()
    const connection = tlsConnection((await other.issue(AGENT)).chain)
    await access.authorize(fakeCall(BUNDLE, connection))
    expect(await refusalOf(access.authorize(fakeCall(ENTRIES, connection)))).toThrowCode('CALLER_UNPROVEN')
  })

  test('bytes that are no certificate are refused', async () => {
    const { access } = await server()
    const connection = tlsConnection([{ der: Buffer.from('nonsense') }])
    expect(await refusalOf(access.authorize(fakeCall(ENTRIES, connection)))).toThrowCode('CALLER_UNPROVEN')
  })

  test('a workload may call nothing that is for somebody', async () => {
    const { access } = await server()
    const connection = tlsConnection((await authority.issue('/w')).chain)
    for (const method of [ENTRIES, LIST, FEDERATED, DOWNSTREAM]) {
      expect(await refusalOf(access.authorize(fakeCall(method, connection)))).toThrowCode('CALL_REFUSED')
    }
  })

  test('a foreign id is nobody here unless the configuration names it as an administrator', async () => {
    const { access } = await server({ adminIds: ['spiffe://foreign.org/admin'] })
    const admin = fakeCall(LIST, tlsConnection((await foreign.issue('/admin')).chain))
    await access.authorize(admin)
    expect(access.callerOf(admin)).toMatchObject({ kind: 'admin' })
    const stranger = tlsConnection((await foreign.issue('/other')).chain)
    expect(await refusalOf(access.authorize(fakeCall(LIST, stranger)))).toThrowCode('CALL_REFUSED', 'foreign')
    const foreignAgent = tlsConnection((await foreign.issue(AGENT)).chain)
    expect(await refusalOf(access.authorize(fakeCall(ENTRIES, foreignAgent)))).toThrowCode('CALL_REFUSED', 'foreign')
  })

  const entry = (fields: Partial<RegistrationEntry>): Mutation => ({
    kind: 'entry.create',
    entry: anEntry('e', { spiffeId: anId('/ops'), parentId: anId(AGENT), ...fields }),
  })

  test('an entry makes its id an administrator, or a nested server, until it ends', async () => {
    const mutations = [
      { kind: 'agent.put', agent: anAgent('a') } as const,
      entry({ admin: true, expiresAt: anInstant(600) }),
    ]
    const { access, clock } = await server({ mutations })
    const connection = tlsConnection((await authority.issue('/ops')).chain)
    await access.authorize(fakeCall(LIST, connection))
    expect(await refusalOf(access.authorize(fakeCall(DOWNSTREAM, connection)))).toThrowCode('CALL_REFUSED')
    await clock.advance(600_000)
    expect(await refusalOf(access.authorize(fakeCall(LIST, connection)))).toThrowCode('CALL_REFUSED')
    const nested = await server({
      mutations: [{ kind: 'agent.put', agent: anAgent('a') }, entry({ downstream: true })],
    })
    await nested.access.authorize(fakeCall(DOWNSTREAM, tlsConnection((await authority.issue('/ops')).chain)))
  })

  test.for([
    ['below an alias', { parentId: anId('/node/1') }, {}],
    ['of an agent that is unknown', { parentId: anId('/spire/agent/b') }, {}],
    ['of an agent that is banned', {}, { banned: true }],
  ] as const)('SE-12 an admin entry %s gives no rights', async ([, fields, agent]) => {
    const { access } = await server({
      mutations: [{ kind: 'agent.put', agent: anAgent('a', agent) }, entry({ admin: true, ...fields })],
    })
    const connection = tlsConnection((await authority.issue('/ops')).chain)
    expect(await refusalOf(access.authorize(fakeCall(LIST, connection)))).toThrowCode('CALL_REFUSED')
  })
})

describe('the admin socket', () => {
  test('SE-05 the user is checked, and a refusal is counted for the journal', async () => {
    const { access, refusals, store, refusedCount } = await server()
    const call = fakeCall(LIST, unixConnection(500))
    await access.authorize(call)
    expect(access.callerOf(call)).toEqual({ kind: 'local', uid: 500, pid: 7 })
    expect(await refusalOf(access.authorize(fakeCall(LIST, unixConnection(1000))))).toThrowCode(
      'CALL_REFUSED',
      'user 1000',
    )
    await refusals.flush()
    const [record] = await Array.fromAsync(store.audit({ type: 'call.refused' }))
    expect(record?.facts).toContain('local:uid:1000')
    expect(refusedCount()).toBe(1)
  })

  test('health is offered here and nowhere else, not even to an administrator', async () => {
    const { access } = await server({ adminIds: ['spiffe://example.org/ops'] })
    await access.authorize(fakeCall(HEALTH, unixConnection(0)))
    const admin = tlsConnection((await authority.issue('/ops')).chain)
    expect(await refusalOf(access.authorize(fakeCall(HEALTH, admin)))).toThrowCode('METHOD_UNIMPLEMENTED')
  })

  test('SE-22 a thousand equal refusals are one record with their number', async () => {
    const { access, refusals, store } = await server()
    const connection = tlsConnection(undefined)
    for (let index = 0; index < 1000; index++) await refusalOf(access.authorize(fakeCall(LIST, connection)))
    await refusals.flush()
    const records = await Array.fromAsync(store.audit({ type: 'call.refused' }))
    expect(records.map(({ facts }) => JSON.parse(facts) as unknown)).toMatchObject([
      { callerId: 'anyone:10.0.0.1', code: 'CALLER_UNPROVEN', count: 1000, method: LIST },
    ])
  })
})

describe('limits', () => {
  test('SE-16 a flood of attestations from one address leaves others and those who have joined alone', async () => {
    const svid = await authority.issue(AGENT)
    const { access, clock } = await server({ mutations: [agentOf(svid)], attestations: 5 })
    const flood = tlsConnection(undefined, { address: '10.6.6.6' })
    for (let index = 0; index < 5; index++) await access.authorize(fakeCall(ATTEST, flood))
    expect(await refusalOf(access.authorize(fakeCall(ATTEST, flood)))).toThrowCode(
      'LIMIT_REACHED',
      'limits.attestation.perAddress',
    )
    await access.authorize(fakeCall(ATTEST, tlsConnection(undefined, { address: '10.0.0.2' })))
    await access.authorize(
      fakeCall('/spire.api.server.agent.v1.Agent/RenewAgent', tlsConnection(svid.chain, { address: '10.6.6.6' })),
    )
    await clock.advance(1000)
    await access.authorize(fakeCall(ATTEST, flood))
  })

  test('SE-16 attestations of one host are counted together, whichever address of its network it takes', async () => {
    const { access } = await server({ attestations: 2 })
    const attest = (address: string) => access.authorize(fakeCall(ATTEST, tlsConnection(undefined, { address })))
    for (const one of ['2001:db8:0:1::1', '2001:db8:0:1:a:b:c:d']) await attest(one)
    expect(await refusalOf(attest('2001:db8:0:1::2'))).toThrowCode('LIMIT_REACHED', 'limits.attestation.perAddress')
    await attest('2001:db8:0:2::1')
    for (const one of ['10.0.0.1', '::ffff:10.0.0.1']) await attest(one)
    expect(await refusalOf(attest('::ffff:10.0.0.1'))).toThrowCode('LIMIT_REACHED', 'limits.attestation.perAddress')
    await attest('::ffff:10.0.0.2')
  })

  test.for(['BatchNewX509SVID', 'BatchNewWITSVID'])(
    'SE-16 signatures of %s are counted by authenticated agent, the whole batch of them',
    async (name) => {
      const svid = await authority.issue(AGENT)
      const { access, clock } = await server({ mutations: [agentOf(svid)] })
      const call = fakeCall(`/spire.api.server.svid.v1.SVID/${name}`, tlsConnection(svid.chain))
      await access.authorize(call)
      await access.spendSignatures(call, 10)
      expect(await refusalOf(access.authorize(call))).toThrowCode('LIMIT_REACHED', 'limits.signing')
      await clock.advance(1000)
      await access.authorize(call)
      expect(await refusalOf(access.spendSignatures(call, 12))).toThrowCode('LIMIT_REACHED', '11 at once')
    },
  )

  test('a downstream server that asks for authority after authority waits, and others do not', async () => {
    const nested = (id: string): Mutation => ({
      kind: 'entry.create',
      entry: anEntry(id, { spiffeId: anId(`/${id}`), parentId: anId(AGENT), downstream: true }),
    })
    const { access, clock } = await server({
      mutations: [{ kind: 'agent.put', agent: anAgent('a') }, nested('one'), nested('two')],
    })
    const [one, two] = [await authority.issue('/one'), await authority.issue('/two')]
    // All of these methods, and all connections, draw on one allowance.
    for (const method of [DOWNSTREAM, PUBLISH, DOWNSTREAM, PUBLISH_WIT])
      await access.authorize(fakeCall(method, tlsConnection(one.chain)))
    for (const method of [DOWNSTREAM, PUBLISH, PUBLISH_WIT]) {
      const refusal = await refusalOf(access.authorize(fakeCall(method, tlsConnection(one.chain))))
      expect(refusal).toThrowCode('LIMIT_REACHED', 'limits.downstream')
    }
    await access.authorize(fakeCall(PUBLISH, tlsConnection(two.chain)))
    await access.authorize(fakeCall(BUNDLE, tlsConnection(one.chain)))
    await clock.advance(500)
    await access.authorize(fakeCall(DOWNSTREAM, tlsConnection(one.chain)))
  })
})
