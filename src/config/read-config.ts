import { readFileSync } from 'node:fs'
import { parseDocument, type Document } from 'yaml'
import type { z } from 'zod'
import { SallyportError } from '../errors.ts'
import { printProblem, schemaProblems } from './schema-problems.ts'

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
export function parseConfig<S extends z.ZodType>(
  text: string,
  name: string,
  schema: S,
  { hint, maxBytes = CONFIG_MAX_BYTES }: { readonly hint?: string; readonly maxBytes?: number } = {},
): z.output<S> {
  if (Buffer.byteLength(text) > maxBytes) throw invalid(name, [`larger than ${maxBytes} bytes`], hint)
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true })
  if (document.errors.length > 0)
    throw invalid(
      name,
      document.errors.map((error) => (error.message.split('\n')[0] ?? error.message).replace(/:$/, '')),
      hint,
    )
  return checkConfig(valueOf(document, name, hint) ?? {}, name, schema, hint)
}

/** Aliases without an anchor, or more of them than is sane, are found only here. */
function valueOf(document: Document.Parsed, name: string, hint?: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw invalid(name, [error instanceof Error ? error.message : String(error)], hint)
  }
}

/**
 * Checks a configuration that is already a value.
 *
 * @throws {@link SallyportError} `CONFIG_INVALID` with all problems
 */
export function checkConfig<S extends z.ZodType>(value: unknown, name: string, schema: S, hint?: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalid(name, schemaProblems(result.error, value, schema).map(printProblem), hint)
}

function invalid(name: string, problems: readonly string[], hint?: string): SallyportError {
  const text =
    problems.length === 1
      ? problems[0]
      : `${problems.length} problems\n${problems.map((problem) => `  ${problem}`).join('\n')}`
  return new SallyportError('CONFIG_INVALID', `Cannot read ${name}: ${text}`, hint === undefined ? {} : { hint })
}
