import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { WIT_REVISION } from '../../src/wit/revision.ts'

const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

test('ST-02 operations.md says which revisions of WIT-SVID are implemented', () => {
  const [, section = ''] = operations.split('## WIT-SVIDs\n')
  for (const revision of [WIT_REVISION.spiffe, WIT_REVISION.credentials]) expect(section).toContain(revision)
  expect(section).toContain('Incubating')
})
