import { hasSignatureLength } from '../jws/jws-algorithm.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import { CONTENT_DIGEST_FIELD } from './content-digest.ts'
import { type HeaderFields, tokenFieldsOf } from './header-fields.ts'
import { parseDictionary } from './parse-structured-field.ts'
import { checkProofTimes, forAnother, PROOF_ID_MAX, type ProofLimits, type ProvenRequest } from './proof.ts'
import {
  componentName,
  signatureBase,
  type SignedExchange,
  type SignedMessage,
  type SignedRequest,
} from './signature-base.ts'
import {
  componentsOfRequest,
  componentsOfResponse,
  SIGNATURE_FIELD,
  SIGNATURE_INPUT_FIELD,
  SIGNATURE_LABEL,
  SIGNATURE_TAG,
  signatureInvalid as invalid,
  textOf,
} from './signature-profile.ts'
import { type InnerList, isInnerList, type Item } from './structured-field.ts'
import { type Addressee, pathOf } from './target.ts'
import type { WitSvid } from './wit-svid.ts'

/** What is accepted as signature of a message, besides that it matches. */
export interface SignatureCheck extends ProofLimits {
  readonly cryptography?: Cryptography | undefined
}

export interface RequestSignatureCheck extends SignatureCheck {
  readonly addressee: Addressee
  /** Headers besides `Authorization` and `Txn-Token` that carry tokens, in lower case. */
  readonly tokenFields: readonly string[]
}

/** A signature taken out of its message; nothing in it is true before it is verified. */
export interface FoundSignature {
  readonly covered: InnerList
  readonly signature: Buffer
}

/**
 * The signature of a message that is meant for its receiver: the one called `wimse`, or the only one when it has the tag of the
 * profile. Others are ignored.
 *
 * @throws {@link SallyportError} `STRUCTURED_FIELD_INVALID`, `HTTP_SIGNATURE_INVALID`
 */
export function findSignature(fields: HeaderFields): FoundSignature | undefined {
  const inputText = fields.combined(SIGNATURE_INPUT_FIELD)
  if (inputText === undefined) return undefined
  const inputs = parseDictionary(inputText, 'Signature-Input')
  const [only] = inputs.size === 1 ? inputs.keys() : []
  const label = inputs.has(SIGNATURE_LABEL) ? SIGNATURE_LABEL : only
  const covered = label === undefined ? undefined : inputs.get(label)
  if (label === undefined || (label !== SIGNATURE_LABEL && !hasTag(covered))) return undefined
  if (!isInnerList(covered)) throw invalid('its Signature-Input is no list of components')
  const member = parseDictionary(fields.combined(SIGNATURE_FIELD) ?? '', 'Signature').get(label)
  if (member === undefined || isInnerList(member) || member.bare.type !== 'bytes')
    throw invalid(`it has no signature called ${JSON.stringify(label.slice(0, 60))}`)
  return { covered, signature: member.bare.value }
}

/**
 * Checks the signature of a request against a WIT-SVID that was verified before. The body is for `checkContentDigest`.
 *
 * @throws {@link SallyportError} `HTTP_SIGNATURE_INVALID`, `WIT_PROOF_EXPIRED`, `WIT_PROOF_AUDIENCE`, `WIT_PROOF_INVALID`
 */
export async function checkRequestSignature(
  found: FoundSignature,
  request: SignedRequest,
  svid: WitSvid,
  check: RequestSignatureCheck,
): Promise<ProvenRequest> {
  const { tokenFields } = check
  const required = componentsOfRequest(request.fields, tokenFields)
  const names = await checkMatches(found, { request }, svid, check, required)
  const { nonce, expiresAt } = checkParameters(found.covered, check)
  const audience = textOf(found.covered, 'wimse-aud')
  if (audience === undefined) throw invalid('it has no "wimse-aud"')
  if (!check.addressee.isMeant(audience, pathOf(request.target))) throw forAnother(svid)
  const mustBeSigned = found.covered.parameters.get('wimse-sign-response')
  if (mustBeSigned !== undefined && mustBeSigned.type !== 'boolean')
    throw invalid('its "wimse-sign-response" is neither true nor false')
  return {
    proof: 'signature',
    proofId: nonce,
    expiresAt,
    coveredTokens: new Set(tokenFieldsOf(tokenFields).filter((name) => names.includes(name))),
    answer: { nonce, mustBeSigned: mustBeSigned?.value === true },
  }
}

/**
 * Checks the signature of a response against the WIT-SVID of its sender, which was verified before.
 *
 * @param requestNonce the nonce of the request; undefined where that was not signed
 * @throws {@link SallyportError} `HTTP_SIGNATURE_INVALID`, `WIT_PROOF_EXPIRED`, `WIT_PROOF_INVALID`
 */
export async function checkResponseSignature(
  found: FoundSignature,
  message: SignedExchange,
  svid: WitSvid,
  { requestNonce, ...check }: SignatureCheck & { readonly requestNonce: string | undefined },
): Promise<void> {
  await checkMatches(found, message, svid, check, componentsOfResponse(message.response.fields))
  checkParameters(found.covered, check)
  if (requestNonce !== undefined && textOf(found.covered, 'wimse-req-nonce') !== requestNonce)
    throw invalid('it answers another request')
}

/** Fields whose lines are one list by their standard, so that nobody takes one of them alone. */
const LISTS: ReadonlySet<string> = new Set([CONTENT_DIGEST_FIELD])

/** Gives the names of what is covered. */
async function checkMatches(
  { covered, signature }: FoundSignature,
  message: SignedMessage,
  { publicKey, algorithm }: WitSvid,
  { cryptography = threadPoolCryptography }: SignatureCheck,
  required: readonly string[],
): Promise<readonly string[]> {
  const names = covered.items.map(componentName)
  const missing = required.find((name) => !names.includes(name))
  if (missing !== undefined) throw invalid(`it does not cover ${JSON.stringify(missing)}`)
  const fields = message.response?.fields ?? message.request.fields
  // Of two lines of one name another reader may take the other one, or both.
  const repeated = required.find((name) => !LISTS.has(name) && fields.count(name) > 1)
  if (repeated !== undefined) throw invalid(`the message has several headers "${repeated}"`)
  const base = Buffer.from(signatureBase(covered, message))
  const isSigned =
    hasSignatureLength(algorithm, signature) &&
    (await cryptography.verify(algorithm, publicKey, base, signature, 'ieee-p1363'))
  if (!isSigned) throw invalid('it is not made with the key of the WIT-SVID, or of another message')
  return names
}

/** Key and algorithm are those of the WIT-SVID: a signature that names others is one of somebody else. */
function checkParameters(
  covered: InnerList,
  check: SignatureCheck,
): { readonly nonce: string; readonly expiresAt: Date } {
  for (const name of ['keyid', 'alg']) if (covered.parameters.has(name)) throw invalid(`it has the parameter "${name}"`)
  if (!hasTag(covered)) throw invalid(`its "tag" is not ${SIGNATURE_TAG}`)
  const nonce = textOf(covered, 'nonce')
  if (nonce === undefined || nonce === '' || nonce.length > PROOF_ID_MAX) throw invalid('it has no "nonce"')
  const [created, expires] = ['created', 'expires'].map((name) => {
    const item = covered.parameters.get(name)
    if (item?.type !== 'integer') throw invalid(`it has no "${name}"`)
    return item.value
  })
  return { nonce, expiresAt: checkProofTimes({ created, expires }, check) }
}

function hasTag(covered: Item | InnerList | undefined): boolean {
  return covered !== undefined && textOf(covered, 'tag') === SIGNATURE_TAG
}
