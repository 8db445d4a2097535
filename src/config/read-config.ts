import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { SallyportError } from '../errors.ts'
import { nearestName } from './nearest-name.ts'

/** The largest configuration file that is read. */
export const CONFIG_MAX_BYTES = 1 << 20

/**
 * Reads a YAML configuration file whole and reports all problems at once, by path.
 *
 * @throws {@link SallyportError} `CONFIG_UNREADABLE`, `CONFIG_INVALID`
 */
export function readConfig<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new SallyportError(
      'CONFIG_UNREADABLE',
      `Cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      { cause: error },
    )
  }
  return parseConfig(text, path, schema)
}

/**
 * Reads configuration from text; `name` is what messages call it.
 *
 * @throws {@link SallyportError} `CONFIG_INVALID`
 */
export function parseConfig<S extends z.ZodType>(text: string, name: string, schema: S): z.output<S> {
  if (Buffer.byteLength(text) > CONFIG_MAX_BYTES) throw invalid(name, [`larger than ${CONFIG_MAX_BYTES} bytes`])
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true })
  if (document.errors.length > 0)
    throw invalid(
      name,
      document.errors.map((error) => error.message.split('\n')[0] ?? error.message),
    )
  const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
  return checkConfig(value, name, schema)
}

/**
 * Checks a configuration that is already a value.
 *
 * @throws {@link SallyportError} `CONFIG_INVALID` with all problems
 */
export function checkConfig<S extends z.ZodType>(value: unknown, name: string, schema: S): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalid(
    name,
    result.error.issues.flatMap((issue) => problemsOf(issue, schema)),
  )
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const known = namesAt(schema, issue.path)
    return issue.keys.map((key) => {
      const near = nearestName(key, known)
      return `unknown key "${[...issue.path, key].join('.')}"${near === undefined ? '' : `, did you mean "${near}"?`}`
    })
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return [`${path}: is missing`]
  return [path === '' ? issue.message : `${path}: ${issue.message}`]
}

/** The names that the schema knows at a path, seen through defaults and optionals. */
function namesAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let current = unwrap(schema)
  for (const step of path) current = unwrap(shapeOf(current)?.[String(step)])
  return Object.keys(shapeOf(current) ?? {})
}

function unwrap(schema: unknown): unknown {
  let current = schema as { def?: { innerType?: unknown; in?: unknown } } | undefined
  for (
    let inner = current?.def?.innerType ?? current?.def?.in;
    inner !== undefined;
    inner = current?.def?.innerType ?? current?.def?.in
  )
    current = inner as typeof current
  return current
}

const shapeOf = (schema: unknown): Record<string, unknown> | undefined =>
  (schema as { shape?: Record<string, unknown> } | undefined)?.shape

function invalid(name: string, problems: readonly string[]): SallyportError {
  return new SallyportError('CONFIG_INVALID', `Cannot read ${name}: ${problems.join('; ')}`)
}
