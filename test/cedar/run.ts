// `npm run cedar -- --policies 20000 --seed 1`: compares more random policies than the tests do.
import { parseArgs } from 'node:util'
import { compareEngines } from './compare.ts'

const { values } = parseArgs({
  options: { policies: { type: 'string', default: '5000' }, seed: { type: 'string', default: '1' } },
})
const started = performance.now()
const { questions, counts, disagreements } = compareEngines(Number(values.seed), Number(values.policies))
for (const line of disagreements.slice(0, 20)) console.log(line)
console.log(`${questions} questions in ${Math.round((performance.now() - started) / 1000)} s`, counts)
console.log(`${disagreements.length} disagreements`)
process.exitCode = disagreements.length === 0 ? 0 : 1
