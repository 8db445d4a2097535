import { describe, expect, test } from 'vitest'
import { paths } from '../../cli/paths.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const options = {
  output: 'table' as const,
  policy: acmeFile,
  entries: file(JSON.stringify({ entries: acmeEntries }), 'entries.json'),
  decisions: file(logOf([counter({ lastMs: Date.now() })]), 'log.ndjson'),
  since: '30d',
  toCrownJewels: true,
  intended: false,
  cut: true,
}

describe('paths', () => {
  test('ends with 1 when a way leads to a crown jewel, and says what to cut', async () => {
    const { rows, sentence } = await paths(options)
    expect(process.exitCode).toBe(1)
    expect(rows).toEqual([
      {
        jewel: 'settlement',
        'from zone': 'ext-partner',
        hops: 1,
        way: 'spiffe://partner.example/billing/settle → settlement (submit by partner-settlement)',
      },
    ])
    expect(sentence).toBe(
      `ledger: 0 identities of these zones can get there (0 %)
settlement: 1 identity of these zones can get there (10 %)
choke point partner-settlement: without it 1 way less
cheapest cut:
  remove conduit partner-settlement (0 requests seen)`,
    )
  })

  test('ends with 0 when none does', async () => {
    const { sentence } = await paths({ ...options, fromZone: ['edge'] })
    expect([process.exitCode, sentence?.split('\n')[0]]).toEqual([0, 'No way leads to a crown jewel.'])
  })

  test('says so when what must stay leads there', async () => {
    const { sentence, value } = await paths({ ...options, keep: ['partner-settlement'] })
    expect(sentence).toContain('There is nothing to cut')
    expect(value).toMatchObject({ cuttable: false, cut: null })
  })

  test('refuses zones and conduits that are not there', async () => {
    await expect(paths({ ...options, fromZone: ['edg'] })).rejects.toThrowCode('REQUEST_INVALID', 'no such zone')
    await expect(paths({ ...options, keep: ['x'] })).rejects.toThrowCode('REQUEST_INVALID', 'no such conduit')
  })
})
