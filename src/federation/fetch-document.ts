import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { FOREIGN_BUNDLE_LIMITS } from '../bundle/bundle-limits.ts'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { wholeBody } from '../http/whole-body.ts'
import { connectEndpoint, type EndpointPeer, type EndpointTrust, unreachable } from './connect-endpoint.ts'
import type { EndpointUrl } from './endpoint-url.ts'

/** How long a fetch may take, redirects included. */
export const FETCH_TIMEOUT_MS = 30_000
/** How many redirects are followed at one fetch. */
export const REDIRECTS_MAX = 5
/** The longest headers of an answer that are read. */
export const ANSWER_HEADERS_MAX_BYTES = 16 * 1024
/** The longest document that is read. */
export const ANSWER_BODY_MAX_BYTES = FOREIGN_BUNDLE_LIMITS.sizeBytes

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export interface DocumentRequest {
  readonly url: EndpointUrl
  readonly followRedirects: boolean
  /** What each endpoint on the way must prove. */
  readonly trust: EndpointTrust
  /** Told of each endpoint that has proved itself. */
  readonly onConnected?: ((url: EndpointUrl, peer: EndpointPeer) => void) | undefined
}

/** Fetches the text of a document once. */
export type FetchDocument = (
  request: DocumentRequest,
  context: { readonly clock: Clock; readonly signal: AbortSignal },
) => Promise<string>

/**
 * Fetches a document from a bundle endpoint. Every redirect is temporary, whatever its status says, and each server on the way
 * proves the same.
 *
 * @throws {@link SallyportError} `BUNDLE_ENDPOINT_FAILED`, `BUNDLE_ENDPOINT_UNTRUSTED`; the reason of `signal`
 * @see SPIFFE_Federation.md §4.2 to §4.4, §5.2.4
 */
export const fetchDocument: FetchDocument = async (request, { clock, signal }) => {
  const late = new AbortController()
  const timer = clock.timer(FETCH_TIMEOUT_MS, () =>
    late.abort(unreachable(request.url, new Error(`no whole answer within ${FETCH_TIMEOUT_MS} ms`))),
  )
  try {
    return await follow(request, { now: () => clock.now(), signal: AbortSignal.any([signal, late.signal]) })
  } finally {
    timer[Symbol.dispose]()
  }
}

interface FetchContext {
  readonly now: () => Date
  readonly signal: AbortSignal
}

async function follow(request: DocumentRequest, context: FetchContext): Promise<string> {
  let { url } = request
  for (let hops = 0; ; hops++) {
    const answer = await ask(url, request, context)
    if ('text' in answer) return answer.text
    if (!request.followRedirects) throw failed(url, `it redirects to another URL, and redirects are not followed`)
    if (hops === REDIRECTS_MAX) throw failed(request.url, `more than ${REDIRECTS_MAX} redirects`)
    url = url.redirectedTo(answer.location)
  }
}

type Answer = { readonly text: string } | { readonly location: string }

async function ask(url: EndpointUrl, { trust, onConnected }: DocumentRequest, context: FetchContext): Promise<Answer> {
  const { socket, peer } = await connectEndpoint(url, trust, context)
  try {
    onConnected?.(url, peer)
    const response = await get(url, socket, context.signal)
    const status = response.statusCode ?? 0
    if (REDIRECTS.has(status)) return { location: locationOf(url, response) }
    if (status !== 200) throw failed(url, `it answered with status ${status} instead of 200`)
    return { text: textOf(url, await bodyOf(url, response, context.signal)) }
  } finally {
    socket.destroy()
  }
}

/** One request on a connection of its own, which is proven already. */
function get(url: EndpointUrl, socket: TLSSocket, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(signal.aborted ? (signal.reason as Error) : unreachable(url, cause))
    const sent = request({
      createConnection: () => socket,
      host: url.host,
      port: url.port,
      path: url.target,
      headers: { host: url.authority, accept: 'application/json', 'accept-encoding': 'identity' },
      maxHeaderSize: ANSWER_HEADERS_MAX_BYTES,
      signal,
    })
    sent.once('response', resolve)
    // Stays: an answer that is cut off must not end the process.
    sent.on('error', fail)
    sent.once('close', () => fail(new Error('the connection was closed')))
    sent.end()
  })
}

function locationOf(url: EndpointUrl, { headers }: IncomingMessage): string {
  if (headers.location !== undefined && headers.location !== '') return headers.location
  throw failed(url, 'it redirects without saying where to')
}

async function bodyOf(url: EndpointUrl, response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw failed(url, 'it answered in an encoding that was not asked for')
  try {
    return await wholeBody(response as AsyncIterable<Buffer>, ANSWER_BODY_MAX_BYTES, () =>
      failed(url, `its answer is longer than ${ANSWER_BODY_MAX_BYTES} bytes`),
    )
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof SallyportError ? error : unreachable(url, error as Error)
  }
}

function textOf(url: EndpointUrl, body: Buffer): string {
  try {
    // A mark of byte order stays, and is no JSON.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw failed(url, 'its answer is not UTF-8')
  }
}

const failed = (url: EndpointUrl, why: string): SallyportError =>
  new SallyportError('BUNDLE_ENDPOINT_FAILED', `Cannot fetch ${url.toString()}: ${why}`)
