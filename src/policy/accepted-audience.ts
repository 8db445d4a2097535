import type { Tables } from './tables.ts'

/**
 * The audience that a token must have which this peer forwards to a service; undefined where a forwarded token has no effect
 * whatever it says, so that nobody need verify it.
 *
 * @see zones.md ZO-42
 */
export function acceptedAudience(tables: Tables, service: string, peer: string): string | undefined {
  const acceptJwt = tables.services.get(service)?.acceptJwt
  const source = tables.parties.of(peer)
  return typeof source === 'object' && acceptJwt?.forwarders.has(source) === true ? acceptJwt.audience : undefined
}
