/** What a service calls itself. A proof that is for none of these is for somebody else. */
export interface ServiceNames {
  /**
   * Where the service is reached, such as `https://orders.example.org` or `https://orders.example.org:8443`: a proof is for one of
   * these with the path of the request. What a request says of itself in `Host` or `X-Forwarded-Host` is never believed.
   */
  readonly origins?: readonly string[] | undefined
  /** Texts that both sides have agreed on instead, such as the SPIFFE ID of the service: a proof of any path names one of these. */
  readonly audiences?: readonly string[] | undefined
}

/** Says whether something is meant for this service. */
export interface Addressee {
  /** @param path the path of the request, without query; undefined where it has none */
  isMeant(audience: string, path: string | undefined): boolean
}

/** What a proof is for unless something else is agreed: the address without query and fragment. */
export function targetUriOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`
}

/**
 * @throws TypeError when there is no name at all, or an origin is none
 */
export function addresseeOf({ origins = [], audiences = [] }: ServiceNames): Addressee {
  if (origins.length + audiences.length === 0 || audiences.includes(''))
    throw new TypeError('A check of proofs needs `origins` or `audiences`: what this service is called')
  const ownOrigins = new Set(origins.map(checkedOrigin))
  const ownAudiences = new Set(audiences)
  return {
    isMeant(audience, path) {
      if (ownAudiences.has(audience)) return true
      const [, start = '', audiencePath = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)([^?#]*)/i.exec(audience) ?? []
      const origin = originOf(start)
      // The path is compared as it was sent: two ways to write one path are two paths to somebody.
      return origin !== undefined && ownOrigins.has(origin) && (audiencePath || '/') === path
    },
  }
}

/**
 * The path of a request target, without query; undefined for the forms that have none (`*`, `host:port`).
 *
 * @see RFC 9112 §3.2
 */
export function pathOf(target: string): string | undefined {
  const [, path] = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?(\/[^?#]*)/i.exec(target) ?? []
  return path
}

function checkedOrigin(text: string): string {
  const origin = originOf(text.replace(/\/$/, ''))
  if (origin !== undefined) return origin
  throw new TypeError(`${JSON.stringify(text)} is no origin: write https://host or https://host:port`)
}

/** In one spelling: lower case, and without the port that is the usual one. */
function originOf(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).origin
}
