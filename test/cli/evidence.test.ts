import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { evidenceRows, figureNames } from '../../cli/evidence.ts'
import { reportEvidence } from '../../cli/report-evidence.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const options = {
  output: 'table' as const,
  policy: acmeFile,
  entries: file(
    JSON.stringify({
      entries: [...acmeEntries, { ...acmeEntries[0], parent: 'spiffe://prod.acme.example/agent/n9', x509Ttl: '8h' }],
    }),
    'entries.json',
  ),
  since: '90d',
}

describe('report evidence', () => {
  test('names only commands and options that there are', () => {
    const script = execFileSync(
      process.execPath,
      [join(import.meta.dirname, '../../cli/main.ts'), 'completion', 'bash'],
      { encoding: 'utf8' },
    )
    const paths = new Set(script.match(/(?<=[|\s])\/[a-z0-9/-]+(?=[|)])/g))
    const options = new Set(script.match(/--[a-z-]+/g))
    expect(paths.size).toBeGreaterThan(50)
    for (const command of evidenceRows.flatMap(({ commands }) => commands)) {
      const words = command.split(' ')
      const isNoun = [...paths].some((path) => path.startsWith(`/${words[0]}/`))
      expect(paths, command).toContain(`/${words.slice(0, isNoun ? 2 : 1).join('/')}`)
      for (const option of words.filter((word) => word.startsWith('--'))) expect(options, command).toContain(option)
    }
  })

  test('says for each demand what shows it, or that it is not covered', () => {
    expect(evidenceRows).toHaveLength(7 + 8 + 10)
    for (const { id, commands, answer } of evidenceRows)
      expect(commands.length > 0, id).toBe(!answer.startsWith('Not covered'))
    const named = new Set(evidenceRows.flatMap(({ figures }) => figures))
    expect([...named].toSorted()).toEqual(Object.keys(figureNames).toSorted())
  })

  test('counts what is true of the policy, and says what takes traffic', async () => {
    const { value } = await reportEvidence(options)
    expect(value).toMatchObject({
      policy: 'acme-prod',
      figures: {
        services: '5',
        zonesEnforcing: '6 of 7',
        unplaced: '0',
        longLived: '1',
        unused: null,
        standing: null,
        excess: null,
        idle: null,
        exposed: '1',
        maxRadius: '3',
        foreign: '1, 1 end',
        shared: '1',
        testsFailed: '0',
        needless: '2',
      },
    })
    const decisions = file(logOf([counter({ lastMs: Date.now() })]), 'log.ndjson')
    const seen = await reportEvidence({ ...options, decisions })
    expect(seen.value).toMatchObject({ figures: { unused: '12', standing: '6', idle: '6' } })
    expect(seen.rows?.find(({ demand }) => String(demand).startsWith('NHI6'))).toMatchObject({
      evidence: 'not covered',
    })
  })
})
