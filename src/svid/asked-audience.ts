import { JWT_SVID_MAX_AUDIENCES } from './jwt-svid.ts'

/** The longest audience that a token may be asked for, and all of one token together: agents keep tokens in memory. */
export const AUDIENCE_MAX_BYTES = 2048
export const AUDIENCES_MAX_BYTES = 8192

/**
 * What is wrong with the audiences that a token is asked for. Agent and server ask the same: what the one lets through and the other
 * refuses would reach the workload as a server that is away, and it would ask for ever.
 */
export function problemOfAudience(audience: readonly string[]): string | undefined {
  if (audience.length === 0) return 'at least one audience is needed'
  if (audience.length > JWT_SVID_MAX_AUDIENCES) return `more than ${JWT_SVID_MAX_AUDIENCES} audiences`
  if (audience.includes('')) return 'an audience is empty'
  const sizes = audience.map((one) => Buffer.byteLength(one))
  if (sizes.some((size) => size > AUDIENCE_MAX_BYTES)) return `an audience is longer than ${AUDIENCE_MAX_BYTES} bytes`
  const isTooLong = sizes.reduce((sum, size) => sum + size, 0) > AUDIENCES_MAX_BYTES
  return isTooLong ? `the audiences are longer than ${AUDIENCES_MAX_BYTES} bytes together` : undefined
}
