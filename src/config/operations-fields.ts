import * as z from 'zod'
import { logLevels } from '../log/log.ts'
import { fieldTypes } from './field-types.ts'

const listen = z
  .string()
  .refine(
    (text) => /^unix:\/.{1,200}$/.test(text) || fieldTypes.address.safeParse(text).success,
    'must be host:port, or unix: and a path from the root',
  )

/** The sections by which every daemon is watched: `log`, `metrics`, `health`. */
export const operationsFields = {
  log: z
    .strictObject({
      level: z.enum(logLevels).default('info').describe('least level that is printed'),
      format: z.enum(['json', 'text']).default('json').describe('json for machines, text for a person'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      listen: listen.optional().describe('host:port or unix:/path of /metrics; off when not set'),
    })
    .prefault({}),
  health: z
    .strictObject({
      listen: listen.optional().describe('host:port or unix:/path of /live and /ready; off when not set'),
    })
    .prefault({}),
} as const

/** `host:port` → its parts; an IPv6 address loses its brackets. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}
