import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { BearerResponse } from '../http/bearer.ts'
import { HeaderFields } from './header-fields.ts'
import { refuseRequest } from './refusal.ts'
import { signResponse } from './sign-message.ts'
import type { SignedRequest } from './signature-base.ts'
import type { WitIdentitySource } from './wit-identity.ts'

export interface AnswerSigning {
  readonly source: WitIdentitySource
  /** The nonce of the request. */
  readonly requestNonce: string
  readonly maxBodyBytes: number
  readonly clock: Clock
  /** Told when an answer could not be signed, so that an error was sent in its place. */
  readonly onFailure: (error: Error) => void
}

/**
 * Holds the answer of a handler back until it is whole, and sends it signed. What cannot be signed is never sent: an answer that
 * begins before it is whole, or is too long, becomes an error with status 501.
 */
export function signAnswer(request: SignedRequest, response: BearerResponse, signing: AnswerSigning): void {
  new HeldAnswer(request, response, signing).hold()
}

/** What a response is asked to do, which is held back. `flushHeaders` is there in HTTP/2 too, but not in its types. */
type Sending = Pick<BearerResponse, 'write' | 'end' | 'writeHead'> & { flushHeaders(): void }
type HeaderValue = string | number | readonly string[]
type Callback = () => void

class HeldAnswer {
  readonly #request: SignedRequest
  readonly #response: BearerResponse
  readonly #signing: AnswerSigning
  readonly #sending: Sending
  readonly #chunks: Buffer[] = []
  #sizeBytes = 0
  #state: 'open' | 'ended' | 'failed' = 'open'

  constructor(request: SignedRequest, response: BearerResponse, signing: AnswerSigning) {
    const { write, end, writeHead, flushHeaders } = response as BearerResponse & Sending
    this.#request = request
    this.#response = response
    this.#signing = signing
    this.#sending = { write, end, writeHead, flushHeaders } as Sending
  }

  hold(): void {
    const response = this.#response
    Object.assign(response, {
      writeHead: (status: number, ...rest: readonly unknown[]) => {
        response.statusCode = status
        if (typeof rest[0] === 'string') response.statusMessage = rest[0]
        for (const [name, value] of headersIn(rest.at(-1))) response.setHeader(name, value)
        return response
      },
      write: (...args: readonly unknown[]) => {
        this.#add(args)
        return taken(args)
      },
      end: (...args: readonly unknown[]) => {
        this.#add(args)
        if (this.#state === 'open') {
          this.#state = 'ended'
          void this.#sendSigned(callbackIn(args)).catch((error: unknown) => this.#fail(error))
        }
        return response
      },
      flushHeaders: () => {
        if (this.#state === 'open') this.#fail(notSignable('it is a stream'))
      },
    })
  }

  #add([chunk, encoding]: readonly unknown[]): void {
    if (this.#state !== 'open' || (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))) return
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk)
    this.#sizeBytes += bytes.length
    const { maxBodyBytes } = this.#signing
    if (this.#sizeBytes <= maxBodyBytes) this.#chunks.push(bytes)
    else this.#fail(notSignable(`it is longer than ${maxBodyBytes} bytes`))
  }

  async #sendSigned(callback: Callback | undefined): Promise<void> {
    const [request, response] = [this.#request, this.#response]
    const { statusCode: status } = response
    const hasBody = request.method !== 'HEAD' && status !== 204 && status !== 304
    const body = Buffer.concat(hasBody ? this.#chunks : [])
    // As they are now: what the handler sets from here on is no part of what it has ended.
    const headers: Readonly<Record<string, HeaderValue | undefined>> = {
      ...response.getHeaders(),
      ...(hasBody ? { 'content-length': body.length } : {}),
      // The answer goes out in one piece now.
      'transfer-encoding': undefined,
      trailer: undefined,
    }
    const { source, clock, requestNonce } = this.#signing
    const { svid } = source.current()
    const message = { request, response: { status, fields: HeaderFields.of(linesOf(headers)) } }
    const added = await signResponse(message, body, svid, { now: clock.now(), requestNonce })
    this.#replace(status, { ...headers, ...added })
    response.end(body, callback)
  }

  #fail(error: unknown): void {
    this.#state = 'failed'
    this.#chunks.length = 0
    this.#replace(501, {})
    this.#response.statusMessage = ''
    const cause =
      error instanceof SallyportError && error.code === 'RESPONSE_NOT_SIGNABLE' ? error : notSignable('', error)
    refuseRequest(this.#response, cause)
    // The handler does not know, and goes on.
    const ignore = (...args: readonly unknown[]): unknown => taken(args)
    Object.assign(this.#response, { write: ignore, end: ignore, writeHead: () => this.#response, flushHeaders: ignore })
    this.#signing.onFailure(cause)
  }

  /** Lets the response send again, with this status and these headers and no others. */
  #replace(status: number, headers: Readonly<Record<string, HeaderValue | undefined>>): void {
    Object.assign(this.#response, this.#sending)
    if (this.#response.headersSent) return
    for (const name of this.#response.getHeaderNames()) this.#response.removeHeader(name)
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.#response.setHeader(name, value)
    this.#response.statusCode = status
  }
}

function linesOf(headers: Readonly<Record<string, HeaderValue | undefined>>): (readonly [string, string])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => [name, String(one)] as const),
  )
}

const callbackIn = (args: readonly unknown[]): Callback | undefined =>
  args.find((arg): arg is Callback => typeof arg === 'function')

/** What is held back counts as written. */
function taken(args: readonly unknown[]): true {
  const callback = callbackIn(args)
  if (callback !== undefined) queueMicrotask(callback)
  return true
}

/** The headers that `writeHead` is given: an object, pairs, or names and values in turn. */
function headersIn(given: unknown): readonly (readonly [string, HeaderValue])[] {
  if (given === null || typeof given !== 'object') return []
  if (!Array.isArray(given))
    return Object.entries(given as Record<string, HeaderValue | undefined>).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    )
  const list = given as readonly unknown[]
  if (list.every((entry) => Array.isArray(entry))) return merged(list as readonly [string, HeaderValue][])
  return merged(
    list.flatMap((name, index) => (index % 2 === 0 ? [[String(name), list[index + 1] as HeaderValue] as const] : [])),
  )
}

/** A list may have a name several times, as that of cookies: each of its values is sent. */
function merged(lines: readonly (readonly [string, HeaderValue])[]): readonly (readonly [string, HeaderValue])[] {
  return [...Map.groupBy(lines, ([name]) => name.toLowerCase()).values()].flatMap(([first, ...more]) => {
    if (first === undefined || more.length === 0) return first === undefined ? [] : [first]
    return [[first[0], [first, ...more].flatMap(([, value]) => value).map(String)] as const]
  })
}

function notSignable(why: string, cause?: unknown): SallyportError {
  return new SallyportError(
    'RESPONSE_NOT_SIGNABLE',
    `Cannot sign an answer${why === '' ? '' : `: ${why}`}`,
    cause === undefined ? {} : { cause },
  )
}
