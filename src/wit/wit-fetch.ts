import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { wholeBody } from '../http/whole-body.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { checkResponseSignature, findSignature, type FoundSignature } from './check-signature.ts'
import { checkContentDigest } from './content-digest.ts'
import { HeaderFields, PROOF_TOKEN_FIELD, WIT_FIELD } from './header-fields.ts'
import { PROOF_LIFE_MAX_SECONDS } from './proof.ts'
import { signProofToken } from './proof-token.ts'
import { tooLarge } from './read-body.ts'
import { type AddedHeaders, signRequest } from './sign-message.ts'
import type { SignedExchange, SignedRequest } from './signature-base.ts'
import { SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD } from './signature-profile.ts'
import { targetUriOf } from './target.ts'
import { verifyWitSvid } from './verify-wit-svid.ts'
import { checkIdentitySource, type WitIdentitySource } from './wit-identity.ts'
import { setWitPeer } from './wit-peer.ts'

/** The longest body of a request that is signed, or of an answer that is, unless another limit is set. */
const BODY_MAX_BYTES = 16 * 1024 * 1024

export interface WitProofOptions {
  /**
   * What the receiver calls itself, where that was agreed on. Default: the address of each request, without query and fragment, so
   * that a proof is of use for that alone.
   */
  readonly audience?: string | undefined
  /** How long a proof is good for: 1 to 300. Default: 60. */
  readonly lifeSeconds?: number | undefined
  /** Headers besides `Authorization` and `Txn-Token` that carry tokens, such as `x-api-key`: the proof covers them. */
  readonly tokenHeaders?: readonly string[] | undefined
  readonly clock?: Clock | undefined
}

export interface WitFetchOptions extends WitProofOptions {
  /** By a Workload Proof Token, or by a signature that covers the request and its body, which is held in memory. Default: token. */
  readonly proof?: 'token' | 'signature' | undefined
  /** Demand that the answer is signed, by one whom `server` matches. Needs `proof: 'signature'`. Default: no. */
  readonly signResponse?: boolean | undefined
  /** Who may sign answers. An answer that somebody else has signed is refused, also where no signature was demanded. */
  readonly server?: IdMatcher | undefined
  /** The longest body that is signed or whose signature is checked. Default: 16 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** How far clocks may differ: 0 to 120. Default: 30. */
  readonly leewaySeconds?: number | undefined
  /** Send over plain HTTP, also to this machine: only where something else keeps the connection secret. Default: no. */
  readonly allowPlainHttp?: boolean | undefined
  /** The `fetch` underneath. Default: the global one. */
  readonly fetch?: typeof fetch | undefined
}

/**
 * A `fetch` that shows with each request who asks: a WIT-SVID, and a proof for that request alone that this workload holds its key.
 * Redirects are not followed, because each request needs a proof of its own: the answer is the 3xx.
 *
 * A signed answer is checked and rejected if anything of it is wrong; who has signed it says {@link witPeerOf}. Compression is not
 * asked for where a signature is, because that covers the bytes on the wire.
 *
 * @throws {@link SallyportError} `PLAIN_HTTP_REFUSED`, `WIT_SVID_EXPIRED`, `MESSAGE_TOO_LARGE`, `HTTP_SIGNATURE_MISSING`,
 *   `HTTP_SIGNATURE_INVALID`, `CONTENT_DIGEST_INVALID`, `PEER_REFUSED`, and those of the source
 * @example
 * ```ts
 * const ask = witFetch(source, { proof: 'signature' })
 * const answer = await ask('https://orders.example.org/v1/items', { method: 'POST', body: '{}' })
 * ```
 */
