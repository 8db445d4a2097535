import { describe, expect, test } from 'vitest'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { parseJwtSvid } from '../../../src/svid/jwt-svid.ts'
import { parseX509Svid } from '../../../src/svid/x509-svid.ts'
import { parsePattern } from '../../../src/policy/pattern.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { WorkloadReference } from '../../../src/wire/messages/spiffe-broker.ts'
import { changes } from '../../fakes/changes.ts'
import { unixConnection } from '../../fakes/fake-call.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import {
  BROKER_ID,
  BrokerWorld,
  type BrokerWorldOptions,
  FakeProcess,
  pidReference,
  podReference,
} from './broker-world.ts'
import { failureOf, handlersOf, Reading, workloadCall } from './workload-client.ts'

const uid = (number: number) => [{ type: 'unix', value: `uid:${number}` }]
const other = TrustDomain.parse('other.org')

const authorities = ['other.org', 'third.org'].map((trustDomain) => TestAuthority.create({ trustDomain }))
const foreign = (await Promise.all(authorities)).map((authority) => authority.bundleWithJwt())

async function worldWith(
  entries: Parameters<BrokerWorld['world']['hold']>[0],
  options: BrokerWorldOptions = {},
): Promise<BrokerWorld> {
  const house = await BrokerWorld.create(options)
  house.world.hold(entries, foreign)
  return house
}

/** All four methods with one reference. */
const allMethods = ({ served }: BrokerWorld, reference: WorkloadReference | null, call: Call) => [
  failureOf(served.subscribeToX509Svid({ reference }, call)),
  failureOf(served.subscribeToX509Bundles({ reference }, call)),
  failureOf(served.fetchJwtSvid({ reference, audience: ['a'], spiffeId: '' }, call)),
  failureOf(served.subscribeToJwtBundles({ reference }, call)),
]

async function answered(house: BrokerWorld, reference: WorkloadReference, call?: Call) {
  const stream = new Reading(house.served.subscribeToX509Svid({ reference }, call ?? (await house.call())))
  await until(() => stream.messages.length > 0 || stream.error !== undefined, 'an answer')
  return stream
}

