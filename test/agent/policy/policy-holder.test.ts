import { describe, expect, test } from 'vitest'
import { Entitlements } from '../../../agent/entries/entitlements.ts'
import { Wake } from '../../../agent/entries/wake.ts'
import { lackedBy } from '../../../agent/policy/fast-lane-log.ts'
import { PolicyHolder } from '../../../agent/policy/policy-holder.ts'
import { digestOf } from '../../../agent/policy/policy-state.ts'
import { SavedPolicy } from '../../../agent/policy/saved-policy.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import type { CanonicalValue } from '../../../src/jws/canonical-json.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { LogFields } from '../../../src/log/fields.ts'
import { silentLog } from '../../../src/log/log.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { aPolicyKey, PolicySigner, tampered } from './policy-signer.ts'

const beat = (clock: FakeClock, fields: object = {}) => ({
  ...{ epoch: 'e', revision: 1, serverTime: clock.now(), keyId: 'k', checkpoint: undefined },
  ...{ policyEpoch: 1, policyRevision: 1, fastLaneSequence: 0, isFresh: true, ...fields },
})

class World {
  readonly clock = new FakeClock()
  readonly disk = new MemoryDisk()
  readonly signer = new PolicySigner()
  holder = this.start()

  start(log = silentLog): PolicyHolder {
    this.holder = new PolicyHolder({
      ...{ trustDomain: 'example.org', cryptography, clock: this.clock, log, heartbeatMs: 5000 },
      ...{ entitlements: new Entitlements(TrustDomain.parse('example.org')), agentId: () => undefined },
      saved: new SavedPolicy(this.disk, '/data'),
    })
    return this.holder
  }

  /** The agent after a restart without its server. */
  async restarted(): Promise<PolicyHolder> {
    const holder = this.start()
    await holder.restore()
    return holder
  }
}

const idsOf = ({ state }: PolicyHolder): string[] => [...state.slices.keys()].map((id) => id.slice(20))
const revisionOf = ({ status }: PolicyHolder): string => `${status.policyEpoch}.${status.policyRevision}`

const contentOf = ({ content }: { readonly content: Buffer }) => JSON.parse(content.toString()) as CanonicalValue

