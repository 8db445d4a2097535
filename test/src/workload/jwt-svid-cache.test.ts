import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { JwtSvid } from '../../../src/svid/jwt-svid.ts'
import { CACHED_CHARACTERS_MAX, CACHED_REQUESTS_MAX, JwtSvidCache } from '../../../src/workload/jwt-svid-cache.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'

const start = new Date('2026-06-01T12:00:00Z')
const spiffeId = SpiffeId.parse('spiffe://example.org/web')

const svid = (fromMs: number, lifeMs: number, token = 'x'): JwtSvid => ({
  spiffeId,
  audience: ['a'],
  issuedAt: new Date(fromMs),
  expiresAt: new Date(fromMs + lifeMs),
  claims: {},
  token,
  keyId: 'k',
  hint: '',
})

function cacheOn(clock: FakeClock) {
  return new JwtSvidCache({
    clock,
    random: () => 0.5,
    keysRevision: () => 1,
    isSignedByKnownKey: () => true,
    onError: () => {},
  })
}

describe('the cache of tokens', () => {
  test('never hands out a token that has ended, and asks only when one is half over', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 40 }),
        fc.integer({ min: 1_000, max: 600_000 }),
        async (pauses, lifeMs) => {
          const clock = new FakeClock(start)
          const cache = cacheOn(clock)
          let last: JwtSvid | undefined
          for (const pause of pauses) {
            const nowMs = clock.now().getTime()
            const before = last
            const fetch = async (): Promise<readonly JwtSvid[]> => {
              // Half of the life of the one before is over.
              if (before !== undefined) expect(2 * (nowMs - before.issuedAt!.getTime())).toBeGreaterThanOrEqual(lifeMs)
              last = svid(nowMs, lifeMs)
              return [last]
            }
            const [given] = await cache.get('a', fetch)
            expect(given!.expiresAt.getTime()).toBeGreaterThan(nowMs)
            await settled()
            await clock.advance(pause)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('WA-25 keeps nothing that was asked for before it was cleared', async () => {
    const cache = cacheOn(new FakeClock(start))
    const before = Promise.withResolvers<readonly JwtSvid[]>()
    const first = cache.get('a', () => before.promise)
    cache.clear()
    const ask = (token: string) => cache.get('a', async () => [svid(start.getTime(), 300_000, token)])
    const second = ask('second')
    before.resolve([svid(start.getTime(), 300_000, 'first')])
    expect([(await first)[0]?.token, (await second)[0]?.token]).toEqual(['first', 'second'])
    expect((await ask('third'))[0]?.token).toBe('second')
  })

  test('forgets what was asked for longest ago beyond its number of requests', async () => {
    const clock = new FakeClock(start)
    const cache = cacheOn(clock)
    const fetched: string[] = []
    const ask = (key: string) => cache.get(key, async () => (fetched.push(key), [svid(start.getTime(), 300_000)]))
    for (let index = 0; index < CACHED_REQUESTS_MAX; index++) await ask(`${index}`)
    await ask('0')
    await ask('one more')
    fetched.length = 0
    await ask('0')
    await ask('2')
    expect(fetched).toEqual([])
    await ask('1')
    expect(fetched).toEqual(['1'])
  })

  test('holds no more than its number of characters', async () => {
    const cache = cacheOn(new FakeClock(start))
    const large = 'x'.repeat(CACHED_CHARACTERS_MAX / 4)
    let fetches = 0
    const ask = (key: string) => cache.get(key, async () => (fetches++, [svid(start.getTime(), 300_000, large)]))
    for (const key of ['a', 'b', 'c', 'd']) await ask(key)
    await ask('d')
    expect(fetches).toBe(4)
    await ask('a')
    expect(fetches).toBe(5)
  })
})
