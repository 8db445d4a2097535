import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import type { SpiffeId as SpiffeIdMessage } from './messages/spire-api-types.ts'

/** An id as SPIRE's API carries it. */
export const idToMessage = (id: SpiffeId): SpiffeIdMessage => ({ trustDomain: id.trustDomain.name, path: id.path })

/**
 * Reads an id of SPIRE's API.
 *
 * @param field named when the id is missing
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`
 */
export function idFromMessage(message: SpiffeIdMessage | null | undefined, field = 'id'): SpiffeId {
  if (message === null || message === undefined) {
    throw new SallyportError('REQUEST_INVALID', `Cannot read the request: ${field} is missing`)
  }
  return SpiffeId.of(trustDomainFromText(message.trustDomain), message.path)
}

/** {@link idFromMessage} for many ids of which few differ: each is held once. */
export function rememberedIds(): typeof idFromMessage {
  const ids = new Map<string, SpiffeId>()
  return (message, field) => {
    const read = idFromMessage(message, field)
    const known = ids.get(read.toString())
    if (known === undefined) ids.set(read.toString(), read)
    return known ?? read
  }
}

/** Reads a trust domain as clients write it: the name, or the id of the trust domain itself. */
export const trustDomainFromText = (text: string): TrustDomain =>
  TrustDomain.parse(text.startsWith('spiffe://') ? text.slice('spiffe://'.length) : text)
