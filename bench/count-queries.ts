// Loaded before the server (`--import`), its writer thread included: leaves a byte in a file for every statement that runs.
import { openSync, writeSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'

const path = process.env['BENCH_QUERIES']
if (path !== undefined) {
  const file = openSync(path, 'a')
  const methods = [
    [DatabaseSync.prototype, ['exec']],
    [StatementSync.prototype, ['run', 'get', 'all', 'iterate']],
  ] as const
  for (const [prototype, names] of methods) {
    for (const name of names) {
      const original = Reflect.get(prototype, name) as (this: unknown, ...given: unknown[]) => unknown
      Reflect.set(prototype, name, function counted(this: unknown, ...given: unknown[]): unknown {
        writeSync(file, name.slice(0, 1))
        return original.apply(this, given)
      })
    }
  }
}
