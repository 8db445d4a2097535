import { describe, expect, test } from 'vitest'
import { WarmRestart } from '../../../agent/svids/warm-restart.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld } from '../agent-world.ts'

async function kept(disk: MemoryDisk): Promise<AgentWorld> {
  const world = await AgentWorld.create()
  world.hold([anEntry('a')])
  await until(() => world.x509Svids.size === 1)
  const keeper = new WarmRestart({ ...world, folder: '/run/x', disk })
  await keeper.restore()
  await keeper.flush()
  return world
}

describe('WarmRestart', () => {
  test('what was held is held again after a restart, without asking the server', async () => {
    const disk = new MemoryDisk()
    await using before = await kept(disk)
    await using after = await AgentWorld.create({ upstream: before.upstream })
    after.status.set('connecting')
    after.hold([anEntry('a')])
    await new WarmRestart({ ...after, folder: '/run/x', disk }).restore()
    expect(after.x509Svids.get('a')?.chain).toEqual(before.x509Svids.get('a')?.chain)
    expect(after.x509Svids.get('a')?.privateKey).toEqual(before.x509Svids.get('a')?.privateKey)
    expect(after.x509Svids.get('a')?.renewAt).toEqual(before.x509Svids.get('a')?.renewAt)
  })

  test('SE-21 writes no key where it would outlive the machine', async () => {
    const disk = new MemoryDisk()
    disk.isMemory = false
    await using _world = await kept(disk)
    expect(disk.files.size).toBe(0)
  })

  test('gives back nothing that is expired, of a changed entry, or of none', async () => {
    const disk = new MemoryDisk()
    await using before = await kept(disk)
    const { upstream } = before
    for (const entries of [[], [anEntry('a', { revisionNumber: 1 })]]) {
      await using after = await AgentWorld.create({ upstream })
      after.status.set('connecting')
      after.hold(entries)
      await new WarmRestart({ ...after, folder: '/run/x', disk }).restore()
      expect(after.x509Svids.size).toBe(0)
    }
    await using late = await AgentWorld.create({ upstream })
    late.status.set('connecting')
    late.hold([anEntry('a')])
    late.clock.jump(2 * 3_600_000)
    await new WarmRestart({ ...late, folder: '/run/x', disk }).restore()
    expect(late.x509Svids.size).toBe(0)
  })

  test('gives back nothing of an authority that is gone', async () => {
    const disk = new MemoryDisk()
    await using _before = await kept(disk)
    await using after = await AgentWorld.create()
    after.status.set('connecting')
    after.hold([anEntry('a')])
    await new WarmRestart({ ...after, folder: '/run/x', disk }).restore()
    expect(after.x509Svids.size).toBe(0)
  })

  test('a damaged file is left out', async () => {
    const disk = new MemoryDisk()
    disk.files.set('/run/x/svids.json', Buffer.from('{"privateKey":"half'))
    await using world = await AgentWorld.create()
    await new WarmRestart({ ...world, folder: '/run/x', disk }).restore()
    expect(world.x509Svids.size).toBe(0)
  })
})
