import { styleText } from 'node:util'
import { wrap } from './print.ts'

/** The column in which the facts of the timeline begin. */
const FACTS_AT = 41

/** A line of the timeline: when, what, and the facts in grey, each on a line of its own. */
export type Say = (what: string, ...facts: readonly string[]) => void

export function timeline(): Say {
  const startMs = performance.now()
  const grey = process.stdout.isTTY ? (text: string): string => styleText('dim', text) : (text: string): string => text
  return (what, ...facts) => {
    const at = `${((performance.now() - startMs) / 1000).toFixed(2)}s`.padStart(8)
    const start = `${grey(at)}  ${what.padEnd(FACTS_AT - 11)} `
    const columns = (process.stdout.columns ?? Number.POSITIVE_INFINITY) - FACTS_AT
    // A command is for copying: the terminal may wrap it, we do not.
    const lines = facts.flatMap((fact) => (fact.startsWith('sallyport ') ? [fact] : wrap(fact, columns)))
    process.stdout.write(`${start}${lines.map(grey).join(`\n${' '.repeat(FACTS_AT)}`)}\n`)
  }
}
