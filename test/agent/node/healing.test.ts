import { describe, expect, test } from 'vitest'
import { watchMatched } from '../../../agent/entries/entitled.ts'
import { SallyportError } from '../../../src/errors.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { permissionDeniedDetailsType } from '../../../src/wire/messages/spire-api-types.ts'
import { decodeCsr } from '../../../src/x509/csr.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { FakeUpstream } from '../../fakes/fake-upstream.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { NodeWorld } from './node-world.ts'

const hours = (count: number) => count * 3_600_000

function denied(reason: string): SallyportError {
  const typeUrl = 'type.googleapis.com/spire.api.types.PermissionDeniedDetails'
  return new SallyportError('AGENT_REFUSED', `denied: ${reason}`, {
    detail: { typeUrl, value: encodeMessage(permissionDeniedDetailsType, { reason }) },
  })
}

const away = () => new SallyportError('UNREACHABLE', 'nobody listens there')
const types = (world: NodeWorld) => world.upstream.attested.map(({ type }) => type)

describe('a node that joins', () => {
  test('attests with its token, saves itself, and is in sync', async () => {
    await using world = await NodeWorld.inSync()
    expect(types(world)).toEqual(['join_token'])
    expect(world.upstream.attested[0]?.payload.toString()).toBe('t0ken')
    expect(world.status.transport).toBe('push')
    await until(() => world.disk.files.has('/data/view.bin'))
    expect([...world.disk.files.keys()].toSorted()).toEqual(['/data/agent.json', '/data/view.bin'])
    expect(world.disk.files.get('/data/agent.json')?.toString()).not.toContain('t0ken')
  })

  test('waits for a server that is away', async () => {
    const clock = new FakeClock()
    const upstream = await FakeUpstream.create(clock)
    upstream.failure = away()
    await using world = await NodeWorld.start({ clock, upstream })
    await world.passUntil(() => world.status.reason.includes('nobody listens there'))
    await clock.advance(300_000)
    upstream.failure = undefined
    await world.followed()
  })

  test('an answer that was lost costs no token: it returns with the key of that attempt', async () => {
    await using world = await NodeWorld.start({ token: undefined })
    await world.passUntil(() => world.status.state === 'refused')
    world.token = 't0ken'
    const { attest } = world.upstream
    let isLost = true
    let lost = 0
    world.upstream.attest = async (attestation, csr) => {
      const reply = await attest.call(world.upstream, attestation, csr)
      if (!isLost) return reply
      lost++
      throw away()
    }
    await world.passUntil(() => lost === 1)
    isLost = false
    world.upstream.refuses.set('join_token', new SallyportError('ATTESTATION_REFUSED', 'the token is spent'))
    await world.followed()
    expect(types(world)).toEqual(['join_token', 'sallyport_rejoin'])
  })

  test('one token is tried with one key, so that whichever request arrives lets the node in', async () => {
    await using world = await NodeWorld.start({ token: undefined })
    await world.passUntil(() => world.status.state === 'refused')
    const keys: string[] = []
    const { attest } = world.upstream
    world.upstream.attest = async (attestation, csr) => {
      if (attestation.type === 'join_token') keys.push(decodeCsr(csr).spki.toString('hex'))
      if (attestation.type === 'join_token' && keys.length < 3) throw away()
      return attest.call(world.upstream, attestation, csr)
    }
    // Nobody knows of the first attempt, so that proof of its key is refused and the token has to be tried again.
    world.upstream.refuses.set('sallyport_rejoin', new SallyportError('REJOIN_REFUSED', 'no such agent is known'))
    world.token = 't0ken'
    await world.followed()
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
  })

  test('what was granted and cannot be used yet is not asked for in another way', async () => {
    await using world = await NodeWorld.start({ token: undefined })
    await world.passUntil(() => world.status.state === 'refused')
    const { fetchBundle } = world.upstream
    let failures = 2
    world.upstream.fetchBundle = async () => {
      if (failures-- > 0) throw new SallyportError('CALL_REFUSED', 'not now')
      return fetchBundle.call(world.upstream)
    }
    world.token = 't0ken'
    await world.followed()
    expect(types(world)).toEqual(['join_token', 'sallyport_rejoin', 'sallyport_rejoin'])
  })

  test('says what it lacks when it has no proof, and joins once a token is put in place', async () => {
    await using world = await NodeWorld.start({ token: undefined })
    await world.passUntil(() => world.status.state === 'refused')
    expect(world.status.reason).toContain('no proof')
    world.token = 'fresh'
    await world.followed()
    expect(types(world)).toEqual(['join_token'])
  })
})

