import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { simulatePolicy } from '../../cli/simulate.ts'
import { suggestChanges } from '../../cli/suggest.ts'
import { readPolicy } from '../../src/policy-file/read-policy.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const text = readFileSync(acmeFile, 'utf8')
const entries = file(JSON.stringify({ entries: acmeEntries }), 'entries.json')
const today = Math.floor(Date.now() / 86_400_000)
const refused = { conduit: null, rule: null, wouldDeny: true, deniedBy: 'movement', code: 'NO_CONDUIT' }
const toErp = (day: number, side: string) =>
  counter({
    service: 'erp',
    destinationZone: 'legacy',
    action: 'any',
    route: '/**',
    ...refused,
    side,
    day: today - day,
    lastMs: Date.now(),
  })
const decisions = file(logOf([0, 1, 2].flatMap((day) => [toErp(day, 'server'), toErp(day, 'client')])), 'log.ndjson')

describe('suggest', () => {
  const options = { output: 'table' as const, policy: acmeFile, entries, decisions, since: '14d' }

  test('a zone that the policy does not have is a mistake, not a zone without anything to propose', async () => {
    await expect(suggestChanges({ ...options, zone: 'legcay' })).rejects.toThrowCode('REQUEST_INVALID', 'no such zone')
  })

  test('prints a draft that a policy file takes as it is', async () => {
    const { sentence = '', value } = await suggestChanges(options)
    expect(sentence).toContain('3 would-denies gone')
    expect(sentence).toContain('by 1 of 3 in the zone; first source reaches 2 → 3 services')
    const draft = (value as { draft: string }).draft
    const part = (name: string): string => new RegExp(`^${name}:\n((?: .*\n)*)`, 'm').exec(draft)?.[1] ?? ''
    const merged = text
      .replace('conduits:\n', () => `conduits:\n${part('conduits')}`)
      .replace('\nrules:\n', () => `\nrules:\n${part('rules')}`)
    const set = readPolicy(merged)
    expect(set.conduits[0]).toMatchObject({ id: 'suggested-edge-erp-1', stage: 'draft' })
    expect(set.rules[0]).toMatchObject({ id: 'suggested-edge-erp-1', to: 'erp', stage: 'draft' })
  })

  test('says why it proposes nothing', async () => {
    const once = file(logOf([toErp(0, 'server')]))
    const { sentence, warnings } = await suggestChanges({ ...options, decisions: once })
    expect(sentence).toBe('# Nothing to propose.')
    expect(warnings).toEqual([expect.stringContaining('both ends reported it on 0 of 3 days')])
  })
})

describe('simulate', () => {
  test('ends with 1 when something would be refused that was allowed', async () => {
    const enforced = file(text.replace('mode: observe', 'mode: enforce'))
    const options = { output: 'table' as const, log: decisions, entries }
    const before = await simulatePolicy({ ...options, policy: acmeFile })
    expect([process.exitCode, before.rows]).toEqual([0, []])
    const after = await simulatePolicy({ ...options, policy: enforced })
    expect(process.exitCode).toBe(1)
    expect(after.rows).toMatchObject([{ now: 'deny', to: 'erp', why: 'movement NO_CONDUIT', requests: 3 }])
    expect(after.sentence).toBe('3 requests newly denied, 0 newly allowed, 0 as before.')
  })
})
