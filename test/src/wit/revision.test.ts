import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { WIT_REVISION } from '../../../src/wit/revision.ts'

test('ST-02 docs/sdk.md says which revisions of WIT-SVID and its proofs are implemented', () => {
  const text = readFileSync(new URL('../../../docs/sdk.md', import.meta.url), 'utf8')
  const [, section = ''] = text.split('## A proof with each request\n')
  for (const revision of Object.values(WIT_REVISION)) expect(section.split('\n## ')[0]).toContain(revision)
})