describe('who may call', () => {
  const headers = [undefined, [], ['True'], ['TRUE'], ['1'], [''], ['true', 'true'], ['true', 'false']]

  test.for(headers)('BE-05 a call with the header %j is refused, whatever its method', async (header) => {
    await using house = await worldWith([])
    expect(await failureOf(house.admit(await house.call({ header })))).toThrowCode(
      'HEADER_MISSING',
      'broker.spiffe.io: true',
    )
    await house.admit(await house.call())
  })

  test('BE-07 BA-14 a valid SVID that is not on the list is refused, and so is everybody by an empty list', async () => {
    await using house = await worldWith([])
    const stranger = await house.call({ connection: await house.connection({ path: '/web' }) })
    const below = await house.call({ connection: await house.connection({ path: '/gateway/1' }) })
    for (const call of [stranger, below]) expect(await failureOf(house.admit(call))).toThrowCode('BROKER_REFUSED')
    await using closed = await worldWith([], { allow: [] })
    expect(await failureOf(closed.admit(await closed.call()))).toThrowCode('BROKER_REFUSED', BROKER_ID)
    expect(closed.records).toMatchObject([{ sentence: 'Refused a broker', fields: { callerId: BROKER_ID } }])
  })

  test('BE-07 a certificate that proves nothing is UNAUTHENTICATED: forged, expired, of no bundle, none', async () => {
    await using house = await worldWith([])
    const impostor = await TestAuthority.create({ now: house.world.clock.now() })
    const foreign = await TestAuthority.create({ trustDomain: 'foreign.org', now: house.world.clock.now() })
    const connections = [
      await house.connection({ authority: impostor }),
      await house.connection({ ttlMs: -5000 }),
      await house.connection({ authority: foreign }),
      { ...(await house.connection()), transport: 'tls' as const, address: '', presentedChain: undefined },
      unixConnection(0),
    ]
    for (const connection of connections) {
      const refusal = await failureOf(house.admit(await house.call({ connection })))
      expect(refusal.row.grpc).toBe('UNAUTHENTICATED')
    }
    // Every refusal left a trace, and none of them says that somebody was proven.
    expect(house.records).toHaveLength(connections.length)
  })

  test('a broker may be of any trust domain whose bundle is held; while bundles may be on their way, it is asked to come again', async () => {
    const allow = [{ id: SpiffeId.parse('spiffe://foreign.org/gateway'), references: ['pid'] as const }]
    await using house = await worldWith([], { allow })
    const authority = await TestAuthority.create({ trustDomain: 'foreign.org', now: house.world.clock.now() })
    const call = await house.call({ connection: await house.connection({ authority }) })
    house.isInSync = false
    expect(await failureOf(house.admit(call))).toThrowCode('IDENTITY_PENDING')
    house.bundles = bundleSetOf([authority.bundle()])
    await house.admit(call)
  })

  test('BE-10 a certificate ends when it says, and with the authority that vouched for it, in the middle of a connection', async () => {
    await using house = await worldWith([])
    const call = await house.call()
    await house.admit(call)
    const before = house.bundles
    const impostor = await TestAuthority.create({ now: house.world.clock.now() })
    house.bundles = bundleSetOf([impostor.bundle()])
    expect((await failureOf(house.admit(call))).row.grpc).toBe('UNAUTHENTICATED')
    house.bundles = before
    await house.admit(call)
    await house.world.clock.advance(3_600_001)
    expect((await failureOf(house.admit(call))).row.grpc).toBe('UNAUTHENTICATED')
  })

  test('one broker has so many calls open, and room again when one has ended', async () => {
    await using house = await worldWith([], { callsPerBroker: 2 })
    const first = new AbortController()
    await house.admit(await house.call({ signal: first.signal }))
    await house.admit(await house.call())
    expect(await failureOf(house.admit(await house.call()))).toThrowCode('CALL_LIMIT')
    first.abort()
    await house.admit(await house.call())
  })

  test('the certificate of a connection costs its signatures once, whether it is good or forged', async () => {
    await using house = await worldWith([])
    const good = await house.connection()
    const [leaf = Buffer.alloc(0)] = (good.transport === 'tls' ? good.presentedChain : undefined) ?? []
    const damaged = Buffer.from(leaf).fill(leaf.at(-1)! ^ 1, leaf.length - 1)
    for (const connection of [good, { ...good, presentedChain: [damaged] }]) {
      const ask = async () => house.admit(await house.call({ connection })).catch((error: unknown) => error)
      const before = house.verifications
      const answer = await ask()
      expect(await ask()).toEqual(answer)
      expect(house.verifications).toBe(before + 1)
    }
  })

  test('what one bundle does not vouch for, the next one may', async () => {
    await using house = await worldWith([])
    const impostor = await TestAuthority.create({ now: house.world.clock.now() })
    const call = await house.call({ connection: await house.connection({ authority: impostor }) })
    expect((await failureOf(house.admit(call))).row.grpc).toBe('UNAUTHENTICATED')
    house.bundles = bundleSetOf([impostor.bundle()])
    await house.admit(call)
  })

  test('a stranger writes one line into the log for each connection, however often it calls', async () => {
    await using house = await worldWith([])
    const connections = [await house.connection({ path: '/stranger' }), await house.connection({ path: '/stranger' })]
    for (const connection of [...connections, ...connections]) {
      expect(await failureOf(house.admit(await house.call({ connection })))).toThrowCode('BROKER_REFUSED')
    }
    expect(house.records.filter(({ sentence }) => sentence === 'Refused a broker')).toHaveLength(2)
  })

  test('a call that ends while its broker is being verified takes no place', async () => {
    await using house = await worldWith([], { callsPerBroker: 1 })
    const early = new AbortController()
    const admission = house.admit(await house.call({ signal: early.signal }))
    early.abort(new SallyportError('CALL_CANCELLED', 'went away'))
    expect(await failureOf(admission)).toThrowCode('CALL_CANCELLED')
    await house.admit(await house.call())
  })
})

