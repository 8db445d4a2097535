import { describe, expect, test } from 'vitest'
import { parseJwtSvid } from '../../../src/svid/jwt-svid.ts'
import { changes } from '../../fakes/changes.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld, type AgentWorldOptions } from '../agent-world.ts'

const entry = anEntry('a')

async function worldWith(options: AgentWorldOptions = {}, held = entry): Promise<AgentWorld> {
  const world = await AgentWorld.create(options)
  world.hold([held])
  return world
}

describe('JwtSvidCache', () => {
  test('WA-47 gives the same token for the same id and list of audiences', async () => {
    await using world = await worldWith()
    const ask = (...audience: string[]) => world.jwtSvids.tokenFor(entry, audience, 1, world.signal)
    const first = await ask('a', 'b')
    expect(await ask('a', 'b')).toBe(first)
    expect(await ask('a')).not.toBe(first)
    expect(await ask('b', 'a')).not.toBe(first)
    expect(world.upstream.jwts).toBe(3)
  })

  test('WA-47 asks for a new token once half of the life is over', async () => {
    await using world = await worldWith()
    const first = await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)
    await world.clock.advance(149_000)
    expect(await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)).toBe(first)
    await world.clock.advance(2_000)
    expect(await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)).not.toBe(first)
  })

  test('WA-47 an old token is no answer when no new one can be had', async () => {
    await using world = await worldWith()
    await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)
    await world.clock.advance(200_000)
    world.upstream.failure = new Error('away')
    await expect(world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)).rejects.toThrow('away')
  })

  test('WA-33 the token says exactly the audiences that were asked for, in their order', async () => {
    await using world = await worldWith()
    const token = await world.jwtSvids.tokenFor(entry, ['b', 'a'], 1, world.signal)
    expect(parseJwtSvid(token).audience).toEqual(['b', 'a'])
  })

  test('two callers at once are one signature', async () => {
    await using world = await worldWith()
    const ask = () => world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)
    const [one, other] = await Promise.all([ask(), ask()])
    expect(one).toBe(other)
    expect(world.upstream.jwts).toBe(1)
  })

  test('who asks once the entry is another is not given what was asked for before', async () => {
    await using world = await worldWith()
    world.upstream.jwtKeyId = 'jwt-2'
    const before = world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)
    await until(() => world.upstream.jwts === 1)
    const changed = anEntry('a', { spiffeId: anId('/other'), revisionNumber: 1 })
    world.hold([changed])
    const after = world.jwtSvids.tokenFor(changed, ['a'], 1, world.signal)
    const { authority } = world.upstream
    world.entitlements.apply(changes({ bundles: [world.upstream.bundleWith([authority], ['jwt-1', 'jwt-2'], 2)] }))
    expect(parseJwtSvid(await before).spiffeId).toEqual(entry.spiffeId)
    expect(parseJwtSvid(await after).spiffeId).toEqual(changed.spiffeId)
  })

  test('a token with an id of its own is never given twice', async () => {
    const withJti = anEntry('a', { jwtIncludesJti: true })
    await using world = await worldWith({}, withJti)
    const ask = () => world.jwtSvids.tokenFor(withJti, ['a'], 1, world.signal)
    expect(await ask()).not.toBe(await ask())
    expect(world.jwtSvids.size).toBe(0)
  })

  test('WA-48 IO-26 holds a token back until its key is in the bundle that is served', async () => {
    await using world = await worldWith()
    world.upstream.jwtKeyId = 'jwt-2'
    let token: string | undefined
    const asking = world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal).then((one) => (token = one))
    await until(() => world.upstream.jwts === 1)
    await world.clock.advance(1000)
    expect(token).toBeUndefined()
    const { authority } = world.upstream
    const bundle = world.upstream.bundleWith([authority], ['jwt-1', 'jwt-2'], 2)
    world.entitlements.apply(changes({ bundles: [bundle] }))
    expect(await asking).toBe(token)
  })

  test('WA-48 gives up when the key does not come', async () => {
    await using world = await worldWith()
    world.upstream.jwtKeyId = 'jwt-2'
    const refusals: unknown[] = []
    world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal).catch((error: unknown) => refusals.push(error))
    await until(() => world.upstream.jwts === 1)
    // The answer is parsed in other turns of the loop than this one, later on a busy machine.
    for (let turn = 0; turn < 10_000 && refusals.length === 0; turn++) await world.clock.advance(1000)
    expect(refusals[0]).toThrowCode('IDENTITY_PENDING', 'is not in the bundle')
  })

  test('a token of a key that was taken away is not used again', async () => {
    await using world = await worldWith()
    const first = await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)
    const { authority } = world.upstream
    const bundle = world.upstream.bundleWith([authority], ['jwt-2'], 2)
    world.entitlements.apply(changes({ bundles: [bundle] }))
    world.upstream.jwtKeyId = 'jwt-2'
    expect(await world.jwtSvids.tokenFor(entry, ['a'], 1, world.signal)).not.toBe(first)
  })

  test('keeps no more than its size', async () => {
    await using world = await worldWith({ jwtSize: 3 })
    for (const audience of ['a', 'b', 'c', 'd', 'e']) {
      await world.jwtSvids.tokenFor(entry, [audience], audience.charCodeAt(0), world.signal)
    }
    expect(world.jwtSvids.size).toBe(3)
  })

  test('SE-04 the audiences of one user do not drive out the token of another', async () => {
    await using world = await worldWith({ jwtSize: 10, jwtSizePerUid: 3 })
    const first = await world.jwtSvids.tokenFor(entry, ['mine'], 1, world.signal)
    for (let index = 0; index < 20; index++) await world.jwtSvids.tokenFor(entry, [`x${index}`], 2, world.signal)
    expect(world.jwtSvids.size).toBe(4)
    expect(await world.jwtSvids.tokenFor(entry, ['mine'], 1, world.signal)).toBe(first)
  })
})
