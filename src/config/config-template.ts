import { stringify } from 'yaml'
import type { z } from 'zod'
import { describeConfig, type DescribedField } from './describe.ts'

/**
 * A configuration file in which every field is explained: those in `values` (by path) are set, the others stand as comments with
 * their defaults.
 */
export function configTemplate(schema: z.ZodType, values: Readonly<Record<string, string | number | boolean>>): string {
  const fields = describeConfig(schema)
  const sections = Map.groupBy(fields, ({ path }) => (path.includes('.') ? (path.split('.')[0] ?? '') : ''))
  const own = (sections.get('') ?? []).map((field) => printField(field, values, field.path, 0))
  const nested = [...sections]
    .filter(([name]) => name !== '')
    .map(([name, members]) => printSection(name, members, values))
  return [...own, ...nested].join('\n')
}

/** A field inside a section is written as `a.b: value` folded under its section; deeper levels nest further. */
function printSection(
  name: string,
  members: readonly DescribedField[],
  values: Readonly<Record<string, string | number | boolean>>,
): string {
  const isSet = members.some(({ path }) => path in values)
  const lines: string[] = [`${isSet ? '' : '# '}${name}:`]
  let open: readonly string[] = [name]
  for (const field of members) {
    const steps = field.path.split('.')
    const parents = steps.slice(0, -1)
    for (let depth = 1; depth < parents.length; depth++) {
      if (open[depth] === parents[depth] && open.length > depth) continue
      const anySet = members.some(
        ({ path }) => path.startsWith(`${parents.slice(0, depth + 1).join('.')}.`) && path in values,
      )
      lines.push(`${anySet ? '' : '# '}${'  '.repeat(depth)}${parents[depth]}:`)
    }
    open = parents
    lines.push(printField(field, values, steps.at(-1) ?? field.path, parents.length).trimEnd())
  }
  return `${lines.join('\n')}\n`
}

function printField(
  field: DescribedField,
  values: Readonly<Record<string, unknown>>,
  name: string,
  depth: number,
): string {
  const indent = '  '.repeat(depth)
  const value = values[field.path]
  if (value !== undefined) return `${indent}# ${field.description}\n${indent}${name}: ${stringify(value).trimEnd()}\n`
  return `# ${indent}${name}: ${field.default ?? ''}${' '.repeat(Math.max(1, 30 - indent.length - name.length - (field.default ?? '').length))}# ${field.description}\n`
}