describe('references', () => {
  test('BA-01 BA-23 a call without a reference is INVALID_ARGUMENT on every method', async () => {
    await using house = await worldWith([anEntry('a')])
    for (const refusal of await Promise.all(allMethods(house, null, await house.call()))) {
      expect(refusal).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'missing')
    }
  })

  test('BA-07 BA-23 a process that does not exist is NOT_FOUND on every method', async () => {
    await using house = await worldWith([anEntry('a')])
    for (const refusal of await Promise.all(allMethods(house, pidReference(4711), await house.call()))) {
      expect(refusal).toThrowCode('WORKLOAD_NOT_FOUND', 'process 4711')
      expect(refusal.row.grpc).toBe('NOT_FOUND')
    }
  })

  test('BA-02 BA-06 an object of Kubernetes is refused by an agent that can look none up, and not as if it had looked', async () => {
    await using house = await worldWith([anEntry('a')])
    for (const refusal of await Promise.all(allMethods(house, podReference, await house.call()))) {
      expect(refusal).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'this agent has no Kubernetes attestor')
    }
  })

  test('BA-15 a broker that may refer to objects alone may not refer to processes, and the other way round', async () => {
    const id = SpiffeId.parse(BROKER_ID)
    await using objects = await worldWith([anEntry('a')], { allow: [{ id, references: ['kubernetes'] }] })
    await using processes = await worldWith([anEntry('a')], { allow: [{ id, references: ['pid'] }] })
    const refusals = [
      ...(await Promise.all(allMethods(objects, pidReference(1000), await objects.call()))),
      ...(await Promise.all(allMethods(processes, podReference, await processes.call()))),
    ]
    for (const refusal of refusals) expect(refusal).toThrowCode('BROKER_REFUSED', 'may not refer')
    // Whether there is such a process is not told either.
    expect(
      await failureOf(objects.served.subscribeToX509Svid({ reference: pidReference(9) }, await objects.call())),
    ).toThrowCode('BROKER_REFUSED')
  })

  test('BA-07 a process that ends while it is attested is NOT_FOUND, and one that cannot be attested is asked about again', async () => {
    await using house = await worldWith([anEntry('a')])
    const process = new FakeProcess(1002, 1002)
    house.processes.set(1002, process)
    house.world.attestFailure = new SallyportError('PROCESS_REFUSED', 'in a namespace of its own')
    expect(
      await failureOf(house.served.subscribeToX509Svid({ reference: pidReference(1002) }, await house.call())),
    ).toThrowCode('IDENTITY_PENDING', 'in a namespace')
    house.onAttest = () => process.exit()
    const served = house.served.subscribeToX509Svid({ reference: pidReference(1002) }, await house.call())
    expect(await failureOf(served)).toThrowCode('WORKLOAD_NOT_FOUND', 'process 1002')
    expect(process.opened).toBe(0)
  })
})

