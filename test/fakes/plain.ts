import { KeyObject } from 'node:crypto'

/** A value with its ids, keys and bytes as texts: what two stores hold can be compared, whatever objects they made of it. */
export function plain(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Date) return value.toISOString()
  if (value instanceof KeyObject) return value.export({ type: 'spki', format: 'der' }).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if ('toJSON' in value || value.toString !== Object.prototype.toString)
    return (value as { toString(): string }).toString()
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  )
}