export function witFetch(source: WitIdentitySource, options: WitFetchOptions = {}): typeof fetch {
  checkIdentitySource(source)
  checkOptions(options)
  const { proof = 'token', allowPlainHttp = false } = options
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.protocol !== 'https:' && !(allowPlainHttp && url.protocol === 'http:')) {
      throw new SallyportError('PLAIN_HTTP_REFUSED', `Cannot send a WIT-SVID to ${url.hostname} over ${url.protocol}`, {
        hint: 'Use an https: address, or say allowPlainHttp where something else keeps the connection secret.',
      })
    }
    const given = input instanceof Request ? input : undefined
    const headers = new Headers(init?.headers ?? given?.headers)
    for (const name of [WIT_FIELD, PROOF_TOKEN_FIELD, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD]) {
      if (headers.has(name)) throw new TypeError(`The request has a header ${name} of its own`)
    }
    // Looked up late, so that whoever replaces the global one is heard.
    const underneath = options.fetch ?? globalThis.fetch
    const redirect = (init?.redirect ?? given?.redirect) === 'error' ? 'error' : 'manual'
    if (proof === 'token') {
      // In the spelling that fetch sends; the body is left to it.
      const { method } = new Request(url, { method: init?.method ?? given?.method ?? 'GET' })
      const proven = await proofTokenHeaders(source, { url, headers }, options)
      const response = await underneath(input, { ...init, redirect, headers: added(headers, proven) })
      return checkedAnswer(response, signedRequestOf(method, url, headers), undefined, source, options)
    }
    return askWithSignature(new Request(input, init), source, options, (changes) =>
      // With all that a Request was made with; its body has been read, and is among the changes.
      underneath(given ?? url, { ...init, redirect, ...changes }),
    )
  }
}

async function askWithSignature(
  request: Request,
  source: WitIdentitySource,
  options: WitFetchOptions,
  send: (changes: RequestInit) => Promise<Response>,
): Promise<Response> {
  const { maxBodyBytes = BODY_MAX_BYTES, signResponse = false } = options
  const { method, headers, signal } = request
  const url = new URL(request.url)
  const body = await bytesOf(request, maxBodyBytes)
  // What covers the bytes on the wire cannot be compared with what fetch has unpacked.
  headers.set('accept-encoding', 'identity')
  const signed = signedRequestOf(method, url, headers)
  const order = { ...orderOf(url, options), signResponse }
  const proven = await signRequest(signed, body, source.current().svid, order)
  const content = request.body === null ? {} : { body }
  const response = await send({ method, headers: added(headers, proven.headers), signal, ...content })
  return checkedAnswer(response, signed, proven.nonce, source, options)
}

/**
 * The headers to add to a request of any HTTP client: a WIT-SVID and a Workload Proof Token for that request alone. The connection must
 * be one that nobody else can read.
 *
 * @param request its address, and the headers that it has already, whose tokens the proof covers
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`, and those of the source
 * @see draft-ietf-wimse-wpt-02
 */
export async function proofTokenHeaders(
  source: WitIdentitySource,
  request: { readonly url: URL | string; readonly headers?: Headers | Readonly<Record<string, string>> | undefined },
  options: WitProofOptions = {},
): Promise<AddedHeaders> {
  const { svid } = source.current()
  const fields = HeaderFields.of(new Headers(request.headers))
  return {
    [WIT_FIELD]: svid.token,
    [PROOF_TOKEN_FIELD]: await signProofToken(svid, { fields, ...orderOf(new URL(request.url), options) }),
  }
}

/**
 * The headers to add to a request of any HTTP client: a WIT-SVID and a signature that covers the request and its body.
 *
 * @param request `method` as it is sent, its address, the headers that it has already, and its whole body
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`, `HTTP_SIGNATURE_INVALID` for headers that are not ASCII, and those of the source
 * @see draft-ietf-wimse-http-signature-07
 */
export async function signatureHeaders(
  source: WitIdentitySource,
  request: {
    readonly method: string
    readonly url: URL | string
    readonly headers?: Headers | Readonly<Record<string, string>> | undefined
    readonly body?: Uint8Array | undefined
  },
  options: WitProofOptions = {},
): Promise<AddedHeaders> {
  const url = new URL(request.url)
  const signed = signedRequestOf(request.method, url, new Headers(request.headers))
  const order = { ...orderOf(url, options), signResponse: false }
  return (await signRequest(signed, request.body ?? new Uint8Array(), source.current().svid, order)).headers
}

