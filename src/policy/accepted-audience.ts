import type { Tables } from './tables.ts'

/**
 * The audience that a token must have which this peer forwards to a service; undefined where a forwarded token has no effect
 * whatever it says, so that nobody need verify it.
 *
 * @see zones.md ZO-42
 */
export function acceptedAudience(tables: Tables, service: string, peer: string): string | undefined {
  const compiled = tables.services.get(service)
  const source = tables.parties.of(peer)
  if (compiled?.forwarders === undefined || typeof source === 'string') return undefined
  return compiled.forwarders.has(source) ? compiled.service.acceptJwt?.audience : undefined
}
