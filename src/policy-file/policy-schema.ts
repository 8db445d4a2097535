import * as z from 'zod'
import { fileSchema } from './file-schema.ts'

/** A JSON Schema as far as it is printed and walked here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly additionalProperties?: JsonSchema | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly format?: string
}

/** JSON Schema (draft 2020-12) of a policy file as it is written, for editors. */
export function policyJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(fileSchema, { io: 'input' }) as JsonSchema
  return { title: 'Sallyport policy', ...schema }
}

/** One field of the file, as the reference prints it. */
export interface FileField {
  /** Such as `conduits[].from.zone` or `services[].actions.<name>[].rpc`. */
  readonly path: string
  readonly type: string
  readonly description: string
  /** `form`: in one of the forms that the object around it may have. */
  readonly required: 'yes' | 'form' | 'no'
  readonly default: string | undefined
}

/** Every field of the file, in its order. */
export function policyFields(schema: JsonSchema = policyJsonSchema()): FileField[] {
  const found = new Map<string, FileField>()
  for (const field of fieldsOf(schema, '', false)) {
    // Forms of a union share fields: each is told once.
    const earlier = found.get(field.path)
    const types = earlier === undefined ? [field.type] : [...new Set([...earlier.type.split(' or '), field.type])]
    found.set(field.path, { ...(earlier ?? field), type: types.join(' or ') })
  }
  return [...found.values()]
}

function* fieldsOf(schema: JsonSchema, prefix: string, isForm: boolean): Generator<FileField> {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const isRequired = schema.required?.includes(name) === true && !('default' in field)
    yield {
      path,
      type: typeOf(field),
      description: field.description ?? '',
      required: isRequired ? (isForm ? 'form' : 'yes') : 'no',
      default: 'default' in field ? JSON.stringify(field.default) : undefined,
    }
    yield* fieldsOf(field, path, false)
  }
  for (const form of formsOf(schema)) yield* fieldsOf(form, prefix, true)
  if (schema.items !== undefined) yield* fieldsOf(schema.items, `${prefix}[]`, false)
  if (typeof schema.additionalProperties === 'object')
    yield* fieldsOf(schema.additionalProperties, `${prefix}.<name>`, false)
}

export const formsOf = ({ anyOf = [], oneOf = [] }: JsonSchema): readonly JsonSchema[] => [...anyOf, ...oneOf]

function typeOf(schema: JsonSchema): string {
  const forms = formsOf(schema)
  if (forms.length > 0) return [...new Set(forms.map(typeOf))].join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.length > 10 ? 'a code' : schema.enum.map(String).join(', ')
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`
  if (typeof schema.additionalProperties === 'object') return `name → ${typeOf(schema.additionalProperties)}`
  return schema.format === 'date' || schema.format === 'date-time' ? schema.format : (schema.type ?? 'any')
}
