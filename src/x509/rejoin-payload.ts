import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import * as z from 'zod'
import { attestationInvalid, base64Field, encodeAttestationJson, readAttestationJson } from './attestation-json.ts'
import { SpiffeId } from '../id/spiffe-id.ts'

/** The attestation type of an agent that returns by proof of its last key. Only our own agents and servers know it. */
export const REJOIN = 'sallyport_rejoin'

export const REJOIN_PAYLOAD_MAX_BYTES = 8 * 1024
const NONCE_BYTES = 32

/** "I was this agent, and this was my key." */
export interface RejoinPayload {
  readonly agentId: SpiffeId
  /** SubjectPublicKeyInfo (DER) of the key of the last agent SVID. */
  readonly lastSpki: Buffer
}

/** The agent's nonce, and its signature with the last key over {@link rejoinSignedBytes}: DER for ECDSA. */
export interface RejoinResponse {
  readonly nonce: Buffer
  readonly signature: Buffer
}

const payloadShape = z.object({ agentId: z.string(), lastKey: base64Field })
const challengeShape = z.object({ nonce: base64Field })
const responseShape = z.object({ nonce: base64Field, signature: base64Field })

export function encodeRejoinPayload({ agentId, lastSpki }: RejoinPayload): Buffer {
  return encodeAttestationJson({ agentId: agentId.toString(), lastKey: lastSpki.toString('base64') })
}

/** @throws `ATTESTATION_INVALID`, `SPIFFE_ID_INVALID` */
export function decodeRejoinPayload(bytes: Buffer): RejoinPayload {
  const { agentId, lastKey } = read(payloadShape, bytes)
  return { agentId: SpiffeId.parse(agentId), lastSpki: lastKey }
}

export const encodeRejoinChallenge = (nonce: Buffer): Buffer =>
  encodeAttestationJson({ nonce: nonce.toString('base64') })

/** @throws `ATTESTATION_INVALID` */
export const decodeRejoinChallenge = (bytes: Buffer): Buffer => nonceOf(read(challengeShape, bytes).nonce)

export function encodeRejoinResponse({ nonce, signature }: RejoinResponse): Buffer {
  return encodeAttestationJson({ nonce: nonce.toString('base64'), signature: signature.toString('base64') })
}

/** @throws `ATTESTATION_INVALID` */
export function decodeRejoinResponse(bytes: Buffer): RejoinResponse {
  const { nonce, signature } = read(responseShape, bytes)
  return { nonce: nonceOf(nonce), signature }
}

/** What is signed: names its purpose, and the key that is certified, so that nobody in between can use it for another one. */
export function rejoinSignedBytes(what: {
  readonly agentId: SpiffeId
  readonly challengeNonce: Buffer
  readonly responseNonce: Buffer
  /** SubjectPublicKeyInfo (DER) of the CSR. */
  readonly newSpki: Buffer
}): Buffer {
  return Buffer.concat([
    Buffer.from(`sallyport rejoin v1\n${what.agentId.toString()}\n`),
    nonceOf(what.challengeNonce),
    nonceOf(what.responseNonce),
    createHash('sha256').update(what.newSpki).digest(),
  ])
}

/** How servers remember an agent's key: SHA-256 of its SubjectPublicKeyInfo, lower-case hex. */
export const keyHashOf = (spki: Buffer): string => createHash('sha256').update(spki).digest('hex')

/** @throws `ATTESTATION_INVALID` */
export function decodeLastKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    throw attestationInvalid('lastKey is not a public key')
  }
}

function nonceOf(bytes: Buffer): Buffer {
  if (bytes.length === NONCE_BYTES) return bytes
  throw attestationInvalid(`a nonce is not ${NONCE_BYTES} bytes long`)
}

function read<T>(shape: z.ZodType<T>, bytes: Buffer): T {
  return readAttestationJson(shape, bytes, REJOIN_PAYLOAD_MAX_BYTES, 'a rejoin message')
}
