import { createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { SallyportError } from '../../../src/errors.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { decodeCertificates } from '../../../src/x509/decode-certificate.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anEntry, anInstant } from '../../fakes/store-objects.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld, type AgentWorldOptions } from '../agent-world.ts'
import { changes } from '../../fakes/changes.ts'
import { handlersOf, Reading, workloadCall, type CallOptions } from './workload-client.ts'

async function reading(world: AgentWorld, options: CallOptions = {}) {
  const stream = new Reading(handlersOf(world).fetchX509Svid({}, workloadCall(options)))
  await settled()
  return stream
}

async function readingOf(entries: readonly ReturnType<typeof anEntry>[], options: AgentWorldOptions = {}) {
  const world = await AgentWorld.create(options)
  world.hold(entries)
  const stream = await reading(world)
  await until(() => stream.messages.length > 0 || stream.error !== undefined, 'a first message')
  return { world, stream }
}

describe('FetchX509SVID', () => {
  test('WA-21 WA-22 WA-23 IO-06 IO-07 quirk 17 18 23: one complete SVID for each entry', async () => {
    const { world, stream } = await readingOf([anEntry('a'), anEntry('b')])
    await using _world = world
    expect(stream.last.svids).toHaveLength(2)
    for (const { spiffeId, x509Svid, x509SvidKey, bundle } of stream.last.svids!) {
      const [leaf] = decodeCertificates(Buffer.from(x509Svid!))
      expect(leaf!.uriSans).toEqual([spiffeId])
      const key = createPrivateKey({ key: Buffer.from(x509SvidKey!), format: 'der', type: 'pkcs8' })
      expect(spkiOf(createPublicKey(key))).toEqual(leaf!.spki)
      expect(decodeCertificates(Buffer.from(bundle!)).map(({ der }) => der)).toEqual([
        world.upstream.authority.certificate.der,
      ])
    }
  })

  test('WA-14 the bundle of each SVID is that of the own trust domain', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    const entry = anEntry('a', { federatesWith: [TrustDomain.parse('other.org')] })
    await using world = await AgentWorld.create()
    world.hold([entry], [foreign.bundle()])
    const stream = await reading(world)
    await until(() => stream.messages.length > 0)
    expect(stream.last.svids![0]!.bundle).toEqual(world.upstream.authority.certificate.der)
    expect(Object.keys(stream.last.federatedBundles!)).toEqual(['spiffe://other.org'])
  })

  test('WA-18 quirk 16: the first SVID is that of the oldest registration, before and after a renewal', async () => {
    const entries = [anEntry('a', { createdAt: anInstant(9) }), anEntry('z', { createdAt: anInstant(1) })]
    const { world, stream } = await readingOf(entries)
    await using _world = world
    const ids = () => stream.last.svids!.map(({ spiffeId }) => spiffeId)
    const before = ids()
    expect(before[0]).toBe('spiffe://example.org/workload/z')
    for (let renewal = 2; renewal <= 5; renewal++) {
      const seen = stream.messages.length
      await world.clock.advance(35 * 60_000)
      await until(() => stream.messages.length > seen)
      expect(ids()).toEqual(before)
    }
  })

  test('WA-06 quirk 15: after one of two entries has changed, the message still has everything', async () => {
    const { world, stream } = await readingOf([anEntry('a'), anEntry('b')])
    await using _world = world
    const next = anEntry('b', { revisionNumber: 1 })
    world.upstream.entries.set('b', next)
    world.entitlements.apply(changes({ entries: [next] }))
    await until(() => stream.messages.length === 2)
    expect(stream.last.svids).toHaveLength(2)
    expect(stream.last.svids![0]).toEqual(stream.messages[0]!.svids![0])
  })

  test('WA-08 without a change there is no message', async () => {
    const { world, stream } = await readingOf([anEntry('a')])
    await using _world = world
    world.entitlements.apply(changes({ entries: [anEntry('x', { selectors: [parseSelector('unix:uid:7')] })] }))
    await world.clock.advance(10 * 60_000)
    expect(stream.messages).toHaveLength(1)
  })

  test('WA-15 quirk 24: of two entries with one hint the older keeps it', async () => {
    const entries = [anEntry('a', { hint: 'x' }), anEntry('b', { hint: 'x' }), anEntry('c', { hint: 'y' })]
    const { world, stream } = await readingOf(entries)
    await using _world = world
    expect(stream.last.svids!.map(({ hint }) => hint)).toEqual(['x', '', 'y'])
  })

  test('IO-12 quirk 20: a foreign bundle without certificates is left out', async () => {
    const name = TrustDomain.parse('other.org')
    await using world = await AgentWorld.create()
    world.hold([anEntry('a', { federatesWith: [name] })], [bundleOf({ trustDomain: name })])
    const stream = await reading(world)
    await until(() => stream.messages.length > 0)
    expect(stream.last.federatedBundles).toEqual({})
  })

  test('WA-26 quirk 9: losing the last identity ends the stream with PERMISSION_DENIED, never an empty list', async () => {
    const { world, stream } = await readingOf([anEntry('a')])
    await using _world = world
    world.entitlements.apply(changes({ removedEntryIds: ['a'] }))
    await settled()
    expect(stream.error).toThrowCode('NO_IDENTITY', 'no identity issued')
    expect(stream.messages.every(({ svids }) => svids!.length > 0)).toBe(true)
  })

  test('IO-08 when the last SVID expires while the server is away, the stream ends with UNAVAILABLE', async () => {
    const { world, stream } = await readingOf([anEntry('a')])
    await using _world = world
    world.upstream.failure = new Error('away')
    await world.clock.advance(61 * 60_000)
    // What is to be signed is made in another thread, which may be late, and then the stream waits for a few seconds more.
    for (let turn = 0; turn < 10_000 && stream.error === undefined; turn++) await world.clock.advance(1000)
    expect(stream.error).toThrowCode('IDENTITY_PENDING', 'has not signed it')
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
  })

  test('a bundle that changed reaches the stream at once', async () => {
    const { world, stream } = await readingOf([anEntry('a')])
    await using _world = world
    const other = await TestAuthority.create({ now: world.clock.now() })
    const { authority } = world.upstream
    world.entitlements.apply(changes({ bundles: [world.upstream.bundleWith([authority, other], [], 2)] }))
    await settled()
    expect(stream.messages).toHaveLength(2)
    expect(decodeCertificates(Buffer.from(stream.last.svids![0]!.bundle!))).toHaveLength(2)
  })

  test('SE-18 WA-20 one partner with a huge bundle cannot push out the others', async () => {
    const [big, small] = ['big.org', 'small.org'].map((name) => TrustDomain.parse(name))
    const foreign = await TestAuthority.create({ trustDomain: 'small.org' })
    const fat = Buffer.alloc(5 * 1024 * 1024)
    const certificate = { ...foreign.certificate, der: fat }
    await using world = await AgentWorld.create()
    world.hold(
      [anEntry('a', { federatesWith: [big!, small!] })],
      [bundleOf({ trustDomain: big!, x509Authorities: [{ certificate, tainted: false }] }), foreign.bundle()],
    )
    const stream = await reading(world)
    await until(() => stream.messages.length > 0)
    expect(Object.keys(stream.last.federatedBundles!)).toEqual(['spiffe://small.org'])
  })
})

