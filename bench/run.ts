import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isMet, type Figure } from './figure.ts'
import { calibrate, printMachine, type Machine } from './machine.ts'
import { makePackage } from './package.ts'

/*
 * `npm run bench -- [--quick] [name …]`: asks all questions, or those whose names begin so. Each is a program of its own in
 * `bench/questions` and can be started alone.
 */
interface Answer {
  readonly question: string
  readonly figures: readonly Figure[]
  readonly machine: Machine
}

const folder = join(import.meta.dirname, 'questions')
const [flags, names] = [
  process.argv.slice(2).filter((argument) => argument.startsWith('--')),
  process.argv.slice(2).filter((argument) => !argument.startsWith('--')),
]
const questions = readdirSync(folder)
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((name) => names.length === 0 || names.some((wanted) => name.startsWith(wanted)))
if (questions.length === 0) {
  console.error(`No question begins with ${names.join(' or ')}: there are ${readdirSync(folder).join(', ')}`)
  process.exit(1)
}

console.log(`${printMachine(calibrate())}\n`)
using _package = makePackage()
const answers: Answer[] = []
for (const name of questions) {
  const child = fork(join(folder, `${name}.ts`), flags, { stdio: 'inherit', env: process.env })
  child.on('message', (answer) => answers.push(answer as Answer))
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) console.error(`${name} ended with ${code ?? 'a signal'}\n`)
}
const missed = answers.flatMap(({ question, figures, machine }) =>
  figures.filter((figure) => isMet(figure, machine) === false).map(({ name }) => `${question}: ${name}`),
)
console.log(missed.length === 0 ? 'Every bar is met.' : `Missed:\n${missed.join('\n')}`)