describe('a node that comes back', () => {
  test('starts with what was saved while the server is away', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.change([anEntry('a')])
    await world.acknowledged()
    world.upstream.failure = away()
    await using again = await world.restart()
    expect(again.entitlements.entries.has('a')).toBe(true)
    expect(again.entitlements.ownBundle).toBeDefined()
    await again.clock.advance(10_000)
    expect(again.status.isInSync).toBe(false)
    expect(again.node.identity?.spiffeId).toEqual(world.node.identity?.spiffeId)
    again.upstream.failure = undefined
    await again.passUntil(() => again.upstream.stream.isOpen)
    expect(again.upstream.stream.hello.revision).toBe(2)
    again.upstream.stream.push(again.upstream.heartbeat())
    await until(() => again.status.isInSync)
    expect(types(again)).toEqual(['join_token'])
  })

  test('resumes from what it has acknowledged, with the digest of it', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.change([anEntry('a')])
    await world.acknowledged()
    const { digest } = world.upstream.stream.acks.at(-1)!
    await using again = await world.restart()
    await again.passUntil(() => again.upstream.streams.length === 2)
    expect(again.upstream.stream.hello).toMatchObject({ revision: 2, epoch: 'e1', digest })
  })

  test('frozen for longer than its SVID lives, it returns by proof of its last key', async () => {
    await using world = await NodeWorld.inSync()
    world.clock.jump(hours(3))
    world.upstream.stream.fail(away())
    await world.followed()
    expect(types(world)).toEqual(['join_token', 'sallyport_rejoin'])
    expect(world.links.at(-1)).toBeDefined()
  })

  test('a lost disk means joining anew, with a token that is not spent', async () => {
    await using world = await NodeWorld.inSync()
    world.disk.files.clear()
    world.token = 'another'
    await using again = await world.restart()
    await again.followed()
    expect(types(again)).toEqual(['join_token', 'join_token'])
    expect(again.upstream.stream.hello.revision).toBe(0)
  })

  test.for(['/data/agent.json', '/data/view.bin'])('a damaged %s is named, and healed from', async (path) => {
    await using world = await NodeWorld.inSync()
    await until(() => world.disk.files.has('/data/view.bin'))
    world.disk.files.set(path, Buffer.from('{"half'))
    await using again = await world.restart({ token: 'another' })
    expect(again.logged.filter(({ level }) => level === 'error')).toHaveLength(1)
    await again.followed()
    expect(again.status.isInSync).toBe(true)
  })

  test('a token that was spent is not tried again', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.refuses.set('sallyport_rejoin', new SallyportError('REJOIN_REFUSED', 'evicted'))
    world.upstream.stream.fail(denied('AGENT_NOT_ATTESTED'))
    await world.passUntil(() => world.status.state === 'refused')
    expect(types(world).filter((type) => type === 'join_token')).toHaveLength(1)
    expect(world.status.reason).toContain('evicted')
  })
})

describe('a node whose server says no', () => {
  test('quirk 47: banned, it goes on serving, says so, and is back when the ban is lifted', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.change([anEntry('a')])
    world.upstream.followFailure = denied('AGENT_BANNED')
    world.upstream.stream.fail(denied('AGENT_BANNED'))
    await until(() => world.status.state === 'banned')
    expect(world.status.reason).toContain('still valid')
    await world.clock.advance(120_000)
    expect(world.entitlements.entries.size).toBe(1)
    expect(world.disk.files.has('/data/agent.json')).toBe(true)
    expect(types(world)).toEqual(['join_token'])
    world.upstream.followFailure = undefined
    await world.followed()
  })

  test.for(['AGENT_EXPIRED', 'AGENT_NOT_ATTESTED', 'AGENT_NOT_ACTIVE', 'AGENT_MUST_REATTEST'])(
    'quirk 47: %s makes it attest again, and keeps what it holds until it has',
    async (reason) => {
      await using world = await NodeWorld.inSync()
      world.upstream.change([anEntry('a')])
      world.upstream.stream.fail(denied(reason))
      await world.passUntil(() => types(world).length === 2)
      expect(types(world)[1]).toBe('sallyport_rejoin')
      expect(world.entitlements.entries.size).toBe(1)
      await world.followed()
    },
  )

  test('as another agent it asks for everything anew', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.refuses.set('sallyport_rejoin', new SallyportError('REJOIN_REFUSED', 'evicted'))
    world.upstream.agentId = anId('/spire/agent/join_token/other')
    world.token = 'another'
    world.upstream.stream.fail(denied('AGENT_NOT_ATTESTED'))
    await world.followed()
    expect(world.upstream.stream.hello.revision).toBe(0)
  })
})