describe('what a broker is given', () => {
  test('BA-12 BA-13 BA-25 the SVIDs of the workload and of no other, with everything that belongs to them', async () => {
    const mine = [
      anEntry('a', { hint: 'internal', federatesWith: [other] }),
      anEntry('b', { createdAt: new Date(Date.UTC(2026, 0, 2)), hint: 'internal' }),
    ]
    await using house = await worldWith([...mine, anEntry('z', { selectors: uid(1001) })])
    const { last } = await answered(house, pidReference(1000))
    expect(last.svids?.map(({ spiffeId, hint }) => [spiffeId, hint])).toEqual([
      [anId('/workload/a').toString(), 'internal'],
      [anId('/workload/b').toString(), ''],
    ])
    for (const { spiffeId, x509Svid, x509SvidKey, bundle } of last.svids ?? []) {
      expect(parseX509Svid(Buffer.from(x509Svid!), Buffer.from(x509SvidKey!)).spiffeId.toString()).toBe(spiffeId)
      expect(bundle).toEqual(house.world.upstream.authority.certificate.der)
    }
    expect(Object.keys(last.federatedBundles ?? {})).toEqual(['spiffe://other.org'])
  })

  test('BA-33 bundles are those that the workload itself would get from the Workload API', async () => {
    await using house = await worldWith([
      anEntry('a', { federatesWith: [other] }),
      anEntry('z', { selectors: uid(1001) }),
    ])
    const workload = handlersOf(house.world)
    for (const pid of [1000, 1001]) {
      const [reference, call, own] = [pidReference(pid), await house.call(), workloadCall({ uid: pid })]
      const pairs = [
        [
          new Reading(house.served.subscribeToX509Bundles({ reference }, call)),
          new Reading(workload.fetchX509Bundles({}, own)),
        ],
        [
          new Reading(house.served.subscribeToJwtBundles({ reference }, call)),
          new Reading(workload.fetchJwtBundles({}, own)),
        ],
      ] as const
      for (const [brokered, direct] of pairs) {
        await until(() => brokered.messages.length > 0 && direct.messages.length > 0, 'bundles')
        expect(brokered.last).toEqual(direct.last)
        expect(Object.keys(brokered.last.bundles ?? {})).toContain('spiffe://example.org')
      }
    }
  })

  test('BA-13 BA-26 tokens of all identities, or of the one that is asked for', async () => {
    await using house = await worldWith([anEntry('a'), anEntry('b'), anEntry('z', { selectors: uid(1001) })])
    const fetch = async (spiffeId: string, audience = ['x', 'y']) =>
      (await house.served.fetchJwtSvid({ reference: pidReference(1000), audience, spiffeId }, await house.call()))
        .svids ?? []
    const both = await fetch('')
    expect(both.map(({ spiffeId }) => spiffeId)).toEqual([anId('/workload/a'), anId('/workload/b')].map(String))
    for (const { svid, spiffeId } of both) {
      const { audience, spiffeId: subject } = parseJwtSvid(svid!)
      expect([audience, subject.toString()]).toEqual([['x', 'y'], spiffeId])
    }
    expect((await fetch(anId('/workload/b').toString())).map(({ spiffeId }) => spiffeId)).toEqual([
      anId('/workload/b').toString(),
    ])
    const stranger = await failureOf(fetch(anId('/workload/z').toString()))
    expect(stranger).toThrowCode('WORKLOAD_NOT_ENTITLED')
  })

  test('BA-21 tokens without an audience, or of what is no SPIFFE ID, are INVALID_ARGUMENT', async () => {
    await using house = await worldWith([anEntry('a')])
    const reference = pidReference(1000)
    const call = await house.call()
    const requests = [
      { reference, audience: [], spiffeId: '' },
      { reference, audience: [''], spiffeId: '' },
      { reference, audience: ['x'], spiffeId: 'example.org/a' },
    ]
    for (const request of requests) {
      expect((await failureOf(house.served.fetchJwtSvid(request, call))).row.grpc).toBe('INVALID_ARGUMENT')
    }
  })

  test('BA-23 a workload without an entry is PERMISSION_DENIED on every method, once it has been waited for', async () => {
    await using house = await worldWith([anEntry('a')])
    const refusals = Promise.all(allMethods(house, pidReference(1001), await house.call()))
    await until(() => house.world.callers.held === 4, 'four calls that wait')
    await house.world.clock.advance(5000)
    for (const refusal of await refusals) expect(refusal).toThrowCode('WORKLOAD_NOT_ENTITLED', 'process 1001')
  })

  test('before the agent knows everything, that is UNAVAILABLE', async () => {
    await using house = await worldWith([])
    house.world.status.set('connecting')
    const refusal = failureOf(house.served.subscribeToX509Svid({ reference: pidReference(1000) }, await house.call()))
    await until(() => house.world.callers.held === 1, 'a call that waits')
    await house.world.clock.advance(5000)
    expect(await refusal).toThrowCode('IDENTITY_PENDING')
  })

  test('what lifecycle withholds from the workload is withheld from its broker', async () => {
    await using house = await worldWith([anEntry('a')])
    const stream = await answered(house, pidReference(1000))
    const withheld = { why: 'quarantined', isX509Withheld: true } as const
    house.world.entitlements.stand({ withheld: () => withheld, stopped: () => undefined, isRevoked: () => false })
    await until(() => stream.error !== undefined, 'the end of the stream')
    expect(stream.error).toThrowCode('WORKLOAD_NOT_ENTITLED', 'is in quarantine')
    const refusal = await failureOf(
      house.served.fetchJwtSvid({ reference: pidReference(1000), audience: ['x'], spiffeId: '' }, await house.call()),
    )
    expect(refusal).toThrowCode('WORKLOAD_NOT_ENTITLED')
  })
})

