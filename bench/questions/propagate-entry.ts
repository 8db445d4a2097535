import { ask } from '../ask.ts'
import { measurePropagation } from '../propagation.ts'
import { System } from '../system.ts'

await ask('From a change of an entry to the open stream of its workload', async ({ isQuick, add }) => {
  await using system = await System.open({ agent: true })
  const { created, updated, deleted } = await measurePropagation(system, isQuick ? 40 : 200)
  const spire = 'defaults 4.8 s, 8.5 s at p95; tuned 120 ms, 176 ms at most'
  for (const [name, { p50Ms, p99Ms }] of Object.entries({ created, updated, deleted })) {
    add(
      { name: `${name}: p50`, value: p50Ms, unit: 'ms', atMost: 15, spire },
      { name: `${name}: p99`, value: p99Ms, unit: 'ms', atMost: 50 },
    )
  }
})
