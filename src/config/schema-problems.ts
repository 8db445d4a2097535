import type { z } from 'zod'
import { nearestName } from './nearest-name.ts'

/** One thing that is wrong with a document. */
export interface Problem {
  readonly kind: 'syntax' | 'missing' | 'unknown' | 'invalid'
  /** Names and indexes from the top; of an unknown key the key itself is last. */
  readonly path: readonly PropertyKey[]
  /** Without the path. */
  readonly message: string
}

/** `svid.x509Ttl: is missing` on one line. */
export function printProblem({ kind, path, message }: Problem): string {
  if (kind === 'unknown') return message
  return path.length === 0 ? message : `${path.join('.')}: ${message}`
}

/** All that zod found, with what it leaves out: missing fields, near names, and what is wrong inside the form of a union that was meant. */
export function schemaProblems(error: z.ZodError, whole: unknown, schema: z.ZodType): Problem[] {
  return error.issues.flatMap((issue) => problemsOf(issue, issue.path, whole, schema))
}

function problemsOf(
  issue: z.core.$ZodIssue,
  path: readonly PropertyKey[],
  whole: unknown,
  schema: z.ZodType,
): Problem[] {
  const value = valueAt(whole, path)
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = namesAt(schema, path)
      return issue.keys.map((key) => {
        const at = [...path, key]
        return { kind: 'unknown', path: at, message: `unknown key "${at.join('.')}"${meant(key, known)}` }
      })
    }
    case 'invalid_type':
      if (value === undefined) return [{ kind: 'missing', path, message: 'is missing' }]
      break
    case 'invalid_value':
      if (value === undefined && path.length > 0) return [{ kind: 'missing', path, message: 'is missing' }]
      if (typeof value === 'string') {
        const near = nearestName(value.slice(0, 100), issue.values.map(String))
        if (near !== undefined) return [{ kind: 'invalid', path, message: `is "${value}", did you mean "${near}"?` }]
      }
      break
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ kind: 'invalid', path, message: `cannot be a name: ${message}` }))
    case 'invalid_union':
      if (value === undefined) return [{ kind: 'missing', path, message: 'is missing' }]
      return unionProblems(issue, path, whole, schema)
  }
  return [{ kind: 'invalid', path, message: issue.message }]
}

/** The problems of the form that was most likely meant: of the right type, and with the fewest things wrong. */
function unionProblems(
  issue: z.core.$ZodIssueInvalidUnion,
  path: readonly PropertyKey[],
  whole: unknown,
  schema: z.ZodType,
): Problem[] {
  const ofRightType = issue.errors.filter((form) => !form.some(isOfWrongType))
  const meantForm = ofRightType.toSorted((a, b) => weight(a) - weight(b))[0]
  if (meantForm !== undefined)
    return meantForm.flatMap((inner) => problemsOf(inner, [...path, ...inner.path], whole, schema))
  const expected = issue.errors.flat().flatMap((inner) => ('expected' in inner ? [String(inner.expected)] : []))
  const message =
    expected.length === 0 ? issue.message : `Invalid input: expected ${[...new Set(expected)].join(' or ')}`
  return [{ kind: 'invalid', path, message }]
}

const isOfWrongType = ({ code, path }: z.core.$ZodIssue): boolean => code === 'invalid_type' && path.length === 0

const weight = (form: readonly z.core.$ZodIssue[]): number =>
  form.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0)

function meant(written: string, known: Iterable<string>): string {
  const near = nearestName(written.slice(0, 100), known)
  return near === undefined ? '' : `, did you mean "${near}"?`
}

/** Issues do not hold the value that they are about. */
function valueAt(whole: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (value: unknown, step) => (value as Record<PropertyKey, unknown> | null | undefined)?.[step],
    whole,
  )
}

/** The names that the schema knows at a path, seen through defaults, optionals and the forms of a union. */
function namesAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let forms = formsOf(schema)
  for (const step of path) forms = forms.flatMap((form) => formsOf(below(form, step)))
  return [...new Set(forms.flatMap((form) => Object.keys(form.shape ?? {})))]
}

interface Schema {
  readonly def?: {
    readonly innerType?: unknown
    readonly in?: unknown
    readonly options?: readonly unknown[]
    readonly valueType?: unknown
  }
  readonly shape?: Readonly<Record<string, unknown>>
  readonly element?: unknown
}

function formsOf(schema: unknown): Schema[] {
  let current = schema as Schema | undefined
  for (;;) {
    const inner = current?.def?.innerType ?? current?.def?.in
    if (inner === undefined) break
    current = inner as Schema
  }
  return current === undefined ? [] : (current.def?.options?.flatMap(formsOf) ?? [current])
}

const below = (form: Schema, step: PropertyKey): unknown =>
  typeof step === 'number' ? form.element : (form.shape?.[String(step)] ?? form.def?.valueType)
