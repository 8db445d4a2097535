import { parseArgs } from 'node:util'
import { simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
  },
})

const SHOWN = 120

const from = values.seed === undefined ? Math.floor(Date.now() / 1000) * 1_000_000 : Number(values.seed)
const count = values.seed === undefined || process.argv.includes('--seeds') ? Number(values.seeds) : 1
console.log(`${count} seeds from ${from}`)
const startMs = performance.now()
let failures = 0
let events = 0
let virtualMs = 0
for (let seed = from; seed < from + count; seed++) {
  const result = await simulate({ seed, keep: values.trace ? 1_000_000 : 400 })
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