describe('renewal of the agent SVID', () => {
  test('at half-life, saved before it is used, with the next stream open before the last is closed', async () => {
    await using world = await NodeWorld.inSync()
    const before = world.node.identity!
    const first = world.upstream.stream
    await world.passUntil(() => {
      world.upstream.stream.push(world.upstream.heartbeat())
      return world.upstream.renewals === 1
    }, hours(1))
    await until(() => world.upstream.streams.length === 2)
    expect(world.node.identity?.notAfter.getTime()).toBeGreaterThan(before.notAfter.getTime())
    world.upstream.change([anEntry('a')])
    first.push(world.upstream.heartbeat())
    await settled()
    expect(world.links.at(-1)?.privateKey).toBe(world.node.identity?.privateKey)
    await using again = await world.restart()
    expect(again.node.identity?.notAfter).toEqual(world.node.identity?.notAfter)
  })

  test('a renewal that fails is tried again while the old SVID serves on', async () => {
    await using world = await NodeWorld.inSync()
    const { renew } = world.upstream
    let failures = 0
    world.upstream.renew = async (csr) => {
      if (failures++ < 3) throw away()
      return renew.call(world.upstream, csr)
    }
    await world.passUntil(() => {
      world.upstream.stream.push(world.upstream.heartbeat())
      return world.upstream.renewals === 1
    }, hours(1))
    expect(failures).toBe(4)
    expect(types(world)).toEqual(['join_token'])
  })
})

describe('push and polls', () => {
  const unimplemented = () => new SallyportError('METHOD_UNIMPLEMENTED', 'no such method')

  test('a server without push is polled', async () => {
    const first = await NodeWorld.start()
    first.upstream.followFailure = unimplemented()
    first.upstream.entries.set('a', anEntry('a'))
    await using world = first
    await world.passUntil(() => world.status.transport === 'poll')
    expect(world.entitlements.entries.size).toBe(1)
    world.upstream.entries.clear()
    await world.passUntil(() => world.entitlements.entries.size === 0, 20_000)
  })

  test('SE-11 once it has pushed, it is not polled, not after a restart either', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.followFailure = unimplemented()
    world.upstream.stream.fail(away())
    await until(() => !world.status.isInSync)
    await world.clock.advance(120_000)
    expect(world.upstream.polls).toBe(0)
    expect(world.status.state).toBe('stale')
    await using again = await world.restart()
    await again.clock.advance(120_000)
    expect(again.upstream.polls).toBe(0)
    expect(again.status.reason).toContain('does not offer push any more')
  })

  test('SE-11 unless the configuration says that it is a SPIRE server', async () => {
    await using world = await NodeWorld.inSync()
    await using again = await world.restart({ serverKind: 'spire' })
    await again.passUntil(() => again.upstream.polls > 0)
    expect(again.upstream.streams).toHaveLength(1)
  })

  test('polls that bring nothing new write nothing, and a workload that never reads does not slow them down', async () => {
    await using world = await NodeWorld.start({ serverKind: 'spire' })
    world.upstream.entries.set('a', anEntry('a'))
    await world.passUntil(() => world.status.isInSync)
    const stream = watchMatched(world.entitlements, [{ type: 'unix', value: 'uid:1000' }], new AbortController().signal)
    await stream.next()
    const pending = stream.next()
    await settled()
    world.upstream.entries.set('b', anEntry('b'))
    await world.passUntil(() => world.entitlements.entries.size === 2, 20_000)
    await pending
    const { polls } = world.upstream
    const { writes } = world.disk
    await world.clock.advance(30_000)
    expect(world.upstream.polls).toBeGreaterThanOrEqual(polls + 5)
    expect(world.disk.writes).toBe(writes)
    await stream.return(undefined as never)
  })

  test('what a poll brought is used even when it cannot be saved', async () => {
    await using world = await NodeWorld.start({ serverKind: 'spire' })
    await world.passUntil(() => world.status.isInSync)
    world.disk.failure = new Error('the disk is full')
    world.upstream.entries.set('a', anEntry('a'))
    await world.passUntil(() => world.entitlements.entries.size === 1, 20_000)
    expect(world.status.isInSync).toBe(true)
    world.disk.failure = undefined
    const { writes } = world.disk
    await world.passUntil(() => world.disk.writes > writes, 20_000)
  })

  test('a poll that fails leaves everything as it is', async () => {
    await using world = await NodeWorld.start({ serverKind: 'spire' })
    world.upstream.entries.set('a', anEntry('a'))
    await world.passUntil(() => world.status.isInSync)
    world.upstream.failure = away()
    await world.passUntil(() => world.status.state === 'stale')
    expect(world.entitlements.entries.size).toBe(1)
    world.upstream.failure = undefined
    await world.passUntil(() => world.status.isInSync)
  })
})

