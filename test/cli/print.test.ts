import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { SallyportError } from '../../src/errors.ts'
import { printError, printInstant, renderResult, wrap } from '../../cli/print.ts'

const result = {
  value: [{ id: 'e1' }],
  rows: [{ 'entry id': 'e1', 'spiffe id': 'spiffe://example.org/a' }],
  sentence: 'One entry.',
}

describe('renderResult()', () => {
  test('prints a table and a sentence', async () => {
    expect(await renderResult(result, 'table', 100)).toBe(
      'ENTRY ID  SPIFFE ID\ne1        spiffe://example.org/a\nOne entry.\n',
    )
  })
  test('prints JSON and YAML of the value alone', async () => {
    expect(JSON.parse(await renderResult(result, 'json', 100))).toEqual(result.value)
    expect(await renderResult(result, 'yaml', 100)).toBe('- id: e1\n')
  })
  test('what does not fit the terminal is printed as blocks, and no value is cut', async () => {
    const wide = { value: 0, rows: [{ id: 'e1', path: 'x'.repeat(50), facts: 'fact=1 '.repeat(30).trim(), none: '' }] }
    const text = await renderResult(wide, 'table', 80)
    const lines = text.split('\n')
    expect(lines.slice(0, 3)).toEqual([
      'e1',
      `  path   ${'x'.repeat(50)}`,
      expect.stringMatching(/^ {2}facts {2}fact=1/),
    ])
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
    expect(text).not.toContain('none')
    expect(await renderResult(wide, 'table', Number.POSITIVE_INFINITY)).toMatch(/^ID {2}PATH/)
  })
  test('what others named cannot steer the terminal', async () => {
    const text = await renderResult({ value: 0, rows: [{ hint: '\u001B]0;owned\u0007\u009B2J' }] }, 'table', 80)
    for (const control of ['\u001B', '\u0007', '\u009B']) expect(text).not.toContain(control)
  })
  test('nor in JSON, which stays the same value', async () => {
    const value = { hint: '\u001B]0;owned\u0007\u009B2J' }
    const text = await renderResult({ value }, 'json', 80)
    for (const control of ['\u001B', '\u0007', '\u009B']) expect(text).not.toContain(control)
    expect(JSON.parse(text)).toEqual(value)
  })
  test('nor what stands above and below a table, where tabs and lines stay', async () => {
    const text = '\u001B]0;owned\u0007\u009B2J'
    const printed = await renderResult({ value: 0, title: text, sentence: `a\tb\r\nc${text}` }, 'table', 80)
    expect(printed).toBe('\uFFFD]0;owned\uFFFD\uFFFD2J\na\tb\r\nc\uFFFD]0;owned\uFFFD\uFFFD2J\n')
  })
  test('wrapping keeps all words and breaks at spaces alone', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 100 }), (text, columns) => {
        const lines = wrap(text, columns)
        return lines.join(' ') === text && lines.every((line) => line.length <= columns || !line.includes(' '))
      }),
    )
  })
})

test('a file that cannot be used is no internal error', async () => {
  const error: unknown = await readFile('/nowhere/at/all').catch((problem: unknown) => problem)
  expect(printError(error, 'json')).toBe(1)
})

test.for([
  ['NOT_READY', 4],
  ['REQUEST_INVALID', 2],
  ['ITEM_NOT_FOUND', 1],
] as const)('%s ends with exit code %d', ([code, exit]) => {
  expect(printError(new SallyportError(code, 'x'), 'json')).toBe(exit)
})

test('instants are printed with their distance', () => {
  const now = new Date('2026-11-23T12:00:00Z')
  expect(printInstant(new Date('2026-11-23T12:10:00Z'), now)).toBe('2026-11-23 12:10:00Z (in 10m)')
  expect(printInstant(new Date('2026-11-20T12:00:00Z'), now)).toBe('2026-11-20 12:00:00Z (3d ago)')
  expect(printInstant(undefined, now)).toBe('never')
})
