import { randomBytes } from 'node:crypto'
import type { Cryptography } from '../key/cryptography.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import { CONTENT_DIGEST_FIELD, contentDigestOf } from './content-digest.ts'
import { WIT_FIELD } from './header-fields.ts'
import { proofTimes, type ProofTiming } from './proof.ts'
import { signatureBase, type SignedExchange, type SignedMessage, type SignedRequest } from './signature-base.ts'
import {
  componentOf,
  componentsOfRequest,
  componentsOfResponse,
  SIGNATURE_FIELD,
  SIGNATURE_INPUT_FIELD,
  SIGNATURE_LABEL,
  SIGNATURE_TAG,
} from './signature-profile.ts'
import { type BareItem, type InnerList, printInnerList } from './structured-field.ts'
import type { WitSvid, WitSvidWithKey } from './wit-svid.ts'

const NONCE_BYTES = 16

/** Headers to add to a message, by name in lower case. */
export type AddedHeaders = Readonly<Record<string, string>>

export interface SigningOrder extends ProofTiming {
  readonly cryptography?: Cryptography | undefined
}

export interface RequestSigningOrder extends SigningOrder {
  /** Whom it is for: the target URI of the request without query and fragment, or what both sides have agreed on. */
  readonly audience: string
  /** Headers besides `Authorization` and `Txn-Token` that carry tokens, in lower case. */
  readonly tokenFields: readonly string[]
  /** Whether the answer must be signed. */
  readonly signResponse: boolean
}

/**
 * Signs a request with the key of a WIT-SVID.
 *
 * @param body the whole body as it is sent; empty where there is none
 * @returns the headers to add, and the nonce that a signed answer repeats
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`, `HTTP_SIGNATURE_INVALID` where a header that is covered is not ASCII
 * @see draft-ietf-wimse-http-signature-07
 */
export async function signRequest(
  request: SignedRequest,
  body: Uint8Array,
  svid: WitSvidWithKey,
  order: RequestSigningOrder,
): Promise<{ readonly headers: AddedHeaders; readonly nonce: string }> {
  const nonce = randomBytes(NONCE_BYTES).toString('base64url')
  const added = headersOfProof(svid, body)
  const fields = request.fields.with(added)
  const covered: InnerList = {
    items: [...new Set(componentsOfRequest(fields, order.tokenFields))].map(componentOf),
    parameters: new Map<string, BareItem>([
      ...timesAndNonce(svid, nonce, order),
      ['wimse-aud', { type: 'string', value: order.audience }],
      ...(order.signResponse ? [['wimse-sign-response', { type: 'boolean', value: true }] as const] : []),
    ]),
  }
  const headers = await signed(covered, { request: { ...request, fields } }, svid, added, order)
  return { headers, nonce }
}

/**
 * Signs a response with the key of a WIT-SVID.
 *
 * @param requestNonce the nonce of the signed request that it answers
 * @returns the headers to add
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`, `HTTP_SIGNATURE_INVALID`
 */
export async function signResponse(
  { request, response }: SignedExchange,
  body: Uint8Array,
  svid: WitSvidWithKey,
  { requestNonce, ...order }: SigningOrder & { readonly requestNonce: string },
): Promise<AddedHeaders> {
  const added = headersOfProof(svid, body)
  const fields = response.fields.with(added)
  const covered: InnerList = {
    items: componentsOfResponse(fields).map(componentOf),
    parameters: new Map<string, BareItem>([
      ...timesAndNonce(svid, randomBytes(NONCE_BYTES).toString('base64url'), order),
      ['wimse-req-nonce', { type: 'string', value: requestNonce }],
    ]),
  }
  return signed(covered, { request, response: { ...response, fields } }, svid, added, order)
}

/** The headers that a signature covers and that are there because of it. */
function headersOfProof(svid: WitSvid, body: Uint8Array): AddedHeaders {
  return { [WIT_FIELD]: svid.token, ...(body.length === 0 ? {} : { [CONTENT_DIGEST_FIELD]: contentDigestOf(body) }) }
}

function timesAndNonce(svid: WitSvid, nonce: string, order: SigningOrder): readonly (readonly [string, BareItem])[] {
  const { created, expires } = proofTimes(svid, order)
  return [
    ['created', { type: 'integer', value: created }],
    ['expires', { type: 'integer', value: expires }],
    ['nonce', { type: 'string', value: nonce }],
    ['tag', { type: 'string', value: SIGNATURE_TAG }],
  ]
}

async function signed(
  covered: InnerList,
  message: SignedMessage,
  svid: WitSvidWithKey,
  added: AddedHeaders,
  { cryptography = threadPoolCryptography }: SigningOrder,
): Promise<AddedHeaders> {
  const base = Buffer.from(signatureBase(covered, message))
  const signature = await cryptography.sign(svid.algorithm, svid.privateKey, base, 'ieee-p1363')
  return {
    ...added,
    [SIGNATURE_INPUT_FIELD]: `${SIGNATURE_LABEL}=${printInnerList(covered)}`,
    [SIGNATURE_FIELD]: `${SIGNATURE_LABEL}=:${signature.toString('base64')}:`,
  }
}
