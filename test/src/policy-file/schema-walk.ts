import { formsOf, type JsonSchema } from '../../../src/policy-file/policy-schema.ts'

export type Path = readonly (string | number)[]

/** One place of a document, with the schema that holds there. */
export interface Spot {
  readonly path: Path
  /** As the reference writes it: `zones[].id`. */
  readonly field: string
  readonly schema: JsonSchema
  readonly value: unknown
  /** Must it be there, in the form that the object around it has? */
  readonly required: boolean
}

/** Every place of a document that its schema describes; of a union the form that the value has. */
export function* spotsOf(
  schema: JsonSchema,
  value: unknown,
  path: Path = [],
  field = '',
  required = true,
): Generator<Spot> {
  yield { path, field, schema, value, required }
  const form = formFor(schema, value)
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      yield* spotsOf(form.items ?? {}, item, [...path, index], `${field}[]`, false)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) {
      const own = form.properties?.[name]
      const inner = own ?? (form.additionalProperties as JsonSchema)
      const innerField = own === undefined ? `${field}.<name>` : field === '' ? name : `${field}.${name}`
      yield* spotsOf(
        inner,
        part,
        [...path, name],
        innerField,
        form.required?.includes(name) === true && !('default' in (own ?? {})),
      )
    }
  }
}

function formFor(schema: JsonSchema, value: unknown): JsonSchema {
  const forms = formsOf(schema)
  if (forms.length === 0) return schema
  const fitting = forms.map((form) => formFor(form, value)).filter((form) => form.type === typeOf(value))
  const has = ({ properties = {} }: JsonSchema): number =>
    Object.entries((value ?? {}) as object).filter(([name, part]) => {
      const known = properties[name]
      return known !== undefined && (known.const === undefined || known.const === part)
    }).length
  return fitting.toSorted((a, b) => has(b) - has(a))[0] ?? schema
}

/** The JSON Schema type of a value. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value
}

/** The types that a schema lets through; undefined where it names none. */
export function typesOf(schema: JsonSchema): ReadonlySet<string> {
  const forms = formsOf(schema)
  if (forms.length > 0) return new Set(forms.flatMap((form) => [...typesOf(form)]))
  if (schema.const !== undefined) return new Set([typeOf(schema.const)])
  if (schema.enum !== undefined) return new Set(schema.enum.map(typeOf))
  return new Set([schema.type ?? 'any'])
}

/** A copy with another value at a path; `undefined` removes. */
export function withValue(whole: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(whole)
  let node = copy as Record<string | number, unknown>
  for (const step of path.slice(0, -1)) node = node[step] as Record<string | number, unknown>
  const last = path.at(-1)
  if (last === undefined) return value
  if (value !== undefined) node[last] = value
  else delete node[last]
  return copy
}
