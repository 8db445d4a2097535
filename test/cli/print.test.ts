import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { SallyportError } from '../../src/errors.ts'
import { fit, printError, printInstant, renderResult } from '../../cli/print.ts'

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
  test('tables fit the terminal', async () => {
    const wide = { value: 0, rows: [{ a: 'x'.repeat(200), b: 'y'.repeat(80), c: 'z' }] }
    for (const line of (await renderResult(wide, 'table', 80)).split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })
  test('widths never grow, and fit unless every column is as narrow as it may be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 8 }),
        fc.integer({ min: 20, max: 200 }),
        (wanted, columns) => {
          const widths = fit(wanted, columns)
          const total = widths.reduce((sum, width) => sum + width + 2, 0)
          return (
            widths.every((width, index) => width <= wanted[index]!) &&
            (total <= columns || widths.every((width) => width <= 8))
          )
        },
      ),
    )
  })
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