describe('PolicyHolder', () => {
  test('takes slices, changes and removals, and acknowledges what is saved', async () => {
    const { holder, signer, disk } = new World()
    const [a, b, b2] = [signer.slice('/a', 1), signer.slice('/b', 1), signer.slice('/b', 2)]
    await holder.apply(signer.snapshot(1, [a, b]))
    await holder.apply(signer.delta(2, [b2], [b2], ['spiffe://example.org/a']))
    expect(idsOf(holder)).toEqual(['/b'])
    expect(await holder.settle()).toMatchObject({ epoch: 1, revision: 2, refused: '', keysVersion: 1 })
    expect(disk.files.has('/data/policy.bin')).toBe(true)
  })

  test('SE-40: what was acknowledged is in force after a restart without the server', async () => {
    const world = new World()
    const { holder, signer } = world
    await holder.apply(signer.snapshot(1, [signer.slice('/a', 1)]))
    await holder.apply(signer.fastLane(signer.entry(), signer.entry()))
    expect((await holder.settle()).fastLaneSequence).toBe(2)
    const after = await world.restarted()
    expect(idsOf(after)).toEqual(['/a'])
    expect(after.state.fastLane.sequence).toBe(2)
    expect(after.held).toMatchObject({ epoch: 1, revision: 1, fastLaneSequence: 2, keysVersion: 1 })
  })

  test('SE-40: nothing is acknowledged that could not be saved', async () => {
    const { holder, signer, disk } = new World()
    await holder.apply(signer.snapshot(1, [signer.slice('/a', 1)]))
    disk.failure = new Error('no space left on device')
    await expect(holder.settle()).rejects.toThrow('no space left')
  })

  test('SE-40: a hello says what is on disk, not what could not be saved', async () => {
    const world = new World()
    const { holder, signer, disk } = world
    await holder.apply(signer.snapshot(1, [signer.slice('/a', 1)]))
    await holder.settle()
    disk.failure = new Error('no space left on device')
    const [entry, b] = [signer.entry(), signer.slice('/b', 2)]
    await holder.apply(signer.fastLane(entry))
    await holder.apply(signer.delta(2, [b], [signer.slice('/a', 1), b]))
    await expect(holder.settle()).rejects.toThrow('no space left')
    // The server takes a hello for an acknowledgement.
    expect(holder.held).toMatchObject({ epoch: 1, revision: 1, fastLaneSequence: 0, slices: [{}] })
    disk.failure = undefined
    await holder.apply(signer.fastLane(entry))
    expect((await holder.settle()).fastLaneSequence).toBe(1)
    expect(holder.held).toMatchObject({ revision: 2, fastLaneSequence: 1, slices: [{}, {}] })
    expect((await world.restarted()).state.fastLane.sequence).toBe(1)
  })

  test('SE-40: a quarantine outlives the key that signed it, also over a restart without the server', async () => {
    const world = new World()
    const { holder, signer } = world
    const next = new PolicySigner()
    await holder.apply(signer.snapshot(1, []))
    await holder.apply(signer.fastLane(signer.entry(), signer.entry()))
    // As a server does, with the last words of the key that goes.
    const { content, signatures } = signer.keys(2, [next.key], signer.key)
    const keys = { content, signatures: [...signatures, ...signer.keys(2, [next.key], next.key).signatures] }
    await holder.apply({ ...signer.fastLane(), keys })
    expect((await holder.settle()).refused).toBe('')
    expect((await world.restarted()).state.fastLane.sequence).toBe(2)
  })

  test('SE-40: an older sequence, another entry under a known sequence, and a broken chain are refused', async () => {
    const { holder, signer } = new World()
    await holder.apply(signer.snapshot(1, []))
    const [one, two] = [signer.entry(), signer.entry()]
    await holder.apply(signer.fastLane(one, two))
    // The very same again is harmless.
    await holder.apply(signer.fastLane(one))
    expect(holder.refused).toBe('')
    const forked = new PolicySigner({ key: signer.key })
    await holder.apply(
      signer.fastLane(forked.entry({ kind: 'reinstate', body: { spiffeId: 'spiffe://example.org/a' } })),
    )
    expect(holder.refused).toContain('sequence 1 was there before')
    expect(holder.state.fastLane.sequence).toBe(2)
    forked.entry()
    await holder.apply(signer.fastLane(forked.entry()))
    expect(holder.refused).toContain('it does not follow entry 2')
  })

  test('a gap in the fast lane ends the stream, so that a new one brings what is missing', async () => {
    const { holder, signer, clock } = new World()
    await holder.apply(signer.snapshot(1, []))
    signer.entry()
    await expect(holder.apply(signer.fastLane(signer.entry()))).rejects.toThrowCode(
      'SYNC_MISMATCH',
      'entry 2 came after 0',
    )
    expect(() => holder.observe(beat(clock, { fastLaneSequence: 2 }))).toThrowCode(
      'SYNC_MISMATCH',
      'the server is at 2',
    )
    await holder.apply({ kind: 'fastLane', entries: [], snapshot: signer.lifecycle(), keys: null })
    expect(holder.state.fastLane.sequence).toBe(2)
    await holder.apply(signer.fastLane(signer.entry()))
    expect(holder.state.fastLane.sequence).toBe(3)
  })

  test('one byte that was changed, and a key that is not pinned, change nothing', async () => {
    const { holder, signer } = new World()
    const good = signer.slice('/a', 1)
    await holder.apply(signer.snapshot(1, [good]))
    const bad = tampered(signer.slice('/a', 2))
    await holder.apply(signer.delta(2, [bad], [bad]))
    expect(holder.refused).toContain('no policy key that this agent has pinned has signed it')
    const stranger = new PolicySigner().slice('/a', 3)
    await holder.apply(signer.delta(3, [stranger], [stranger]))
    expect(holder.state.slices.get('spiffe://example.org/a')?.signed.content.equals(good.content)).toBe(true)
    expect((await holder.settle()).refused).toContain('slice of spiffe://example.org/a')
    expect(revisionOf(holder)).toBe('1.1')
  })

  test('a policy never goes back, a slice neither; a new epoch may count anew', async () => {
    const { holder, signer } = new World()
    await holder.apply(signer.snapshot(5, [signer.slice('/a', 50)]))
    await holder.apply(signer.snapshot(4, [signer.slice('/a', 60)]))
    expect(holder.refused).toContain('revision 1.4 is older than 1.5')
    await holder.apply(signer.snapshot(6, [signer.slice('/a', 49)]))
    expect(holder.refused).toContain('it is older (1.49) than the one in force')
    const restored = new PolicySigner({ epoch: 2, key: signer.key })
    await holder.apply(restored.snapshot(1, [restored.slice('/a', 1)], restored.keys()))
    expect(holder.refused).toBe('')
    expect(revisionOf(holder)).toBe('2.1')
  })

  test.for([
    ['the earlier one first', [2, 3]],
    ['the later one first', [3, 2]],
    ['one of them twice', [3, 2, 3]],
  ] as const)('zones.md §5 two policies racing over two streams, %s: the later one is in force', async ([, order]) => {
    const world = new World()
    const { holder, signer } = world
    const slices = new Map([2, 3].map((revision) => [revision, signer.slice('/a', revision)]))
    await holder.apply(signer.snapshot(1, [signer.slice('/a', 1)]))
    // Whole, as a stream that was opened anew brings it: whichever comes later must not undo the other.
    for (const revision of order) await holder.apply(signer.snapshot(revision, [slices.get(revision)!]))
    const inForce = ({ state }: PolicyHolder) => state.slices.get('spiffe://example.org/a')?.asOf
    expect([revisionOf(holder), inForce(holder)]).toEqual(['1.3', 3])
    const { revision, digest } = await holder.settle()
    expect([revision, digest]).toEqual([3, digestOf(holder.state.slices)])
    const restarted = await world.restarted()
    expect([revisionOf(restarted), inForce(restarted)]).toEqual(['1.3', 3])
  })

  const files = ['/data/policy.bin', '/data/policy-copy.bin'] as const
  const damage = ({ disk }: World, path: string): void => {
    const saved = disk.files.get(path) as Buffer
    saved[saved.length - 40] = (saved[saved.length - 40] ?? 0) ^ 1
  }
  /** A world of which the store is in quarantine, as it was saved. */
  const quarantined = async (): Promise<World> => {
    const world = new World()
    const { holder, signer } = world
    await holder.apply(signer.snapshot(1, [signer.slice('/a', 1)]))
    const body = { id: 'q1', target: { identity: 'spiffe://example.org/a' }, forensics: [], reason: 'stolen', since: 1 }
    await holder.apply(signer.fastLane(signer.entry({ kind: 'quarantine.add', body })))
    await holder.settle()
    return world
  }
  const quarantines = ({ state }: PolicyHolder): string[] => state.fastLane.standing.quarantines.map(({ id }) => id)

  test('files that were both changed on disk are not believed', async () => {
    const world = await quarantined()
    for (const path of files) damage(world, path)
    const after = await world.restarted()
    expect([idsOf(after), quarantines(after)]).toEqual([[], []])
  })

  test.for(files)('SE-40: when %s alone is damaged, what it said is in force, and it is made again', async (path) => {
    const world = await quarantined()
    const good = Buffer.from(world.disk.files.get(path) as Buffer)
    damage(world, path)
    const after = await world.restarted()
    expect([idsOf(after), quarantines(after)]).toEqual([['/a'], ['q1']])
    expect(after.held).toMatchObject({ epoch: 1, revision: 1, fastLaneSequence: 1 })
    expect(world.disk.files.get(path)).toEqual(good)
    await after.apply(world.signer.fastLane(world.signer.entry()))
    await after.settle()
    expect(world.disk.files.get(files[0])).toEqual(world.disk.files.get(files[1]))
  })

  test('SE-40: a file that is gone releases nobody while its copy is there', async () => {
    const world = await quarantined()
    world.disk.files.delete('/data/policy.bin')
    expect(quarantines(await world.restarted())).toEqual(['q1'])
  })

  test('a damaged file is named in the log, with what is in force instead', async () => {
    const world = await quarantined()
    damage(world, '/data/policy.bin')
    const lines: unknown[] = []
    const log = {
      ...silentLog,
      error: (fields: LogFields, sentence: string) => void lines.push([fields.err, sentence]),
    }
    await world.start(log).restore()
    expect(lines).toEqual([
      [expect.anything(), 'One of the two files of the saved policy cannot be used, the other one is in force'],
    ])
    expect((lines as [Error, string][])[0]?.[0]).toThrowCode('AGENT_STATE_INVALID', '/data/policy.bin: it is damaged')
  })

  test('SE-45: the first key set is pinned; a later one needs a pinned key; a key that it leaves out signs nothing any more', async () => {
    const { holder, signer } = new World()
    const b = signer.slice('/b', 1)
    await holder.apply(signer.snapshot(1, [b]))
    const next = new PolicySigner()
    await holder.apply(next.snapshot(2, [], next.keys(2)))
    expect(holder.refused).toContain('set of policy keys')
    // What came with the stranger's keys may be missing now.
    const followed = holder.apply({ ...signer.delta(2, [], [b]), keys: signer.keys(2, [next.key], signer.key) })
    await expect(followed).rejects.toThrowCode('SYNC_MISMATCH')
    await holder.settle()
    expect(holder.refused).toBe('')
    // What the old key signed stays in force, and is asked for again.
    expect(idsOf(holder)).toEqual(['/b'])
    expect(holder.held.slices).toEqual([])
    const old = signer.slice('/a', 3)
    await holder.apply(signer.delta(3, [old], [old]))
    expect(holder.refused).toContain('no policy key')
    const byNext = next.slice('/a', 4)
    await holder.apply(next.delta(4, [byNext], [b, byNext]))
    expect(idsOf(holder)).toEqual(['/b', '/a'])
    // An older set is passed over, whoever signed it.
    await holder.apply({ ...signer.fastLane(), keys: next.keys(1, [aPolicyKey()]) })
    expect([holder.refused, holder.state.keys?.version]).toEqual(['', 2])
    expect(holder.state.keys?.keyIds).toEqual([next.key.keyId])
  })

  test('SE-45: what a revoked key signed can be sent again in pieces, and may be gone meanwhile', async () => {
    const { holder, signer } = new World()
    const next = new PolicySigner()
    const [a, b, gone] = [signer.slice('/a', 1), signer.slice('/b', 1), signer.slice('/gone', 1)]
    await holder.apply(signer.snapshot(1, [a, b, gone]))
    await holder.apply({ ...signer.fastLane(), keys: signer.keys(2, [next.key], signer.key) })
    await holder.settle()
    expect(holder.held.slices).toEqual([])
    const [a2, b2] = [next.signed(contentOf(a)), next.signed(contentOf(b))]
    await holder.apply(next.delta(1, [a2], [a2]))
    await holder.apply(next.delta(1, [b2], [a2, b2]))
    expect((await holder.settle()).refused).toBe('')
    expect(holder.held.slices).toHaveLength(2)
  })

  describe('SE-45: keys that nobody vouches for whom this agent trusts, as after an old backup', () => {
    /** An agent that has pinned the keys of a server, and what a restored copy of it has: another key and a later epoch. */
    const refusing = async () => {
      const world = new World()
      const [before, after] = [world.signer, new PolicySigner({ epoch: 2 })]
      await world.holder.apply(before.snapshot(1, [before.slice('/a', 1)]))
      await world.holder.apply(before.fastLane(before.entry()))
      world.holder.observe(beat(world.clock, { fastLaneSequence: 1 }))
      await world.holder.settle()
      await world.holder.apply(after.snapshot(1, [after.slice('/a', 1)]))
      return { world, holder: world.holder, before, after }
    }
    const vouchedBy = (after: PolicySigner, by: PolicySigner, version = 1) => {
      const { content, signatures } = after.keys(version)
      return { content, signatures: [...signatures, ...after.keys(version, [after.key], by.key).signatures] }
    }

    test('are refused by a code of their own; what was believed stays in force, and grows old', async () => {
      const { world, holder, before, after } = await refusing()
      expect(holder.refused).toMatch(/^POLICY_KEYS_UNTRUSTED: /)
      expect(holder.refused).toContain(`signed by ${after.key.keyId.slice(0, 16)}`)
      expect(holder.refused).toContain(`trusts ${before.key.keyId.slice(0, 16)}`)
      await world.clock.advance(60_000)
      // It is the server's newest, and yet it proves nothing about what is held.
      holder.observe(beat(world.clock, { policyEpoch: 2, policyRevision: 1, fastLaneSequence: 7 }))
      expect([revisionOf(holder), holder.state.fastLane.sequence, holder.status.ageMs]).toEqual(['1.1', 1, 60_000])
      expect((await holder.settle()).refused).toBe(holder.refused)
    })

    test('are believed when a key that is trusted vouches for them; everything is told again', async () => {
      const { holder, before, after } = await refusing()
      const vouched = { ...after.fastLane(), keys: vouchedBy(after, before) }
      await expect(holder.apply(vouched)).rejects.toThrowCode('SYNC_MISMATCH', 'told again')
      expect([holder.refused, holder.state.keys?.keyIds]).toEqual(['', [after.key.keyId]])
      await holder.settle()
      // What is held of the time before is named in no hello.
      expect(holder.held.slices).toEqual([])
      await holder.apply(after.snapshot(1, [after.slice('/a', 1)]))
      await holder.apply({ kind: 'fastLane', entries: [], snapshot: after.lifecycle(), keys: null })
      expect([holder.refused, revisionOf(holder), holder.state.fastLane.epoch]).toEqual(['', '2.1', 2])
    })

    test('a signature by a stranger helps nothing', async () => {
      const { holder, after } = await refusing()
      await holder.apply({ ...after.fastLane(), keys: vouchedBy(after, new PolicySigner()) })
      expect(holder.refused).toContain('POLICY_KEYS_UNTRUSTED')
    })

    test('are believed when an administrator of the node names the key that signed them, also after a restart', async () => {
      const { world, holder, after } = await refusing()
      await holder.repin(after.key.keyId)
      expect([holder.refused, holder.state.keys?.keyIds]).toEqual(['', [after.key.keyId]])
      expect(() => holder.observe(beat(world.clock))).toThrowCode('SYNC_MISMATCH', 'told again')
      // Once is enough.
      holder.observe(beat(world.clock))
      const restarted = await world.restarted()
      expect(restarted.state.keys?.keyIds).toEqual([after.key.keyId])
      await restarted.apply(after.snapshot(1, [after.slice('/a', 1)]))
      expect([restarted.refused, revisionOf(restarted)]).toEqual(['', '2.1'])
    })

    test('are not believed by any other name', async () => {
      const { holder, before, after } = await refusing()
      const stranger = new PolicySigner()
      for (const keyId of [before.key.keyId, stranger.key.keyId, '0'.repeat(64)]) {
        await expect(holder.repin(keyId)).rejects.toThrowCode('POLICY_CONTENT_REFUSED', 'none of its keys')
      }
      // Named, and not signed by the one that is named.
      await holder.apply({ ...after.fastLane(), keys: after.keys(1, [after.key, stranger.key]) })
      await expect(holder.repin(stranger.key.keyId)).rejects.toThrowCode('POLICY_CONTENT_REFUSED')
      expect(holder.state.keys?.keyIds).toEqual([before.key.keyId])
    })

    test('cannot be named before they were refused, nor after something was believed again', async () => {
      const { holder, signer } = new World()
      const keyId = signer.key.keyId
      await expect(holder.repin(keyId)).rejects.toThrowCode('POLICY_KEYS_NOT_OFFERED')
      await holder.apply(signer.snapshot(1, []))
      await expect(holder.repin(keyId)).rejects.toThrowCode('POLICY_KEYS_NOT_OFFERED')
    })
  })

  test('SE-41: a server that was left behind makes nothing younger', async () => {
    const { holder, clock, signer } = new World()
    await holder.apply(signer.snapshot(3, []))
    await holder.apply(signer.fastLane(signer.entry(), signer.entry()))
    for (const fields of [
      { policyEpoch: 0, policyRevision: 9, fastLaneSequence: 9 },
      { policyRevision: 2, fastLaneSequence: 2 },
      { policyRevision: 3, fastLaneSequence: 1 },
    ]) {
      holder.observe(beat(clock, fields))
      expect(holder.status.stale).toBe(true)
      expect(revisionOf(holder)).toBe('1.3')
    }
    holder.observe(beat(clock, { policyRevision: 3, fastLaneSequence: 2 }))
    expect(holder.status.stale).toBe(false)
  })

  test('SE-41: only a fresh heartbeat makes the policy younger; the age goes on after a restart', async () => {
    const world = new World()
    const { holder, clock, signer } = world
    await holder.apply(signer.snapshot(1, []))
    expect(holder.status.ageMs).toBeGreaterThan(86_400_000)
    holder.observe(beat(clock))
    expect(holder.status).toMatchObject({ ageMs: 0, stale: false, hasPolicy: true })
    await holder.settle()
    await clock.advance(60_000)
    holder.observe(beat(clock, { isFresh: false }))
    expect(holder.status).toMatchObject({ ageMs: 60_000, stale: true })
    expect((await world.restarted()).status).toMatchObject({ ageMs: 60_000, stale: true })
  })

  test('workloads hear that the policy grows old, while the server is silent', async () => {
    const { holder, clock, signer } = new World()
    const stop = new AbortController()
    const running = holder.run(stop.signal).catch(() => 'ended')
    await holder.apply(signer.snapshot(1, []))
    holder.observe(beat(clock))
    const wake = new Wake()
    using _reader = holder.read(wake)
    let heard = 0
    void (async () => {
      for (;;) {
        await wake.wait(stop.signal)
        heard++
      }
    })().catch(() => undefined)
    await clock.advance(10_000)
    expect(heard).toBe(0)
    await clock.advance(10_000)
    expect(heard).toBeGreaterThan(0)
    stop.abort(new Error('over'))
    expect(await running).toBe('ended')
  })

  test('a heartbeat brings agents forward that nothing concerned', async () => {
    const { holder, clock, signer } = new World()
    await holder.apply(signer.snapshot(1, []))
    await holder.settle()
    holder.observe(beat(clock, { policyRevision: 7 }))
    expect(holder.held).toMatchObject({ epoch: 1, revision: 7 })
  })

  test('an acknowledgement waits for the workloads that read, and not for one that does not', async () => {
    const { holder, clock, signer } = new World()
    using reader = holder.read(new Wake())
    await holder.apply(signer.snapshot(1, []))
    let isSettled = false
    const settling = holder.settle().then(() => (isSettled = true))
    await settled()
    expect(isSettled).toBe(false)
    reader.take()
    reader.delivered()
    await settling

    await holder.apply(signer.fastLane(signer.entry()))
    const late = holder.settle()
    await settled()
    await clock.advance(30_001)
    await late
  })

  test('another agent than before pins anew', async () => {
    const { holder, disk } = new World()
    const other = new PolicySigner()
    await holder.apply(new PolicySigner().snapshot(9, []))
    await holder.settle()
    await holder.forget()
    expect(files.filter((path) => disk.files.has(path))).toEqual([])
    await holder.apply(other.snapshot(1, [other.slice('/a', 1)]))
    expect(holder.refused).toBe('')
    expect(idsOf(holder)).toEqual(['/a'])
  })
})

test('lackedBy() gives entries to who can follow, and the snapshot with all after it to everybody else', async () => {
  const { holder, signer } = new World()
  await holder.apply(signer.snapshot(1, []))
  signer.entry()
  await holder.apply({ kind: 'fastLane', entries: [], snapshot: signer.lifecycle(), keys: null })
  await holder.apply(signer.fastLane(signer.entry(), signer.entry()))
  const { fastLane } = holder.state
  const lacked = (epoch: number, sequence: number) => {
    const { snapshot, entries } = lackedBy(fastLane, { epoch, sequence })
    return [snapshot !== undefined, entries.length]
  }
  expect(lacked(1, 3)).toEqual([false, 0])
  expect(lacked(1, 1)).toEqual([false, 2])
  expect(lacked(1, 0)).toEqual([true, 2])
  expect(lacked(0, 3)).toEqual([true, 2])
  expect(lacked(1, 9)).toEqual([true, 2])
})
