import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpoolShares } from '../../../agent/policy/spool-shares.ts'
import { settled } from '../../fakes/fake-clock.ts'

const { signal } = new AbortController()

/** How many of so many reports of 10 bytes a workload may hold at once; the others wait. */
async function heldBy(shares: SpoolShares, workload: string, reports: number): Promise<number> {
  let held = 0
  for (let index = 0; index < reports; index++) void shares.reserve(workload, 10, signal).then(() => held++)
  await settled()
  return held
}

describe('SpoolShares', () => {
  test('one workload alone holds half of the spool, two a third each, and the next finds room', async () => {
    const shares = new SpoolShares(1000)
    expect(await heldBy(shares, 'a', 200)).toBe(50)
    expect(await heldBy(shares, 'b', 200)).toBe(25)
    expect(await heldBy(shares, 'c', 200)).toBe(13)
    expect(await heldBy(shares, 'd', 1)).toBe(1)
  })

  test('what a file takes is held until it is released, and then somebody who waits goes on', async () => {
    const shares = new SpoolShares(1000)
    const reserved = await shares.reserve('a', 600, signal)
    shares.hold(1, 600, new Map([['a', 600]]))
    reserved[Symbol.dispose]()
    let hasRoom = false
    const waiting = shares.reserve('a', 1, signal).then(() => (hasRoom = true))
    await settled()
    expect(hasRoom).toBe(false)
    shares.release(1)
    await waiting
  })

  test('leaves nothing held when everything is given back, in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ who: fc.constantFrom('a', 'b'), bytes: fc.nat(100) })), async (all) => {
        const shares = new SpoolShares(10_000)
        const reserved = await Promise.all(all.map(({ who, bytes }) => shares.reserve(who, bytes, signal)))
        for (const [file, { who, bytes }] of all.entries()) shares.hold(file, bytes + 5, new Map([[who, bytes]]))
        for (const one of reserved.toReversed()) one[Symbol.dispose]()
        for (const file of all.keys()) shares.release(file)
        // Twice is once.
        for (const file of all.keys()) shares.release(file)
        expect(await heldBy(shares, 'a', 1000)).toBe(500)
      }),
      { numRuns: 20 },
    )
  })

  test('whoever waits can be ended', async () => {
    const shares = new SpoolShares(10)
    await shares.reserve('a', 10, signal)
    const stop = new AbortController()
    const waiting = shares.reserve('a', 1, stop.signal)
    stop.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    await expect(shares.reserve('a', 1, stop.signal)).rejects.toThrow('gone')
  })
})
