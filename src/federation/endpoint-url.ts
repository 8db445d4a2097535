import { isIP } from 'node:net'
import { SallyportError } from '../errors.ts'
import { destinationOf } from '../tls/destination.ts'

/** The longest URL of an endpoint that is read, in characters. */
export const ENDPOINT_URL_MAX = 2048

/** The URL of a bundle endpoint: `https`, and no userinfo. Holding one is proof of both. */
export class EndpointUrl {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly #url: URL

  private constructor(url: URL) {
    this.#url = url
    const { host, port } = destinationOf(url)
    this.host = host
    this.port = port
  }

  /**
   * Reads a URL with any host, port, path and query.
   *
   * @throws {@link SallyportError} `RELATIONSHIP_INVALID`
   * @see SPIFFE_Federation.md §5.1.1 and §5.2.1
   */
  static parse(text: string): EndpointUrl {
    const problem = problemOf(text)
    if (problem === undefined) return new EndpointUrl(new URL(text))
    throw new SallyportError('RELATIONSHIP_INVALID', `Cannot use the endpoint URL ${shown(text)}: ${problem}`)
  }

  /**
   * Where an answer of this endpoint leads to, held to the same rules.
   *
   * @throws {@link SallyportError} `BUNDLE_ENDPOINT_FAILED`
   */
  redirectedTo(location: string): EndpointUrl {
    const target = URL.canParse(location, this.#url) ? new URL(location, this.#url) : undefined
    const problem = problemOfText(location) ?? (target === undefined ? 'it is no URL' : problemOf(target.href))
    if (problem === undefined && target !== undefined) return new EndpointUrl(target)
    throw new SallyportError(
      'BUNDLE_ENDPOINT_FAILED',
      `Cannot follow the redirect from ${this.toString()} to ${shown(location)}: ${problem}`,
    )
  }

  /** What a request asks for: path and query. */
  get target(): string {
    return `${this.#url.pathname}${this.#url.search}`
  }

  /** What a request says in `Host`. */
  get authority(): string {
    return this.#url.host
  }

  /** The host where it is a name: addresses are not sent as one. */
  get serverName(): string | undefined {
    return isIP(this.host) === 0 ? this.host : undefined
  }

  toString(): string {
    return this.#url.href
  }
}

function problemOf(text: string): string | undefined {
  const problem = problemOfText(text)
  if (problem !== undefined) return problem
  if (!/^https:\/\/[^/?#]/i.test(text)) return 'it must start with https:// and a host'
  return URL.canParse(text) ? undefined : 'it is no URL'
}

/** What a parser of URLs repairs or hides and must be refused; of a whole URL or of one that is relative to another. */
function problemOfText(text: string): string | undefined {
  if (text.length > ENDPOINT_URL_MAX) return `longer than ${ENDPOINT_URL_MAX} characters`
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f\\]/.test(text)) return 'it has a space, a control character or a backslash'
  // Empty ones too, of which nothing is to be seen once it is parsed.
  return /^(?:[^/?#]*:)?\/\/[^/?#]*@/.test(text) ? 'it has a user name or a password' : undefined
}

/** Without what might be a password. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200).replace(/\/\/[^/?#]*@/, '//…@'))
}
