import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BROKER_API_REVISION } from '../../../src/broker/revision.ts'

test.for(['sdk.md', 'operations.md'])('ST-02 docs/%s says which revision of the Broker API is implemented', (page) => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8')
  const section = /^## (?:For other workloads|Brokers)\n([^]*?)^## /m.exec(text)?.[1] ?? ''
  expect(section).toContain(BROKER_API_REVISION)
  expect(section).toContain('Incubating')
})
