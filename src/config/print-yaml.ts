import { stringify } from 'yaml'

/** A value as YAML text, with dates and bigints as text. */
export function printYaml(value: unknown): string {
  return stringify(JSON.parse(JSON.stringify(value)) as unknown, { lineWidth: 120 })
}
