import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { printedPages } from '../../docs/print.ts'
import { policyFields } from '../../src/policy-file/policy-schema.ts'

test.for([...printedPages()])('docs/%s is what the code prints (npm run docs)', ([name, text]) => {
  expect(readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8')).toBe(text)
})

test('describes every field of every configuration', () => {
  expect(
    [
      ...printedPages()
        .get('config.md')!
        .matchAll(/^\| `([^`]+)` \|  \|/gm),
    ].map(([, field]) => field),
  ).toEqual([])
})

test('describes every field of a policy file', () => {
  expect(policyFields().flatMap(({ path, description }) => (description === '' ? path : []))).toEqual([])
})
