import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { parse } from 'yaml'
import { describe, expect, test } from 'vitest'
import { checkPolicy } from '../../../src/policy-file/check-policy.ts'
import { PolicyProblems, type Finding } from '../../../src/policy-file/finding.ts'
import { policyFields, policyJsonSchema } from '../../../src/policy-file/policy-schema.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { spotsOf, typesOf, withValue, type Spot } from './schema-walk.ts'

const text = readFileSync(join(import.meta.dirname, '../../vectors/policy/everything.yaml'), 'utf8')
/** Without the sharing of anchors: a change in one place stays there. */
const everything: unknown = JSON.parse(JSON.stringify(parse(text)))
const spots = [...spotsOf(policyJsonSchema(), everything)]

function findingsOf(value: unknown): readonly Finding[] {
  try {
    readPolicy(JSON.stringify(value))
    return []
  } catch (error) {
    // Anything else is a bug.
    if (error instanceof PolicyProblems) return error.findings
    throw error
  }
}

const isAbout = (finding: Finding, spot: Pick<Spot, 'path'>): boolean => {
  const path = spot.path.join('.')
  return finding.path === path || finding.path.startsWith(`${path}.`) || path === ''
}

const LONG = 'x'.repeat(20_000)

/** Values of every type; those of another type than the schema names are wrong. */
const samples: Readonly<Record<string, readonly unknown[]>> = {
  null: [null],
  boolean: [true, false],
  integer: [0, -1, 2 ** 53],
  number: [0.5, -1e308],
  string: ['', 'x\u0000', '\u202E'],
  array: [[], [null], [[[]]]],
  object: [{}, { a: { b: [] } }],
}

/** Of the right type, and wrong wherever the field is text with a grammar, a name or a number with bounds. */
const outOfRange: Readonly<Record<string, readonly unknown[]>> = {
  string: ['', LONG, 'a\nb', '\u001B[31m'],
  integer: [-1, 2 ** 31],
}

/** Any text will do there, but for control characters and too much of it; a target of a test may be as bad as it likes. */
const FREE = /^tests\[\]\.http\.|entryLabel\.<name>$|labels\.<name>$/

const mutants = spots.flatMap((spot): { spot: Spot; value: unknown; how: string }[] => {
  const types = typesOf(spot.schema)
  // A whole number is a number, and where numbers are wanted they are whole.
  const wrong = Object.entries(samples).flatMap(([type, values]) =>
    types.has(type) ? [] : values.map((value) => ({ value, how: type })),
  )
  const far = Object.entries(outOfRange).flatMap(([type, values]) =>
    types.has(type) && !FREE.test(spot.field) ? values.map((value) => ({ value, how: `another ${type}` })) : [],
  )
  const extra =
    typesOf(spot.schema).has('object') &&
    typeof spot.value === 'object' &&
    !Array.isArray(spot.value) &&
    spot.schema.additionalProperties !== undefined &&
    typeof spot.schema.additionalProperties !== 'object'
  return [
    ...[...wrong, ...far].map(({ value, how }) => ({ spot, value, how })),
    ...(spot.required && spot.path.length > 0 ? [{ spot, value: undefined, how: 'missing' }] : []),
    ...(extra ? [{ spot, value: { ...(spot.value as object), surplus: 1 }, how: 'a key too many' }] : []),
  ]
})

describe('a policy file that is wrong', () => {
  test('the example has every field, and is read', () => {
    const fields = new Set(spots.map(({ field }) => field))
    expect(policyFields().flatMap(({ path }) => (fields.has(path) ? [] : path))).toEqual([])
    expect(findingsOf(everything)).toEqual([])
  })

  // One mutant of each object at a time, so that few files try all, and each file is wrong in many places at once.
  test('in any place, in any way, is refused there, and in many places is told of all of them at once', () => {
    expect(mutants.length).toBeGreaterThan(2500)
    const queues = [...Map.groupBy(mutants, ({ spot }) => spot.path.slice(0, 2).join('.')).values()]
    const inside = queues.filter(([first]) => (first?.spot.path.length ?? 0) > 1)
    const outside = queues.filter(([first]) => (first?.spot.path.length ?? 0) <= 1).flat()
    const longest = Math.max(...inside.map(({ length }) => length))
    const batches = [
      ...Array.from({ length: longest }, (_, turn) => inside.flatMap((queue) => queue[turn] ?? [])),
      ...outside.map((mutant) => [mutant]),
    ]
    const accepted = batches.flatMap((batch) => {
      const findings = findingsOf(
        batch.reduce((whole, { spot, value }) => withValue(whole, spot.path, value), everything),
      )
      return batch.flatMap(({ spot, value, how }) => {
        // Where an object may have several forms, a missing key can make another form the likely one.
        const path = how === 'missing' ? spot.path.slice(0, -1) : spot.path
        const isTold = findings.some((finding) => isAbout(finding, { path }))
        return isTold ? [] : `${spot.path.join('.')} as ${how}: ${JSON.stringify(value)?.slice(0, 40)}`
      })
    })
    expect(accepted).toEqual([])
  }, 60_000)

  test('nested, long or empty beyond reason ends with problems, never with another exception', () => {
    const nested = (depth: number): unknown => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 'x')
    for (const value of [
      nested(500),
      { zones: nested(300) },
      { zones: Array.from({ length: 2000 }, () => null) },
      [],
      'x',
      1,
      null,
    ])
      expect(findingsOf(value).length).toBeGreaterThan(0)
  })
})

describe('a policy of any names', () => {
  const word = fc.constantFrom(
    'web',
    'shop',
    'ext',
    'orders',
    'read',
    'r',
    'g',
    'web-shop',
    'nobody',
    'toString',
    '__proto__',
    'constructor',
  )

  test('is checked without an exception, whatever its names lead to', () => {
    const names = spots.filter(
      ({ field, value }) =>
        typeof value === 'string' &&
        /(id|zone|notZone|to|from|service|actions\[\]|except\[\]|rule|conduit|\[\]|zone)$/.test(field),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), word), { maxLength: 12 }), (edits) => {
        const value = edits.reduce((whole, [{ path }, name]) => withValue(whole, path, name), everything)
        const findings = findingsOf(value)
        if (findings.length === 0) checkPolicy(readPolicy(JSON.stringify(value)), { now: 0 })
      }),
      { numRuns: 200 },
    )
  }, 60_000)
})
