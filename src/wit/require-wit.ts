import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import {
  bearer,
  type BearerMiddleware,
  type BearerOptions,
  type BearerRequest,
  type TokenVerifier,
} from '../http/bearer.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { checkRequestSignature, findSignature } from './check-signature.ts'
import { checkContentDigest } from './content-digest.ts'
import { HeaderFields, PROOF_TOKEN_FIELD, WIT_FIELD } from './header-fields.ts'
import type { ProvenRequest } from './proof.ts'
import { checkProofToken } from './proof-token.ts'
import { readBody } from './read-body.ts'
import { refuseRequest } from './refusal.ts'
import { ReplayCache } from './replay-cache.ts'
import type { SignedRequest } from './signature-base.ts'
import { signAnswer } from './signed-answer.ts'
import { type Addressee, addresseeOf, pathOf, type ServiceNames } from './target.ts'
import { verifyWitSvid } from './verify-wit-svid.ts'
import { checkIdentitySource, type WitBundleSource, type WitIdentitySource } from './wit-identity.ts'
import { setWitPeer, type WitPeer } from './wit-peer.ts'
import type { WitSvid } from './wit-svid.ts'

/** The longest body of a signed request or answer, unless another limit is set. */
const BODY_MAX_BYTES = 1024 * 1024

/** Whom a service lets in with a bearer token instead. */
export interface BearerInstead extends Pick<BearerOptions, 'audience' | 'allow'> {
  /** Verifies the tokens, such as `JwtSource`. */
  readonly source: TokenVerifier
}

export interface RequireWitOptions extends ServiceNames {
  /** Who may call. */
  readonly allow: IdMatcher
  /** How callers prove that they hold the key: by a Workload Proof Token, by an HTTP signature, or by either. Default: either. */
  readonly proof?: 'token' | 'signature' | 'any' | undefined
  /** Remembers the proofs that were used; `false`: a proof may be used again until it ends. Default: one of its own. */
  readonly replays?: ReplayCache | false | undefined
  /** How far clocks may differ: 0 to 120. Default: 30. */
  readonly leewaySeconds?: number | undefined
  /** The longest that a WIT-SVID may live. Default: as long as its issuer says. */
  readonly maxLifeSeconds?: number | undefined
  /** The longest that a proof may be good for. Default: 300. */
  readonly maxProofLifeSeconds?: number | undefined
  /** Headers besides `Authorization` and `Txn-Token` that carry tokens here, such as `x-api-key`: a proof must cover them. */
  readonly tokenHeaders?: readonly string[] | undefined
  /** The longest body of a signed request, which is held in memory, and of a signed answer. Default: 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** This service's own WIT-SVID, to sign answers with. Without it a caller who asks for a signed answer gets 501. */
  readonly signWith?: WitIdentitySource | undefined
  /** Sign the answers to those who ask for it, or to every signed request. Default: to those who ask. */
  readonly signResponses?: 'asked' | 'always' | undefined
  /** Callers who may come with a bearer token in place of a WIT-SVID. Default: none. */
  readonly bearer?: BearerInstead | undefined
  /** Told of each request that was refused, and of each answer that could not be signed. */
  readonly onRefused?: ((error: Error, request: BearerRequest) => void) | undefined
  readonly clock?: Clock | undefined
}

/**
 * Lets in only requests with a WIT-SVID that verifies here and a proof that its sender holds the key in it, for this request. Others
 * are answered with 400, 403, 413, 501 or 503 and a problem document that names the error code. Who called: {@link witPeerOf}.
 *
 * A signature covers the body, so that is read before the request is let in; it is in `witPeerOf(request).body` then.
 *
 * @example
 * ```ts
 * const check = requireWit(source, { origins: ['https://orders.example.org'], allow: memberOf('example.org') })
 * app.use(check) // Express
 * https.createServer(async (request, response) => {
 *   if (!(await check(request, response))) return
 *   response.end(`hello ${witPeerOf(request).spiffeId}`)
 * })
 * ```
 * @see draft-ietf-wimse-wpt-02, draft-ietf-wimse-http-signature-07 (both Incubating in SPIFFE)
 */