describe('BA-32 identities with administrative rights', () => {
  test.for(['admin', 'downstream'] as const)(
    '%s: a workload that has no other is entitled to nothing',
    async (right) => {
      await using house = await worldWith([anEntry('a', { [right]: true })])
      const refusals = Promise.all(allMethods(house, pidReference(1000), await house.call()))
      await until(() => house.world.callers.held === 4, 'four calls that wait')
      await house.world.clock.advance(5000)
      for (const refusal of await refusals) expect(refusal).toThrowCode('WORKLOAD_NOT_ENTITLED')
      // The workload itself gets it.
      const own = new Reading(handlersOf(house.world).fetchX509Svid({}, workloadCall()))
      await until(() => own.messages.length > 0, 'its own SVID')
    },
  )

  test('are left out beside others, with what only they federate with', async () => {
    await using house = await worldWith([
      anEntry('a', { admin: true, federatesWith: [other, TrustDomain.parse('third.org')] }),
      anEntry('b', { federatesWith: [TrustDomain.parse('third.org')] }),
    ])
    const { last } = await answered(house, pidReference(1000))
    expect(last.svids?.map(({ spiffeId }) => spiffeId)).toEqual([anId('/workload/b').toString()])
    expect(Object.keys(last.federatedBundles ?? {})).toEqual(['spiffe://third.org'])
    const fetch = async (spiffeId: string) =>
      house.served.fetchJwtSvid({ reference: pidReference(1000), audience: ['x'], spiffeId }, await house.call())
    expect((await fetch('')).svids?.map(({ spiffeId }) => spiffeId)).toEqual([anId('/workload/b').toString()])
    expect(await failureOf(fetch(anId('/workload/a').toString()))).toThrowCode('WORKLOAD_NOT_ENTITLED')
  })

  test('an identity has them as soon as any of its entries says so, also in the middle of a stream', async () => {
    const shared = anId('/workload/shared')
    await using house = await worldWith([anEntry('a', { spiffeId: shared }), anEntry('b')])
    const stream = await answered(house, pidReference(1000))
    expect(stream.last.svids).toHaveLength(2)
    const rights = anEntry('r', { spiffeId: shared, admin: true, selectors: uid(0) })
    house.world.entitlements.apply(changes({ entries: [rights] }))
    await until(() => stream.messages.length === 2, 'a message without it')
    expect(stream.last.svids?.map(({ spiffeId }) => spiffeId)).toEqual([anId('/workload/b').toString()])
  })
})

describe('a broker that is bound to identities', () => {
  const bound = (...patterns: readonly string[]): BrokerWorldOptions => ({
    allow: [
      { id: SpiffeId.parse(BROKER_ID), references: ['pid'], identities: patterns.map(parsePattern) },
      { id: SpiffeId.parse('spiffe://example.org/other'), references: ['pid'] },
    ],
  })
  const entries = [
    anEntry('a', { spiffeId: anId('/ns/web/a'), federatesWith: [other] }),
    anEntry('b', { spiffeId: anId('/ns/webadmin/b'), federatesWith: [TrustDomain.parse('third.org')] }),
    anEntry('c', { spiffeId: anId('/ns/web'), selectors: uid(1000) }),
  ]
  const idsOf = (stream: Awaited<ReturnType<typeof answered>>) =>
    stream.last.svids?.map(({ spiffeId }) => spiffeId).toSorted()

  test('BA-14 gets the SVIDs, tokens and bundles of those alone, on whole segments of the path', async () => {
    await using house = await worldWith(entries, bound('/ns/web/**'))
    const stream = await answered(house, pidReference(1000))
    expect(idsOf(stream)).toEqual([anId('/ns/web/a').toString()])
    expect(Object.keys(stream.last.federatedBundles ?? {})).toEqual(['spiffe://other.org'])
    const fetch = async (spiffeId: string) =>
      house.served.fetchJwtSvid({ reference: pidReference(1000), audience: ['x'], spiffeId }, await house.call())
    expect((await fetch('')).svids?.map(({ spiffeId }) => spiffeId)).toEqual([anId('/ns/web/a').toString()])
    expect(await failureOf(fetch(anId('/ns/webadmin/b').toString()))).toThrowCode('WORKLOAD_NOT_ENTITLED')
    const bundles = new Reading(
      house.served.subscribeToX509Bundles({ reference: pidReference(1000) }, await house.call()),
    )
    await until(() => bundles.messages.length > 0, 'bundles')
    expect(Object.keys(bundles.last.bundles ?? {}).toSorted()).toEqual(['spiffe://example.org', 'spiffe://other.org'])
  })

  test('BA-14 gets nothing of a workload that has none of them, as if it had no identity', async () => {
    await using house = await worldWith(entries, bound('/ns/shop/**'))
    const refusals = Promise.all(allMethods(house, pidReference(1000), await house.call()))
    await until(() => house.world.callers.held === 4, 'four calls that wait')
    await house.world.clock.advance(5000)
    for (const refusal of await refusals) expect(refusal).toThrowCode('WORKLOAD_NOT_ENTITLED')
  })

  test('several patterns add up, with and without the trust domain; of another one they name nobody', async () => {
    const patterns = ['/ns/*/b', 'spiffe://example.org/ns/web', 'spiffe://other.org/ns/web/**']
    await using house = await worldWith(entries, bound(...patterns))
    expect(idsOf(await answered(house, pidReference(1000)))).toEqual(
      ['/ns/web', '/ns/webadmin/b'].map((path) => anId(path).toString()),
    )
  })

  test('never gets an identity with rights over others, and leaves other brokers as they are', async () => {
    const admin = anEntry('d', { spiffeId: anId('/ns/web/d'), admin: true })
    await using house = await worldWith([...entries, admin], bound('/ns/web/**'))
    expect(idsOf(await answered(house, pidReference(1000)))).toEqual([anId('/ns/web/a').toString()])
    const call = await house.call({ connection: await house.connection({ path: '/other' }) })
    expect(idsOf(await answered(house, pidReference(1000), call))).toHaveLength(3)
  })
})

