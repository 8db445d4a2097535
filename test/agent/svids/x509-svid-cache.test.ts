import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { Wake } from '../../../agent/entries/wake.ts'
import { decodeCertificates } from '../../../src/x509/decode-certificate.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { FakeUpstream } from '../../fakes/fake-upstream.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld } from '../agent-world.ts'
import { changes } from '../../fakes/changes.ts'

const minutes = (count: number) => count * 60_000

async function holding(...ids: readonly string[]): Promise<AgentWorld> {
  const world = await AgentWorld.create()
  world.hold(ids.map((id) => anEntry(id)))
  await until(() => world.x509Svids.size === ids.length)
  return world
}

describe('X509SvidCache', () => {
  test('makes SVIDs before anybody asks, each with a key of its own', async () => {
    await using world = await holding('a', 'b')
    const [a, b] = [world.x509Svids.get('a'), world.x509Svids.get('b')]
    expect(decodeCertificates(a!.chain)[0]?.uriSans).toEqual(['spiffe://example.org/workload/a'])
    expect(a!.privateKey.equals(b!.privateKey)).toBe(false)
    expect(world.upstream.batches).toBe(1)
  })

  test('renews at half-life, with a new key', async () => {
    await using world = await holding('a')
    const before = world.x509Svids.get('a')!
    await world.clock.advance(minutes(20))
    expect(world.x509Svids.get('a')).toBe(before)
    await world.clock.advance(minutes(15))
    await until(() => world.x509Svids.get('a') !== before)
    expect(world.x509Svids.get('a')!.privateKey.equals(before.privateKey)).toBe(false)
  })

  test('a server whose clock is behind is not asked without end for SVIDs that are past half-life on arrival', async () => {
    const behind = new FakeClock(new Date(new FakeClock().now().getTime() - minutes(40)))
    await using world = await AgentWorld.create({ upstream: await FakeUpstream.create(behind) })
    world.hold([anEntry('a')])
    await until(() => world.x509Svids.size === 1)
    await world.clock.advance(minutes(5))
    expect(world.upstream.batches).toBe(1)
    // Twenty minutes were left of it.
    await world.clock.advance(minutes(10))
    await until(() => world.upstream.batches === 2)
  })

  test('an SVID that ends on arrival is tried again with pauses', async () => {
    await using world = await AgentWorld.create()
    world.upstream.ttlSeconds = 1
    const entry = anEntry('a')
    const wake = new Wake()
    using _watching = world.x509Svids.watch(['a'], wake)
    const stream = (async () => {
      for (;;) {
        world.x509Svids.now([entry])
        await wake.wait(world.signal)
      }
    })().catch(() => undefined)
    world.hold([entry])
    await world.clock.advance(minutes(5))
    expect(world.x509Svids.size).toBe(0)
    expect(world.upstream.batches).toBeLessThan(30)
    await world[Symbol.asyncDispose]()
    await stream
  })

  test('signs anew when an entry changes, and drops the SVID with its entry', async () => {
    await using world = await holding('a')
    const next = anEntry('a', { revisionNumber: 1, dnsNames: ['a.internal'] })
    world.upstream.entries.set('a', next)
    world.entitlements.apply(changes({ entries: [next] }))
    await until(() => world.x509Svids.get('a')?.entryRevision === 1)
    world.entitlements.apply(changes({ removedEntryIds: ['a'] }))
    expect(world.x509Svids.size).toBe(0)
  })

  test('signs anew when another content comes under the same revision', async () => {
    await using world = await holding('a')
    const before = world.x509Svids.get('a')!
    const again = anEntry('a', { dnsNames: ['a.internal'] })
    world.upstream.entries.set('a', again)
    world.entitlements.replace([again], [world.upstream.bundle])
    await until(() => world.x509Svids.get('a') !== before)
  })

  test('signs anew when the content changes while the server signs, under the same revision too', async () => {
    await using world = await AgentWorld.create()
    world.hold([anEntry('a')])
    await until(() => world.upstream.batches === 1)
    world.entitlements.replace([anEntry('a', { dnsNames: ['a.internal'] })], [world.upstream.bundle])
    await until(() => world.upstream.batches === 2)
  })

  test('an entry that was deleted and made again with the same id and revision is another one', async () => {
    await using world = await holding('a')
    const before = world.x509Svids.get('a')!
    const again = anEntry('a', { createdAt: new Date(before.entryCreatedAt.getTime() + 5000) })
    world.upstream.entries.set('a', again)
    world.entitlements.apply(changes({ entries: [again] }))
    await until(() => world.x509Svids.get('a') !== before)
    expect(world.x509Svids.get('a')!.entryCreatedAt).toEqual(again.createdAt)
  })

  test('IO-08 an expired SVID is never handed out, whatever the server does', async () => {
    await using world = await holding('a')
    world.upstream.failure = new Error('away')
    await world.clock.advance(minutes(59))
    expect(world.x509Svids.now([anEntry('a')]).held).toHaveLength(1)
    world.clock.jump(minutes(2))
    expect(world.x509Svids.now([anEntry('a')]).held).toHaveLength(0)
    await world.clock.advance(minutes(1))
    expect(world.x509Svids.size).toBe(0)
  })

  test('a failed call drops nothing that is valid, and is made again', async () => {
    await using world = await holding('a')
    const before = world.x509Svids.get('a')
    world.upstream.failure = new Error('away')
    await world.clock.advance(minutes(40))
    expect(world.x509Svids.now([anEntry('a')]).held).toEqual([before])
    world.upstream.failure = undefined
    await world.clock.advance(minutes(1))
    await until(() => world.x509Svids.get('a') !== before)
  })

  test('SVIDs of a tainted authority are replaced at once', async () => {
    await using world = await holding('a')
    const before = world.x509Svids.get('a')!
    const { authority } = world.upstream
    const bundle = world.upstream.bundleWith([{ authority, tainted: true }], ['jwt-1'], 2)
    world.entitlements.apply(changes({ bundles: [bundle] }))
    await until(() => world.x509Svids.get('a') !== before)
  })

  test('SVIDs of an authority that is gone are not handed out any more', async () => {
    await using world = await holding('a')
    const other = await TestAuthority.create({ now: world.clock.now() })
    world.entitlements.apply(changes({ bundles: [world.upstream.bundleWith([other], [], 2)] }))
    expect(world.x509Svids.now([anEntry('a')]).held).toHaveLength(0)
  })

  test('IO-11 what the bundle held here cannot verify is not handed out', async () => {
    await using world = await AgentWorld.create()
    const other = await TestAuthority.create({ now: world.clock.now() })
    world.upstream.bundle = world.upstream.bundleWith([other], [], 2)
    const entry = anEntry('a')
    world.hold([entry])
    await until(() => world.x509Svids.now([entry]).failure !== undefined)
    expect(world.x509Svids.size).toBe(0)
    expect(world.upstream.signed).toEqual(['a'])
  })

  test('an SVID for another id than the entry says is not handed out', async () => {
    await using world = await AgentWorld.create()
    const entry = anEntry('a')
    world.hold([entry])
    await until(() => world.x509Svids.size === 1)
    const theirs = anEntry('a', { revisionNumber: 1, spiffeId: anId('/somebody-else') })
    world.upstream.entries.set('a', theirs)
    const ours = anEntry('a', { revisionNumber: 1, spiffeId: anId('/mine') })
    world.entitlements.apply(changes({ entries: [ours] }))
    await until(() => world.x509Svids.now([ours]).failure !== undefined)
    expect(world.x509Svids.now([ours]).held).toHaveLength(0)
  })

  test('one entry that the server refuses holds back no other, and rings who waits for it', async () => {
    await using world = await AgentWorld.create()
    world.upstream.entriesRefused.set('bad', new Error('no'))
    const wake = new Wake()
    using _watching = world.x509Svids.watch(['bad'], wake)
    world.hold([anEntry('bad'), anEntry('good')])
    await wake.wait(world.signal)
    expect(world.x509Svids.now([anEntry('bad')])).toMatchObject({ pending: 0, failure: expect.any(Error) })
    await until(() => world.x509Svids.get('good') !== undefined)
  })

  test('attempts nothing while there is no connection, and everything once there is one', async () => {
    await using world = await AgentWorld.create()
    world.status.set('connecting')
    world.hold([anEntry('a')])
    await world.clock.advance(minutes(5))
    expect(world.upstream.batches).toBe(0)
    expect(world.x509Svids.now([anEntry('a')]).failure).toBeDefined()
    world.status.set('in-sync')
    world.x509Svids.hurry()
    await until(() => world.x509Svids.size === 1)
  })

  test('prefetches up to its size, serves more on demand, and drops what nobody uses', async () => {
    await using world = await AgentWorld.create({ size: 2 })
    const entries = ['a', 'b', 'c'].map((id) => anEntry(id))
    world.hold(entries)
    await until(() => world.x509Svids.size === 2)
    expect(world.x509Svids.get('c')).toBeUndefined()
    using _watching = world.x509Svids.watch(['c'], new Wake())
    expect(world.x509Svids.now([anEntry('c')]).pending).toBe(1)
    await until(() => world.x509Svids.get('c') !== undefined)
    expect(world.x509Svids.size).toBe(2)
  })

  test('asks for less at once while calls fail, and for all again once they succeed', async () => {
    await using world = await AgentWorld.create()
    const entries = Array.from({ length: 40 }, (_, index) => anEntry(`e${index}`))
    const sizes: number[] = []
    const { signX509Svids } = world.upstream
    world.upstream.signX509Svids = async (orders) => {
      sizes.push(orders.length)
      if (orders.length > 10) throw new SallyportError('LIMIT_REACHED', 'slower')
      return signX509Svids.call(world.upstream, orders)
    }
    world.hold(entries)
    for (let turn = 0; world.x509Svids.size < 40; turn++) {
      expect(turn).toBeLessThan(500)
      await world.clock.advance(1000)
    }
    expect(sizes.slice(0, 3)).toEqual([40, 20, 20])
  })

  test('what a stream waits for is signed before what is only made ahead', async () => {
    await using world = await AgentWorld.create()
    const entries = Array.from({ length: 600 }, (_, index) => anEntry(`e${index}`))
    const last = entries.at(-1)!
    world.upstream.failure = new Error('away')
    world.hold(entries)
    world.x509Svids.now([last])
    await until(() => world.x509Svids.now([last]).failure !== undefined)
    world.upstream.failure = undefined
    world.x509Svids.hurry()
    await until(() => world.x509Svids.size === 600)
    expect(world.upstream.signed.slice(0, 500)).toContain(last.id)
  })
})