export function requireWit(source: WitBundleSource, options: RequireWitOptions): BearerMiddleware {
  const verify = verifierOf(source, options)
  const { signResponses = 'asked', signWith, onRefused, clock = systemClock, maxBodyBytes = BODY_MAX_BYTES } = options
  const checkBearer =
    options.bearer === undefined ? undefined : bearer(options.bearer.source, { ...options.bearer, onRefused })
  return async (request, response, next) => {
    if (checkBearer !== undefined && !HeaderFields.ofRaw(request.rawHeaders).has(WIT_FIELD))
      return checkBearer(request, response, next)
    try {
      const { signed, answer } = await verify(request)
      if (signWith !== undefined && answer !== undefined && (answer.mustBeSigned || signResponses === 'always')) {
        const onFailure = (error: Error): void => onRefused?.(error, request)
        signAnswer(signed, response, { source: signWith, requestNonce: answer.nonce, maxBodyBytes, clock, onFailure })
      }
    } catch (error) {
      refuseRequest(response, error)
      onRefused?.(error as Error, request)
      return false
    }
    next?.()
    return true
  }
}

/**
 * {@link requireWit} for frameworks with an error handling of their own: resolves to the caller, or rejects. Bearer tokens are not
 * looked at, and answers are not signed.
 *
 * @throws {@link SallyportError} `WIT_PROOF_MISSING`, `WIT_PROOF_INVALID`, `WIT_PROOF_EXPIRED`, `WIT_PROOF_AUDIENCE`,
 *   `WIT_PROOF_REPLAYED`, `REPLAY_CACHE_FULL`, `HTTP_SIGNATURE_INVALID`, `STRUCTURED_FIELD_INVALID`, `CONTENT_DIGEST_INVALID`,
 *   `MESSAGE_TOO_LARGE`, `RESPONSE_NOT_SIGNABLE`, `PEER_REFUSED` and those of {@link verifyWitSvid}
 */
export function witVerifier(
  source: WitBundleSource,
  options: Omit<RequireWitOptions, 'bearer' | 'onRefused' | 'signWith' | 'signResponses'>,
): (request: BearerRequest) => Promise<WitPeer> {
  const verify = verifierOf(source, options)
  return async (request) => (await verify(request)).peer
}

interface Verified {
  readonly peer: WitPeer
  readonly signed: SignedRequest
  readonly answer: ProvenRequest['answer']
}

function verifierOf(
  source: WitBundleSource,
  options: RequireWitOptions,
): (request: BearerRequest) => Promise<Verified> {
  if (typeof (source as Partial<WitBundleSource> | undefined)?.bundles?.get !== 'function')
    throw new TypeError('A check of WIT-SVIDs needs a source: is the `await` of `await WitSource.open()` missing?')
  if (typeof (options as Partial<RequireWitOptions>).allow?.matches !== 'function')
    throw new TypeError('A check of WIT-SVIDs needs `allow`: a matcher such as memberOf() or exactly()')
  if (options.signWith !== undefined) checkIdentitySource(options.signWith)
  const { allow, clock = systemClock, maxBodyBytes = BODY_MAX_BYTES } = options
  const addressee = addresseeOf(options)
  const replays = options.replays ?? new ReplayCache({ clock })
  return async (request) => {
    const signed = signedRequestOf(request)
    // In this order: nothing of a proof counts before the WIT-SVID does, nor anything of a request before its proof.
    const now = clock.now()
    const svid = await verifyWitSvid(witOf(signed.fields), source.bundles, { ...options, now })
    const proven = await proofsOf(signed, svid, addressee, { ...options, now })
    if (!allow.matches(svid.spiffeId))
      throw new SallyportError('PEER_REFUSED', `Cannot serve ${svid.spiffeId}: wanted is ${allow.wants}`)
    if (replays !== false) {
      for (const { proof, proofId, expiresAt } of proven)
        replays.use(svid.spiffeId.toString(), `${proof}:${proofId}`, expiresAt)
    }
    const signature = proven.find(({ proof }) => proof === 'signature')
    checkCanAnswer(signature, options)
    const body = signature === undefined ? undefined : await bodyOf(request, signed, maxBodyBytes)
    const peer: WitPeer = {
      spiffeId: svid.spiffeId,
      svid,
      proof: signature === undefined ? 'token' : 'signature',
      body,
      coveredTokens: new Set(proven.flatMap(({ coveredTokens }) => [...coveredTokens])),
    }
    setWitPeer(request, peer)
    return { peer, signed, answer: signature?.answer }
  }
}