describe('an unknown caller of FetchX509SVID', () => {
  test('WA-24 WE-17 IO-15 quirk 11: is refused after the hold, when the agent is in sync', async () => {
    await using world = await AgentWorld.create()
    world.hold([])
    const stream = await reading(world)
    await world.clock.advance(4_900)
    expect(stream.error).toBeUndefined()
    await world.clock.advance(200)
    expect(stream.error).toThrowCode('NO_IDENTITY', 'no identity issued')
    expect((stream.error as SallyportError).row.grpc).toBe('PERMISSION_DENIED')
  })

  test('WE-18 quirk 10: is told to come back while the agent is not in sync', async () => {
    await using world = await AgentWorld.create()
    world.status.set('connecting', 'nobody listens there')
    const stream = await reading(world)
    await world.clock.advance(5_100)
    expect(stream.error).toThrowCode('IDENTITY_PENDING', 'Cannot say yet')
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
    expect((stream.error as SallyportError).message).not.toContain('no identity issued')
  })

  test('gets its identity when its entry arrives during the hold', async () => {
    await using world = await AgentWorld.create()
    world.hold([])
    const stream = await reading(world)
    await world.clock.advance(3_000)
    world.hold([anEntry('a')])
    await until(() => stream.messages.length === 1)
    await world.clock.advance(10_000)
    expect(stream.error).toBeUndefined()
  })

  test('SE-04 only so many callers of one user are held; the next one is answered at once', async () => {
    await using world = await AgentWorld.create({ heldCallersPerUid: 2 })
    world.hold([])
    const streams = [await reading(world), await reading(world), await reading(world)]
    const other = await reading(world, { uid: 7 })
    expect(streams.map(({ error }) => error === undefined)).toEqual([true, true, false])
    expect(other.error).toBeUndefined()
    await world.clock.advance(6_000)
    expect(world.callers.held).toBe(0)
  })

  test('IO-14 is told to come back when it cannot be attested', async () => {
    await using world = await AgentWorld.create()
    world.attestFailure = new Error('the disk is slow')
    const stream = await reading(world)
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
  })

  test('IO-14 is told to come back when the server does not sign', async () => {
    await using world = await AgentWorld.create()
    world.upstream.failure = new SallyportError('LIMIT_REACHED', 'slower')
    world.hold([anEntry('a')])
    const stream = await reading(world)
    await until(() => world.x509Svids.now([anEntry('a')]).failure !== undefined)
    await settled()
    await world.clock.advance(6_000)
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
  })
})

describe('the process behind a stream', () => {
  test('SE-01 gets nothing once it runs another program', async () => {
    const { world, stream } = await readingOf([anEntry('a')])
    await using _world = world
    world.callerFailure = new SallyportError('CALLER_CHANGED', 'runs another program now')
    world.entitlements.apply(changes({ entries: [anEntry('a', { revisionNumber: 1 })] }))
    world.upstream.entries.set('a', anEntry('a', { revisionNumber: 1 }))
    await until(() => stream.error !== undefined)
    expect(stream.messages).toHaveLength(1)
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
  })

  test('WE-16 SE-03 gets nothing once it has exited', async () => {
    await using world = await AgentWorld.create()
    world.hold([anEntry('a')])
    const stream = await reading(world, { peer: { isAlive: () => false } })
    await until(() => stream.error !== undefined)
    expect(stream.messages).toHaveLength(0)
  })

  test('its stream ends with its call, and nothing is left behind', async () => {
    await using world = await AgentWorld.create()
    world.hold([anEntry('a')])
    const stop = new AbortController()
    const stream = await reading(world, { signal: stop.signal })
    await until(() => stream.messages.length === 1)
    stop.abort(new SallyportError('NOT_READY', 'the agent drains'))
    await settled()
    expect(stream.error).toThrowCode('NOT_READY')
    const { sequence } = world.entitlements.apply(changes({ removedEntryIds: ['a'] }))
    await world.entitlements.delivered(sequence)
  })
})
