import { describe, expect, test } from 'vitest'
import { TakenReports } from '../../../agent/policy/taken-reports.ts'

const by = (workload: string, uid = 0) => ({ uid, identities: new Set([`spiffe://example.org/${workload}`]) })
const numbered = (reporter: string, batch: number) => ({ reporter: Buffer.from(reporter), batch })

describe('TakenReports', () => {
  test('knows the newest report of each reporter, and those before it', () => {
    const taken = new TakenReports()
    taken.note(numbered('r', 2), by('web'))
    expect([1, 2, 3].map((batch) => taken.has(numbered('r', batch), by('web')))).toEqual([true, true, false])
    expect(taken.has(numbered('other', 1), by('web'))).toBe(false)
    expect(taken.has(numbered('r', 1), by('web', 7))).toBe(false)
    // An entry that came or went makes it no other reporter.
    expect(taken.has(numbered('r', 2), { uid: 0, identities: new Set() })).toBe(true)
  })

  test('one without a name is never known', () => {
    const taken = new TakenReports()
    taken.note(numbered('', 1), by('web'))
    expect(taken.has(numbered('', 1), by('web'))).toBe(false)
  })

  test('a workload that draws names without end makes others forget nothing, as whichever user', () => {
    const taken = new TakenReports()
    taken.note(numbered('quiet', 1), by('quiet'))
    for (let index = 0; index < 20_000; index++) taken.note(numbered(`n${index}`, 1), by('loud', index % 100))
    expect(taken.has(numbered('quiet', 1), by('quiet'))).toBe(true)
    // It is bounded all the same, and the newest are known.
    expect(taken.has(numbered('n0', 1), by('loud', 0))).toBe(false)
    expect(taken.has(numbered('n19999', 1), by('loud', 99))).toBe(true)
  })
})
