import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { sleepUnlessAborted, systemClock } from '../../src/clock.ts'

test('a timer of the system clock that was taken back leaves nothing behind, however many lengths of time there were', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const heldBytes = (): number => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const startMs = 60 * 60 * 1000
  const takeBack = (count: number): void => {
    for (let ms = 0; ms < count; ms++) systemClock.timer(startMs + ms, () => {})[Symbol.dispose]()
  }
  takeBack(1_000)
  const before = heldBytes()
  takeBack(100_000)
  expect(heldBytes() - before).toBeLessThan(2 * 1024 * 1024)
})

test('a sleep that may be cut short resolves when its signal aborts', async () => {
  const stop = new AbortController()
  const sleeping = sleepUnlessAborted(systemClock, 60 * 60 * 1000, stop.signal)
  stop.abort(new Error('stopped'))
  await sleeping
  await sleepUnlessAborted(systemClock, 60 * 60 * 1000, stop.signal)
})
