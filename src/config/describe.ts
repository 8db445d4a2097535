import type { z } from 'zod'

/** One field of a configuration file, as the reference prints it. */
export interface DescribedField {
  readonly path: string
  readonly description: string
  readonly default: string | undefined
  readonly required: boolean
}

/** Every field of a schema with its description and default, in the order of the file. */
export function describeConfig(schema: z.ZodType, prefix = ''): DescribedField[] {
  const shape = (bare(schema).inner as { shape?: Record<string, z.ZodType> }).shape ?? {}
  return Object.entries(shape).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const { inner, fallback, optional } = bare(field)
    if ('shape' in (inner as object)) return describeConfig(inner, path)
    const description = field.description ?? inner.description ?? ''
    return [{ path, description, default: fallback, required: fallback === undefined && !optional }]
  })
}

interface Wrapped {
  readonly def: {
    readonly type: string
    readonly innerType?: z.ZodType
    readonly in?: z.ZodType
    readonly defaultValue?: unknown
  }
}

function bare(schema: z.ZodType): { inner: z.ZodType; fallback: string | undefined; optional: boolean } {
  let inner = schema
  let fallback: string | undefined
  let optional = false
  for (;;) {
    const { def } = inner as unknown as Wrapped
    if (def.type === 'default' || def.type === 'prefault') fallback = JSON.stringify(def.defaultValue)
    if (def.type === 'optional') optional = true
    if (def.innerType === undefined) return { inner, fallback, optional }
    inner = def.innerType
  }
}