describe('what is acknowledged', () => {
  test('is saved first', async () => {
    await using world = await NodeWorld.inSync()
    await world.acknowledged()
    world.disk.failure = new Error('the disk is full')
    world.upstream.change([anEntry('a')])
    await settled()
    expect(world.upstream.stream.acks).toHaveLength(1)
    expect(world.entitlements.entries.size).toBe(1)
    world.disk.failure = undefined
    await world.passUntil(() => world.upstream.streams.length === 2)
    // What is held is ahead of what is saved: a difference from there could not be applied to it.
    expect(world.upstream.stream.hello.revision).toBe(0)
  })

  test('is written to every stream that it concerns first', async () => {
    await using world = await NodeWorld.inSync()
    await world.acknowledged()
    const stop = new AbortController()
    const stream = watchMatched(world.entitlements, [{ type: 'unix', value: 'uid:1000' }], stop.signal)
    await stream.next()
    const pending = stream.next()
    await settled()
    world.upstream.change([anEntry('a')])
    await pending
    await settled()
    expect(world.upstream.stream.acks).toHaveLength(1)
    const idle = stream.next().catch(() => undefined)
    await world.acknowledged()
    stop.abort(new Error('done'))
    await idle
  })

  test('a workload that never reads holds it back for a while only', async () => {
    await using world = await NodeWorld.inSync()
    await world.acknowledged()
    const stream = watchMatched(world.entitlements, [{ type: 'unix', value: 'uid:1000' }], new AbortController().signal)
    await stream.next()
    const pending = stream.next()
    await settled()
    world.upstream.change([anEntry('a')])
    await pending
    for (let seconds = 0; seconds < 31; seconds += 5) {
      world.upstream.stream.push(world.upstream.heartbeat())
      await world.clock.advance(5000)
    }
    await world.acknowledged()
  })

  test('a view that differs from the server’s is asked for anew', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.stream.push(world.upstream.delta({ from: 1, to: 2, digest: Buffer.alloc(16, 9) }))
    await world.passUntil(() => world.upstream.streams.length === 2)
    expect(world.upstream.stream.hello).toMatchObject({ revision: 0, epoch: '' })
  })

  test('a change that starts beyond what is held is a gap', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.revision = 9
    world.upstream.stream.push(world.upstream.delta({ from: 5 }))
    await world.passUntil(() => world.upstream.streams.length === 2)
    expect(world.upstream.stream.hello.revision).toBe(0)
  })
})

describe('time', () => {
  test('SE-20 the server’s time outlives a restart', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.stream.push(world.upstream.heartbeat())
    await settled()
    await world.node.flush()
    const now = world.trusted.now().getTime()
    world.clock.jump(-hours(48))
    expect(world.trusted.now().getTime()).toBe(now)
    await using again = await world.restart()
    expect(again.trusted.now().getTime()).toBeGreaterThanOrEqual(now)
  })

  test('a jump of the wall clock is noticed and said', async () => {
    await using world = await NodeWorld.inSync()
    world.upstream.stream.push(world.upstream.heartbeat())
    await settled()
    const heartbeat = world.upstream.heartbeat()
    world.clock.jump(hours(1) / 2)
    world.upstream.stream.push({ ...heartbeat, kind: 'heartbeat' } as typeof heartbeat)
    await until(() => world.clockJumps === 1)
    expect(world.logged.some(({ sentence }) => sentence === 'The clock of this machine has jumped')).toBe(true)
  })
})