/** Every proof that the request carries, each of which must hold; one of the kind that is wanted must be there. */
async function proofsOf(
  request: SignedRequest,
  svid: WitSvid,
  addressee: Addressee,
  options: RequireWitOptions & { readonly now: Date },
): Promise<readonly ProvenRequest[]> {
  const { proof: wanted = 'any', now, leewaySeconds, maxProofLifeSeconds } = options
  const { fields } = request
  const check = {
    addressee,
    now,
    leewaySeconds,
    maxProofLifeSeconds,
    tokenFields: (options.tokenHeaders ?? []).map((name) => name.toLowerCase()),
  }
  const token = fields.only(PROOF_TOKEN_FIELD)
  if (token === undefined && fields.has(PROOF_TOKEN_FIELD)) throw missing('it has several proofs')
  const proven: ProvenRequest[] = []
  if (token !== undefined)
    proven.push(await checkProofToken(token, svid, { ...check, fields, path: pathOf(request.target) }))
  const signature = findSignature(fields)
  if (signature !== undefined) proven.push(await checkRequestSignature(signature, request, svid, check))
  if (proven.some(({ proof }) => wanted === 'any' || proof === wanted)) return proven
  throw missing(wanted === 'any' ? 'it has no proof' : `it has no proof by ${wanted}`)
}

/** A handler must not do its work when its answer could not be sent. */
function checkCanAnswer(proven: ProvenRequest | undefined, { signWith }: RequireWitOptions): void {
  if (proven?.answer?.mustBeSigned !== true) return
  if (signWith === undefined)
    throw new SallyportError(
      'RESPONSE_NOT_SIGNABLE',
      'Cannot answer a request that wants a signature: nothing signs here',
    )
  try {
    signWith.current()
  } catch (cause) {
    throw new SallyportError(
      'RESPONSE_NOT_SIGNABLE',
      'Cannot answer a request that wants a signature: no WIT-SVID is held to sign it with',
      { cause },
    )
  }
}

async function bodyOf(request: BearerRequest, { fields }: SignedRequest, maxBytes: number): Promise<Buffer> {
  const hasBody = request.httpVersionMajor >= 2 || fields.has('content-length') || fields.has('transfer-encoding')
  const body = hasBody ? await readBody(request, maxBytes) : Buffer.alloc(0)
  checkContentDigest(fields, body)
  return body
}

function witOf(fields: HeaderFields): string {
  const token = fields.only(WIT_FIELD)
  if (token !== undefined) return token
  throw missing(fields.has(WIT_FIELD) ? 'it has several WIT-SVIDs' : 'it has no WIT-SVID')
}

function signedRequestOf(request: BearerRequest): SignedRequest {
  // Express keeps the target that was sent apart from the one below the place where something is mounted.
  const { originalUrl } = request as { readonly originalUrl?: unknown }
  return {
    method: request.method ?? '',
    target: typeof originalUrl === 'string' ? originalUrl : (request.url ?? ''),
    fields: HeaderFields.ofRaw(request.rawHeaders),
    authority: 'authority' in request ? request.authority : request.headers.host,
  }
}

function missing(why: string): SallyportError {
  return new SallyportError('WIT_PROOF_MISSING', `Cannot tell who calls: ${why}`)
}