/** The answer, once its signature holds; a new one where its body had to be read for that. */
async function checkedAnswer(
  response: Response,
  request: SignedRequest,
  requestNonce: string | undefined,
  source: WitIdentitySource,
  options: WitFetchOptions,
): Promise<Response> {
  try {
    const fields = HeaderFields.of(response.headers)
    const found = findSignature(fields)
    if (found !== undefined) {
      const exchange = { request, response: { status: response.status, fields } }
      return await verifiedAnswer(response, found, exchange, requestNonce, source, options)
    }
    // An error may come from somebody on the way who has nothing to sign with; it promises nothing.
    if (options.signResponse !== true || response.status >= 400) return response
    throw new SallyportError('HTTP_SIGNATURE_MISSING', 'Cannot accept an answer: it is not signed')
  } catch (error) {
    // Whoever has read it to its end, or is reading it, has let go of it.
    await response.body?.cancel().catch(() => undefined)
    throw error
  }
}

async function verifiedAnswer(
  response: Response,
  found: FoundSignature,
  exchange: SignedExchange,
  requestNonce: string | undefined,
  source: WitIdentitySource,
  { server, clock = systemClock, leewaySeconds, maxBodyBytes = BODY_MAX_BYTES }: WitFetchOptions,
): Promise<Response> {
  const { fields } = exchange.response
  const token = fields.only(WIT_FIELD)
  if (token === undefined)
    throw new SallyportError('WIT_PROOF_MISSING', 'Cannot tell who has signed an answer: it has no WIT-SVID')
  const now = clock.now()
  const svid = await verifyWitSvid(token, source.current().bundles, { now, leewaySeconds })
  await checkResponseSignature(found, exchange, svid, { requestNonce, now, leewaySeconds })
  if (server?.matches(svid.spiffeId) === false)
    throw new SallyportError('PEER_REFUSED', `Cannot accept an answer of ${svid.spiffeId}: wanted is ${server.wants}`)
  const body = await bytesOf(response, maxBodyBytes)
  // To HEAD, what the headers describe is not sent.
  if (exchange.request.method !== 'HEAD') checkContentDigest(fields, body)
  const { status, statusText, headers, url } = response
  const checked = new Response(response.body === null ? null : body, { status, statusText, headers })
  Object.defineProperty(checked, 'url', { value: url })
  setWitPeer(checked, { spiffeId: svid.spiffeId, svid, proof: 'signature', body, coveredTokens: new Set() })
  return checked
}

const bytesOf = ({ body }: Request | Response, maxBytes: number): Promise<Buffer<ArrayBuffer>> =>
  wholeBody(body ?? [], maxBytes, () => tooLarge(maxBytes))

function signedRequestOf(method: string, url: URL, headers: Headers): SignedRequest {
  return { method, target: `${url.pathname}${url.search}`, authority: url.host, fields: HeaderFields.of(headers) }
}

function orderOf(url: URL, { audience, lifeSeconds, tokenHeaders = [], clock = systemClock }: WitProofOptions) {
  return {
    audience: audience ?? targetUriOf(url),
    tokenFields: tokenHeaders.map((name) => name.toLowerCase()),
    lifeSeconds,
    now: clock.now(),
  }
}

function added(headers: Headers, more: AddedHeaders): Headers {
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(more)) all.set(name, value)
  return all
}

function checkOptions({ audience, lifeSeconds = 1, proof, signResponse = false, server }: WitFetchOptions): void {
  if (audience === '') throw new TypeError('A proof needs an audience, or none for the address of each request')
  if (!(lifeSeconds >= 1 && lifeSeconds <= PROOF_LIFE_MAX_SECONDS))
    throw new TypeError(`A proof lives for 1 to ${PROOF_LIFE_MAX_SECONDS} seconds, not ${lifeSeconds}`)
  if (!signResponse) return
  if (proof !== 'signature') throw new TypeError(`A signed answer is asked for by proof: 'signature'`)
  if (server === undefined) throw new TypeError('A signed answer needs `server`: who may sign it')
}
