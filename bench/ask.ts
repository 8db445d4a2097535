import { printFigures, type Figure } from './figure.ts'
import { calibrate, printMachine, type Machine } from './machine.ts'
import { makePackage } from './package.ts'

export interface Run {
  /** Shorter, for a look while working; the figures are less steady. */
  readonly isQuick: boolean
  readonly machine: Machine
  /** How long one measurement lasts. */
  readonly seconds: number
  /** Reports a figure. */
  add(...figures: Figure[]): void
}

/**
 * Answers one question: runs its measurement, prints the table, tells the runner when there is one. What runs no process of the
 * package needs none.
 */
export async function ask(
  question: string,
  measure: (run: Run) => Promise<void> | void,
  { needsPackage = true }: { readonly needsPackage?: boolean } = {},
): Promise<void> {
  const isQuick = process.argv.includes('--quick')
  const figures: Figure[] = []
  const machine = calibrate()
  using made = needsPackage ? makePackage() : undefined
  await measure({ isQuick, machine, seconds: isQuick ? 2 : 6, add: (...more) => figures.push(...more) })
  if (process.send === undefined) console.log(printMachine(machine))
  console.log(`${printFigures(question, figures, machine)}\n`)
  // Whatever a library keeps open must not hold the runner.
  made?.[Symbol.dispose]()
  if (process.send === undefined) process.exit(0)
  process.send({ question, figures, machine }, () => process.exit(0))
}
