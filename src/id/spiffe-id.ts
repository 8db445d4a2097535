import { SallyportError } from '../errors.ts'
import { TrustDomain } from './trust-domain.ts'

/** The longest SPIFFE ID that is read or made, in bytes. */
export const SPIFFE_ID_MAX_BYTES = 2048

const SCHEME = 'spiffe://'
const VALID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[a-zA-Z0-9._-]+)*$/

/** An identity such as `spiffe://example.org/ns/web/sa/storefront`. Holding one is proof that it is valid. */
export class SpiffeId {
  readonly trustDomain: TrustDomain
  /** `/ns/web`, or empty for the id of the trust domain itself. */
  readonly path: string
  readonly #text: string

  private constructor(text: string, trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain
    this.path = path
    this.#text = text
  }

  /**
   * Reads an id of at most 2,048 bytes.
   *
   * @throws {@link SallyportError} `SPIFFE_ID_INVALID`
   * @see SPIFFE-ID.md §2
   */
  static parse(text: string): SpiffeId {
    const why = SpiffeId.#problemOf(text)
    if (why !== undefined) throw invalid(text, why)
    const slash = text.indexOf('/', SCHEME.length)
    const end = slash === -1 ? text.length : slash
    return new SpiffeId(text, TrustDomain.parse(text.slice(SCHEME.length, end)), text.slice(end))
  }

  /** An id from its two parts, held to the same rules. */
  static of(trustDomain: TrustDomain, path: string): SpiffeId {
    // Without its slash a path would become part of the name.
    if (path !== '' && !path.startsWith('/')) throw invalid(path, 'the path does not start with a slash')
    return SpiffeId.parse(`${SCHEME}${trustDomain.name}${path}`)
  }

  static #problemOf(text: string): string | undefined {
    // Most ids are right: why one is not is found out afterwards.
    if (text.length <= SPIFFE_ID_MAX_BYTES && VALID.test(text)) return undefined
    if (text === '') return 'it is empty'
    if (text.length > SPIFFE_ID_MAX_BYTES) return `longer than ${SPIFFE_ID_MAX_BYTES} bytes`
    if (!text.startsWith(SCHEME)) return `must start with ${SCHEME}`
    const [name, ...segments] = text.slice(SCHEME.length).split('/')
    if (name === undefined || name === '') return 'the trust domain is missing'
    if (!/^[a-z0-9._-]{1,255}$/.test(name)) return 'the trust domain must be 1-255 of a-z 0-9 ._-'
    for (const [index, segment] of segments.entries()) {
      const place = `path segment ${index + 1}`
      if (segment === '')
        return segments.length === index + 1 ? `${place} is empty (trailing slash)` : `${place} is empty`
      if (segment === '.' || segment === '..') return `${place} is "${segment}"`
      if (!/^[a-zA-Z0-9._-]+$/.test(segment)) return `${place} has a character other than a-z A-Z 0-9 . _ -`
    }
    return undefined
  }

  /** `/spire` and everything below it belong to servers and agents. */
  get isReserved(): boolean {
    return this.path === '/spire' || this.path.startsWith('/spire/')
  }

  get isAgent(): boolean {
    return this.path.startsWith('/spire/agent/')
  }

  isMemberOf(trustDomain: TrustDomain): boolean {
    return this.trustDomain.equals(trustDomain)
  }

  equals(other: SpiffeId): boolean {
    return this.#text === other.#text
  }

  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

function invalid(text: string, why: string): SallyportError {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text
  return new SallyportError('SPIFFE_ID_INVALID', `Cannot parse SPIFFE ID ${JSON.stringify(shown)}: ${why}`)
}
