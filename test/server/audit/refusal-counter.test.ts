import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/log/log.ts'
import { systemClock } from '../../../src/clock.ts'
import { REFUSAL_MAX_KINDS, RefusalCounter } from '../../../server/audit/refusal-counter.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { anInstant } from '../../fakes/store-objects.ts'

const refusal = { callerId: 'spiffe://example.org/w', method: '/a.B/C', code: 'PERMISSION_DENIED' }

function counterOn(store: MemoryStore) {
  let seconds = 0
  let wake = (): void => undefined
  const sleep = () => new Promise<void>((resolve) => (wake = resolve))
  const clock = { ...systemClock, now: () => anInstant(seconds), sleep }
  return {
    counter: new RefusalCounter({ store, clock, log: silentLog }),
    pass: (more: number) => {
      seconds += more
      wake()
    },
  }
}

const facts = async (store: MemoryStore) =>
  (await Array.fromAsync(store.audit({ type: 'call.refused' }))).map(
    (record) => JSON.parse(record.facts) as Record<string, unknown>,
  )

describe('RefusalCounter', () => {
  test('SE-22 writes equal refusals as one record with their number', async () => {
    const store = new MemoryStore()
    const { counter, pass } = counterOn(store)
    for (let index = 0; index < 5_000; index++) counter.refused({ ...refusal })
    pass(10)
    counter.refused({ ...refusal, code: 'UNAUTHENTICATED' })
    await counter.flush()
    const since = anInstant(0).toISOString()
    expect(await facts(store)).toEqual([
      { ...refusal, count: 5_000, since },
      { ...refusal, code: 'UNAUTHENTICATED', count: 1, since: anInstant(10).toISOString() },
    ])
    await counter.flush()
    expect((await facts(store)).length).toBe(2)
  })

  test('SE-22 a flood of different refusals is bounded, and counted all the same', async () => {
    const store = new MemoryStore()
    const { counter } = counterOn(store)
    for (let index = 0; index < 3 * REFUSAL_MAX_KINDS; index++) {
      counter.refused({ ...refusal, callerId: `10.0.${index}`, method: 'x'.repeat(100_000) })
    }
    await counter.flush()
    const records = await facts(store)
    expect(records.length).toBe(REFUSAL_MAX_KINDS + 1)
    expect(records.reduce((sum, { count }) => sum + (count as number), 0)).toBe(3 * REFUSAL_MAX_KINDS)
    expect(JSON.stringify(records).length).toBeLessThan(REFUSAL_MAX_KINDS * 2_000)
  })

  test('keeps what it could not write', async () => {
    let isBroken = true
    const store = new MemoryStore({
      beforeCommit: () => {
        if (isBroken) throw new Error('disk')
      },
    })
    const { counter } = counterOn(store)
    counter.refused(refusal)
    await counter.flush()
    counter.refused(refusal)
    isBroken = false
    await counter.flush()
    expect(await facts(store)).toMatchObject([{ count: 2 }])
  })

  test('writes every minute, and the rest when it is stopped', async () => {
    const store = new MemoryStore()
    const { counter, pass } = counterOn(store)
    const stop = new AbortController()
    const running = counter.run(stop.signal)
    counter.refused(refusal)
    pass(60)
    while ((await facts(store)).length === 0) await Promise.resolve()
    counter.refused(refusal)
    stop.abort()
    pass(1)
    await running
    expect((await facts(store)).length).toBe(2)
  })
})