describe('a stream', () => {
  test('BA-19 BA-20 tells the whole state at once and again after each change, and nothing in between', async () => {
    await using house = await worldWith([anEntry('a')])
    const stream = await answered(house, pidReference(1000))
    const put = (...entries: ReturnType<typeof anEntry>[]) => {
      for (const entry of entries) house.world.upstream.entries.set(entry.id, entry)
      house.world.entitlements.apply(changes({ entries }))
    }
    put(anEntry('z', { selectors: uid(1001) }))
    put(anEntry('b'))
    await until(() => stream.messages.length === 2, 'the second identity')
    expect(stream.last.svids).toHaveLength(2)
    house.world.entitlements.apply(changes({ removedEntryIds: ['a'] }))
    await until(() => stream.messages.length === 3, 'the end of the first identity')
    expect(stream.last.svids?.map(({ spiffeId }) => spiffeId)).toEqual([anId('/workload/b').toString()])
    house.world.entitlements.apply(changes({ removedEntryIds: ['b'] }))
    await until(() => stream.error !== undefined, 'the end')
    expect(stream.error).toThrowCode('WORKLOAD_NOT_ENTITLED')
    expect(stream.messages).toHaveLength(3)
  })

  test('BA-27 BA-31 ends with NOT_FOUND when the process ends, and leaves nothing open, whoever has the number then', async () => {
    await using house = await worldWith([anEntry('a')])
    const process = house.processes.get(1000)!
    const call = await house.call()
    const reference = pidReference(1000)
    const streams = [
      await answered(house, reference, call),
      new Reading(house.served.subscribeToX509Bundles({ reference }, call)),
      new Reading(house.served.subscribeToJwtBundles({ reference }, call)),
    ]
    await until(() => streams.every(({ messages }) => messages.length > 0), 'three streams')
    expect(process.opened).toBe(3)
    house.processes.set(1000, new FakeProcess(1000, 1000))
    process.exit()
    await until(() => streams.every(({ error }) => error !== undefined), 'the end of all')
    for (const { error } of streams) expect(error).toThrowCode('WORKLOAD_NOT_FOUND', 'process 1000')
    expect(process.opened).toBe(0)
  })

  test('BA-31 a process that runs another program is not given the SVIDs of the first', async () => {
    await using house = await worldWith([anEntry('a')])
    const stream = await answered(house, pidReference(1000))
    house.world.callerFailure = new SallyportError('WORKLOAD_CHANGED', 'it runs another program now')
    house.world.entitlements.apply(changes({ entries: [anEntry('b')], removedEntryIds: ['a'] }))
    house.world.upstream.entries.set('b', anEntry('b'))
    await until(() => stream.error !== undefined, 'the end')
    expect(stream.error).toThrowCode('IDENTITY_PENDING', 'another program')
    expect(stream.messages).toHaveLength(1)
  })

  test('BE-10 ends when the certificate of the broker does, also where nothing is to be told', async () => {
    await using house = await worldWith([anEntry('a')])
    const call = await house.call({ connection: await house.connection({ ttlMs: 60_000 }) })
    const stream = await answered(house, pidReference(1000), call)
    await house.world.clock.advance(60_000)
    await until(() => stream.error !== undefined, 'the end')
    expect(stream.error).toThrowCode('CERTIFICATE_EXPIRED', BROKER_ID)
  })

  test('BE-10 gives nothing more once the bundle does not vouch for the broker any more', async () => {
    await using house = await worldWith([anEntry('a')])
    const stream = await answered(house, pidReference(1000))
    house.bundles = bundleSetOf([(await TestAuthority.create({ now: house.world.clock.now() })).bundle()])
    house.world.upstream.entries.set('b', anEntry('b'))
    house.world.entitlements.apply(changes({ entries: [anEntry('b')] }))
    await until(() => stream.error !== undefined, 'the end')
    expect((stream.error as SallyportError).row.grpc).toBe('UNAUTHENTICATED')
    expect(stream.messages).toHaveLength(1)
  })

  test.for([
    ['in quarantine', { why: 'quarantined', isX509Withheld: true }, 'is in quarantine'],
    ['in quarantine with a conduit kept open', { why: 'quarantined', isX509Withheld: false }, 'is in quarantine'],
    ['offboarded', { why: 'offboarded', isX509Withheld: true }, 'is offboarded'],
    ['of a revoked serial number', undefined, 'a certificate that is revoked'],
  ] as const)(
    '§3.11 a broker that is %s is given nothing more, also on a stream that is open',
    async ([, withheld, why]) => {
      await using house = await worldWith([anEntry('a')])
      const stream = await answered(house, pidReference(1000))
      house.standing = {
        withheld: (id) => (id === BROKER_ID ? withheld : undefined),
        stopped: () => undefined,
        isRevoked: (id) => id === BROKER_ID && withheld === undefined,
      }
      house.world.upstream.entries.set('b', anEntry('b'))
      house.world.entitlements.apply(changes({ entries: [anEntry('b')] }))
      await until(() => stream.error !== undefined, 'the end')
      expect(stream.error).toThrowCode('BROKER_REFUSED', why)
      expect(stream.messages).toHaveLength(1)
      expect(await failureOf(house.admit(await house.call()))).toThrowCode('BROKER_REFUSED', why)
    },
  )

  test('BA-18 the end of one workload leaves the streams of others on the same connection alone', async () => {
    await using house = await worldWith([anEntry('a'), anEntry('z', { selectors: uid(1001) })])
    const connection = await house.connection()
    const first = await answered(house, pidReference(1000), await house.call({ connection }))
    const second = await answered(house, pidReference(1001), await house.call({ connection }))
    house.processes.get(1000)?.exit()
    await until(() => first.error !== undefined, 'the end of the first')
    house.world.upstream.entries.set('y', anEntry('y', { selectors: uid(1001) }))
    house.world.entitlements.apply(changes({ entries: [anEntry('y', { selectors: uid(1001) })] }))
    await until(() => second.messages.length === 2, 'a message to the second')
    expect(second.error).toBeUndefined()
  })

  test('a broker that cancels leaves nothing open', async () => {
    await using house = await worldWith([anEntry('a')])
    const stop = new AbortController()
    const stream = await answered(house, pidReference(1000), await house.call({ signal: stop.signal }))
    stop.abort(new SallyportError('CALL_CANCELLED', 'enough'))
    await until(() => stream.error !== undefined, 'the end')
    expect(stream.error).toThrowCode('CALL_CANCELLED')
    expect(house.processes.get(1000)?.opened).toBe(0)
    expect(house.world.entitlements.openStreams).toBe(0)
  })
})

test('every fetch leaves a record of broker, process and identity, and every refusal one of why', async () => {
  await using house = await worldWith([anEntry('a')])
  const [call, reference] = [await house.call(), pidReference(1000)]
  await answered(house, reference, call)
  await house.served.fetchJwtSvid({ reference, audience: ['x'], spiffeId: '' }, call)
  for await (const _bundles of house.served.subscribeToJwtBundles({ reference }, call)) break
  await failureOf(house.served.subscribeToX509Svid({ reference: pidReference(4711) }, call))
  const given = { callerId: BROKER_ID, pid: 1000, spiffeId: [anId('/workload/a').toString()], requestId: 'r1' }
  expect(house.records).toMatchObject([
    { sentence: 'Gave a broker X509-SVIDs', fields: given },
    { sentence: 'Gave a broker JWT-SVIDs', fields: given },
    { sentence: 'Gave a broker bundles', fields: given },
    {
      sentence: 'Ended a call of a broker for X509-SVIDs',
      fields: { callerId: BROKER_ID, pid: 4711, err: { code: 'WORKLOAD_NOT_FOUND' } },
    },
  ])
})
