import { expect, test } from 'vitest'
import { Loops } from '../../../src/process/loops.ts'
import { silentLog } from '../../../src/log/log.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'

test('a loop that fails is named until it runs again, and stops when the process does', async () => {
  const clock = new FakeClock()
  const loops = new Loops({ clock, log: silentLog })
  let runs = 0
  loops.start('work', async (signal) => {
    if (++runs === 1) throw new Error('broken')
    await clock.sleep(3_600_000, signal)
  })
  await settled()
  expect([...loops.failing]).toEqual(['work'])
  await clock.advance(1000)
  expect([runs, loops.failing.size]).toEqual([2, 0])
  await loops[Symbol.asyncDispose]()
  expect(runs).toBe(2)
})
