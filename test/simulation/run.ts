import { parseArgs } from 'node:util'
import { simulateDay } from './day.ts'
import { plantedBugs } from './planted-bugs/catalog.ts'
import { Garden } from './planted-bugs/plant.ts'
import { simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
    trace: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    only: { type: 'string' },
    day: { type: 'boolean', default: false },
  },
})

const SHOWN = 120
const PLANTED_SEEDS = 400

if (values.planted) await findPlanted()
else if (values.day) await liveADay()
else await runSeeds()

async function runSeeds(): Promise<void> {
  const from = values.seed === undefined ? Math.floor(Date.now() / 1000) * 1_000_000 : Number(values.seed)
  const count = values.seed === undefined || process.argv.includes('--seeds') ? Number(values.seeds) : 1
  console.log(`${count} seeds from ${from}`)
  const startMs = performance.now()
  let failures = 0
  let events = 0
  let virtualMs = 0
  for (let seed = from; seed < from + count; seed++) {
    const result = await simulate({ seed, mostMinutes: Number(values.minutes), keep: values.trace ? 1_000_000 : 400 })
    events += result.events
    virtualMs += result.virtualMs
    if (values.trace) console.log(result.lines.join('\n'))
    if (result.failure === undefined) continue
    failures++
    console.log(`seed ${seed} (faults: ${result.faults.join(' ')}): ${result.failure}`)
    if (!values.trace && (count === 1 || values.first)) console.log(result.lines.slice(-SHOWN).join('\n'))
    if (values.first) break
  }
  const seconds = (performance.now() - startMs) / 1000
  console.log(
    `${failures} of ${count} failed; ${events} events, ${(virtualMs / 3_600_000).toFixed(1)} h of virtual time in ${seconds.toFixed(1)} s`,
  )
  process.exitCode = failures > 0 ? 1 : 0
}

async function findPlanted(): Promise<void> {
  using garden = new Garden()
  const { only } = values
  const rows: string[] = []
  for (const bug of plantedBugs.filter(({ name }) => only === undefined || name.includes(only))) {
    const from = Number(values.seed ?? bug.seed)
    const { seeds, how, seconds } = await garden.find(bug, { seeds: PLANTED_SEEDS, from })
    if (seeds === undefined) process.exitCode = 1
    const found = seeds === undefined ? 'NOT FOUND' : `found by seed ${String(from + seeds - 1).padStart(3)}`
    rows.push(found)
    console.log(
      `${found.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s  ${bug.name}\n${''.padEnd(29)}${how.slice(0, 140)}`,
    )
  }
  console.log(`${rows.filter((row) => row !== 'NOT FOUND').length} of ${rows.length} planted bugs found`)
}

async function liveADay(): Promise<void> {
  const startMs = performance.now()
  const { failure, events, updates } = await simulateDay(Number(values.seed ?? 1))
  const seconds = (performance.now() - startMs) / 1000
  console.log(`${failure ?? 'all well'}; ${events} events, ${updates} SVIDs for workloads, in ${seconds.toFixed(1)} s`)
  process.exitCode = failure === undefined ? 0 : 1
}
