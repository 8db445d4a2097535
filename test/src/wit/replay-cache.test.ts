import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplayCache } from '../../../src/wit/replay-cache.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

const after = (clock: FakeClock, seconds: number): Date => new Date(clock.now().getTime() + seconds * 1000)

describe('ReplayCache', () => {
  test('WI-28 WP-10 HS-11 takes each proof of a sender once, and the same id of others', () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    cache.use('a', '1', after(clock, 60))
    cache.use('a', '2', after(clock, 60))
    cache.use('b', '1', after(clock, 60))
    expect(() => cache.use('a', '1', after(clock, 60))).toThrowCode('WIT_PROOF_REPLAYED', 'proof of a')
    expect(cache.size).toBe(3)
  })

  test('WI-28 remembers a proof for as long as it could be used again, and not for much longer', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    cache.use('a', '1', after(clock, 60))
    await clock.advance(59_999)
    expect(() => cache.use('a', '1', after(clock, 1))).toThrowCode('WIT_PROOF_REPLAYED')
    await clock.advance(20_001)
    cache.use('a', '2', after(clock, 60))
    expect(cache.size).toBe(1)
  })

  test('WI-28 refuses what it could not remember until older ones have ended, and forgets nothing for it', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock, maxProofs: 2, maxProofsPerSender: 2 })
    cache.use('a', '1', after(clock, 60))
    cache.use('b', '1', after(clock, 60))
    expect(() => cache.use('c', '1', after(clock, 60))).toThrowCode('REPLAY_CACHE_FULL', 'holds 2 proofs')
    expect(() => cache.use('a', '1', after(clock, 60))).toThrowCode('WIT_PROOF_REPLAYED')
    await clock.advance(80_000)
    cache.use('c', '1', after(clock, 60))
  })

  test('WI-28 one sender does not fill it for the others', () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock, maxProofs: 10 })
    for (let n = 0; n < 5; n++) cache.use('loud', String(n), after(clock, 60))
    expect(() => cache.use('loud', '5', after(clock, 60))).toThrowCode('REPLAY_CACHE_FULL', 'of loud alone')
    cache.use('quiet', '5', after(clock, 60))
  })

  test('WI-28 a wall clock that jumps ahead and back makes nothing forgotten', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    cache.use('a', '1', after(clock, 60))
    clock.jump(3_600_000)
    cache.use('a', '2', after(clock, 60))
    clock.jump(-3_600_000)
    await clock.advance(30_000)
    expect(() => cache.use('a', '1', after(clock, 30))).toThrowCode('WIT_PROOF_REPLAYED')
  })

  test('WI-28 a wall clock that is set back before a proof is over makes nothing forgotten', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    const until = after(clock, 60)
    cache.use('a', '1', until)
    clock.jump(-3_600_000)
    await clock.advance(600_000)
    // By the wall clock it has not even begun.
    expect(() => cache.use('a', '1', until)).toThrowCode('WIT_PROOF_REPLAYED', 'used before')
    expect(cache.size).toBe(1)
    cache.use('a', '2', after(clock, 60))
    await clock.advance(3_200_000)
    cache.use('a', '3', after(clock, 60))
    expect(cache.size).toBe(1)
  })

  test('WI-28 a wall clock that is set back after a proof was forgotten lets it not live again', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    const until = after(clock, 60)
    cache.use('a', '1', until)
    await clock.advance(80_000)
    cache.use('a', '2', after(clock, 60))
    expect(cache.size).toBe(1)
    clock.jump(-120_000)
    expect(clock.now() < until).toBe(true)
    expect(() => cache.use('a', '1', until)).toThrowCode('WIT_PROOF_REPLAYED', 'the clock of this service was set back')
    // Whatever ends later was not forgotten.
    cache.use('a', '3', after(clock, 110))
    await clock.advance(60_000)
    cache.use('a', '4', after(clock, 60))
  })

  test('WI-28 a wall clock that is set back by less than proofs live holds nobody up', async () => {
    const clock = new FakeClock()
    const cache = new ReplayCache({ clock })
    for (let n = 0; n < 20; n++) {
      cache.use('a', String(n), after(clock, 60))
      await clock.advance(10_000)
    }
    clock.jump(-50_000)
    cache.use('a', 'new', after(clock, 60))
  })

  test('is what a list of all proofs would be, whatever comes when', async () => {
    const step = fc.record({
      sender: fc.constantFrom('a', 'b'),
      id: fc.constantFrom('1', '2', '3'),
      life: fc.integer({ min: 0, max: 90 }),
      wait: fc.integer({ min: 0, max: 40 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock()
        const cache = new ReplayCache({ clock })
        const used = new Map<string, number>()
        for (const { sender, id, life, wait } of steps) {
          await clock.advance(wait * 1000)
          const now = clock.now().getTime()
          const isLive = (used.get(sender + id) ?? 0) > now
          let isTaken = true
          try {
            cache.use(sender, id, new Date(now + life * 1000))
          } catch {
            isTaken = false
          }
          if (isLive) expect(isTaken).toBe(false)
          // It may remember a little longer: the ten seconds that are forgotten together.
          if ((used.get(sender + id) ?? -Infinity) + 20_000 <= now) expect(isTaken).toBe(true)
          if (isTaken) used.set(sender + id, now + life * 1000)
        }
      }),
    )
  })

  test('takes no proof twice while its end is to come, wherever the wall clock jumps', async () => {
    const step = fc.record({
      id: fc.constantFrom('1', '2', '3'),
      life: fc.integer({ min: 1, max: 90 }),
      wait: fc.integer({ min: 0, max: 60 }),
      jump: fc.constantFrom(0, 0, 0, -300, -30, 30, 300),
      again: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock()
        const cache = new ReplayCache({ clock })
        // A proof is its id and its end.
        const taken = new Set<string>()
        const made: { readonly id: string; readonly until: Date }[] = []
        for (const { id, life, wait, jump, again } of steps) {
          await clock.advance(wait * 1000)
          clock.jump(jump * 1000)
          const proof = (again ? made.at(-3) : undefined) ?? { id, until: after(clock, life) }
          made.push(proof)
          if (proof.until <= clock.now()) continue
          const name = `${proof.id} ${proof.until.getTime()}`
          try {
            cache.use('a', proof.id, proof.until)
          } catch {
            continue
          }
          expect(taken.has(name)).toBe(false)
          taken.add(name)
        }
      }),
    )
  })

  test.for([{ maxProofs: 0 }, { maxProofs: 1.5 }, { maxProofs: NaN }, { maxProofs: 5, maxProofsPerSender: 0 }])(
    'needs room for proofs: %j',
    (options) => {
      expect(() => new ReplayCache(options)).toThrow(TypeError)
    },
  )
})
