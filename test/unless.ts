import { spawnSync } from 'node:child_process'
import { describe, test, type SuiteFactory, type TestFunction, type TestOptions } from 'vitest'
import { nameOfSkipped } from './run-notes.ts'

// What cannot run on every machine says why where it does not: `run-notes.ts` prints these names at the end of a run.

/** Why something does not run here; undefined where it does. */
export type Reason = string | undefined

export const notLinux: Reason =
  process.platform === 'linux' ? undefined : `needs Linux, and this is ${process.platform}`

export const notRoot: Reason = process.getuid?.() === 0 ? undefined : 'needs root'

/** Are these programs on the machine? */
export function missing(...commands: readonly string[]): Reason {
  const absent = commands.filter((command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
  return absent.length === 0 ? undefined : `${absent.join(' and ')} not installed`
}

/** Does the program end well here with these arguments? */
export function notWorking(program: string, ...args: readonly string[]): Reason {
  return spawnSync(program, args).status === 0 ? undefined : `\`${[program, ...args].join(' ')}\` fails here`
}

const saying = (name: string, reason: Reason): string => (reason === undefined ? name : nameOfSkipped(name, reason))

/** `describe()`, skipped and named after the reason where there is one. */
export function describeUnless(reason: Reason, name: string, body: SuiteFactory): void {
  describe.skipIf(reason !== undefined)(saying(name, reason), body)
}

/** `test()`, skipped and named after the reason where there is one. */
export function testUnless(reason: Reason, name: string, body: TestFunction, options: TestOptions = {}): void {
  test.skipIf(reason !== undefined)(saying(name, reason), options, body)
}

/** `test.for()`, skipped and named after the reason where there is one. */
export function testRowsUnless<Row>(
  reason: Reason,
  rows: readonly Row[],
  name: string,
  body: (row: Row) => Promise<void> | void,
): void {
  test.skipIf(reason !== undefined).for(rows)(saying(name, reason), body)
}
