import * as z from 'zod'
import { parsedBy, parseDuration } from '../config/field-types.ts'
import { parseSelector, printSelector } from '../entry/selector.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import { TrustDomain } from '../id/trust-domain.ts'

/** The longest list of short things (ports, patterns, methods, names) that one object of the file may have. */
export const LIST_MAX = 10_000
/** The longest free text, in characters. */
export const TEXT_MAX = 1000

const ANY_ID = TrustDomain.parse('example.org')

/** The name of an object of the file. */
export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must be 1-128 of letters, digits, ".", "_" and "-", beginning with a letter or digit',
  )

/** Text for people: no line breaks, nothing that steers a terminal. */
export const text = z
  .string()
  .min(1, 'must not be empty')
  .max(TEXT_MAX, `must not be longer than ${TEXT_MAX} characters`)
  // oxlint-disable-next-line no-control-regex
  .regex(/^[^\u0000-\u001F\u007F-\u009F\u2028\u2029]*$/, 'must not hold control characters')

export const trustDomain = parsedBy((written) => TrustDomain.parse(written).name)

/** The path of a SPIFFE ID of the own trust domain. */
export const idPath = parsedBy((written) => {
  const id = SpiffeId.of(ANY_ID, written)
  if (id.path !== '') return id.path
  throw new Error('Cannot use an empty path: write it like /ns/shop/sa/orders')
})

/** A whole SPIFFE ID, or the path of one of the own trust domain. */
export const idOrPath = parsedBy((written) =>
  written.startsWith('/') ? SpiffeId.of(ANY_ID, written).path : SpiffeId.parse(written).toString(),
)

export const selector = parsedBy((written) => printSelector(parseSelector(written)))

export const labels = z
  .record(name, z.string('must be text: write it in quotes').max(TEXT_MAX))
  .refine((map) => Object.keys(map).length <= 100, 'must not have more than 100 labels')

export const port = z
  .int('must be a port number, 1-65535: there is no "any"')
  .min(1, 'must be a port number, 1-65535')
  .max(65_535, 'must be a port number, 1-65535')
export const ports = z.array(port).min(1, 'needs at least one port').max(LIST_MAX)

/** `90s`, `1h30m` → milliseconds. */
export const duration = parsedBy(parseDuration).transform((seconds, context) => {
  if (seconds > 0) return Math.round(seconds * 1000)
  context.addIssue({ code: 'custom', message: 'must be longer than nothing' })
  return z.NEVER
})

/** An instant with its offset, as milliseconds since 1970 (ZO-22). */
export const instant = z.iso
  .datetime({ offset: true, error: 'must be an instant with an offset, such as 2027-06-30T00:00:00Z' })
  .transform((written) => Date.parse(written))

/** A day, as the instant at which it begins in UTC. */
export const day = z.iso
  .date('must be a day, such as 2027-03-01')
  .transform((written) => Date.parse(`${written}T00:00:00Z`))

/** `HH:MM` → minutes since midnight. */
export const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, such as "01:00"')
  .transform((written) => Number(written.slice(0, 2)) * 60 + Number(written.slice(3)))

export const timeZone = z.string().max(64).refine(isTimeZone, 'must be an IANA time zone, such as Europe/Berlin')

function isTimeZone(written: string): boolean {
  if (!/^[A-Za-z]/.test(written)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: written }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** A list of one or more, none of them twice. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.array(item).min(1, 'needs at least one').max(LIST_MAX)
}
