import { ask } from '../ask.ts'
import { Crowd } from '../crowd.ts'
import { measurePropagation } from '../propagation.ts'
import { System } from '../system.ts'

const AGENTS = 1000
const ENTRIES = 100_000

await ask('The same with 1,000 agents connected and 100,000 entries stored', async ({ isQuick, add }) => {
  await using system = await System.open({ agent: true, entriesStored: ENTRIES })
  using crowd = await Crowd.connect(system, AGENTS, 10)
  const { created, updated, deleted } = await measurePropagation(system, isQuick ? 40 : 200)
  for (const [name, { p50Ms, p99Ms }] of Object.entries({ created, updated, deleted })) {
    add(
      { name: `${name}: p50`, value: p50Ms, unit: 'ms' },
      { name: `${name}: p99`, value: p99Ms, unit: 'ms', atMost: 150 },
    )
  }
  add({ name: 'streams of agents that ended', value: crowd.ended, unit: '', atMost: 0 })
})
