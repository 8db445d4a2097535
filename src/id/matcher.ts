import type { SpiffeId } from './spiffe-id.ts'
import { SpiffeId as Id } from './spiffe-id.ts'
import { TrustDomain } from './trust-domain.ts'

/** Says whether a verified peer id is one that is wanted. */
export interface IdMatcher {
  matches(id: SpiffeId): boolean
  /** For messages: "a member of example.org". */
  readonly wants: string
}

/** Any workload of a trust domain. */
export function memberOf(trustDomain: TrustDomain | string): IdMatcher {
  const wanted = typeof trustDomain === 'string' ? TrustDomain.parse(trustDomain) : trustDomain
  return { wants: `a member of ${wanted.name}`, matches: (id) => id.isMemberOf(wanted) }
}

/** Exactly one of these ids. */
export function exactly(...ids: readonly (SpiffeId | string)[]): IdMatcher {
  const wanted = new Set(ids.map((id) => (typeof id === 'string' ? Id.parse(id) : id).toString()))
  return { wants: [...wanted].join(' or '), matches: (id) => wanted.has(id.toString()) }
}

/** An id and everything below it, by whole segments: `…/ns/prod` holds `…/ns/prod/web` and not `…/ns/production`. */
export function atOrBelow(prefix: SpiffeId | string): IdMatcher {
  const top = typeof prefix === 'string' ? Id.parse(prefix) : prefix
  return {
    wants: `${top} or an id below it`,
    matches: (id) => id.equals(top) || id.toString().startsWith(`${top}/`),
  }
}
