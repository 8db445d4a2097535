import { ask } from '../ask.ts'
import { cpuMsOf, rssBytesOf } from '../cost.ts'
import { System } from '../system.ts'

await ask('A start with 100,000 entries stored', async ({ isQuick, add }) => {
  await using system = await System.open({ entriesStored: 100_000 })
  const times: number[] = []
  for (let round = 0; round < (isQuick ? 2 : 5); round++) {
    await system.stopServer()
    times.push(await system.startServer())
  }
  const { count } = await system.entries.countEntries({})
  if (count !== 100_000) throw new Error(`The server knows ${count} entries`)
  add(
    {
      name: 'until ready (median)',
      value: (times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN) / 1000,
      unit: 's',
      atMost: 3,
    },
    { name: 'CPU of that start', value: cpuMsOf(system.serverPid) / 1000, unit: 's' },
    { name: 'RSS then', value: rssBytesOf(system.serverPid) / 1e6, unit: 'MB' },
  )
})
