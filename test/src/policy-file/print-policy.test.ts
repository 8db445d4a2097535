import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { printPolicy } from '../../../src/policy-file/print-policy.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { Random } from '../../cedar/random.ts'
import { randomWorld } from '../../cedar/random-world.ts'

test.for(['acme-prod', 'everything'])('printPolicy() prints what is read back as the same: %s', (name) => {
  const set = readPolicy(readFileSync(join(import.meta.dirname, `../../vectors/policy/${name}.yaml`), 'utf8'))
  expect(readPolicy(printPolicy(set))).toEqual(set)
})

test('printPolicy() prints whatever policy there is', () => {
  const readable = { count: 0 }
  for (let seed = 1; seed <= 60; seed++) {
    const { set } = randomWorld(new Random(seed))
    // A file has rules with actions, and intervals that do not end before they begin.
    const isWritten = ({ valid }: { valid: { from?: number | undefined; until?: number | undefined } }): boolean =>
      valid.from === undefined || valid.until === undefined || valid.from < valid.until
    const guards = set.guards.filter(({ to }) => to.actions?.length !== 0)
    const rules = set.rules.filter((rule) => isWritten(rule) && rule.actions.length > 0)
    const day = Date.UTC(2027, 0, 1)
    const conduits = set.conduits.filter(isWritten).map((conduit) => ({ ...conduit, review: day }))
    const written = { ...set, guards, rules, conduits }
    expect(readPolicy(printPolicy(written)), `seed ${seed}`).toEqual(written)
    readable.count++
  }
  expect(readable.count).toBe(60)
})
