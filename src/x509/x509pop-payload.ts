import { createHash, constants, sign, verify, type KeyObject } from 'node:crypto'
import * as z from 'zod'
import { attestationInvalid, base64Field, encodeAttestationJson, readAttestationJson } from './attestation-json.ts'

/** The attestation type that these messages belong to, on both sides. */
export const X509POP = 'x509pop'

/** Larger payloads and answers are refused unread: five certificates with 8,192-bit keys take a third of it. */
export const X509POP_PAYLOAD_MAX_BYTES = 64 * 1024
export const X509POP_RESPONSE_MAX_BYTES = 8 * 1024

const NONCE_BYTES = 32

/** What the server asks: sign SHA-256(challenge nonce ‖ your nonce), with RSASSA-PSS or ECDSA after the kind of your key. */
export interface X509popChallenge {
  readonly kind: 'rsa' | 'ecdsa'
  readonly nonce: Buffer
}

export type X509popResponse =
  | { readonly kind: 'rsa'; readonly nonce: Buffer; readonly signature: Buffer }
  | { readonly kind: 'ecdsa'; readonly nonce: Buffer; readonly r: Buffer; readonly s: Buffer }

const payloadShape = z.object({ certificates: z.array(base64Field).min(1, 'no certificate to attest') })
const challengeShape = z.object({
  rsa_signature: z.object({ nonce: base64Field }).nullish(),
  ecdsa_signature: z.object({ nonce: base64Field }).nullish(),
})
const responseShape = z.object({
  rsa_signature: z.object({ nonce: base64Field, signature: base64Field }).nullish(),
  ecdsa_signature: z.object({ nonce: base64Field, r: base64Field, s: base64Field }).nullish(),
})

/** The first message: the certificate chain (DER), leaf first. */
export function encodeX509popPayload(certificates: readonly Buffer[]): Buffer {
  return encodeAttestationJson({ certificates: certificates.map((der) => der.toString('base64')) })
}

/**
 * Reads a chain of certificates (DER), leaf first.
 *
 * @throws `ATTESTATION_INVALID`
 */
export function decodeX509popPayload(payload: Buffer): readonly Buffer[] {
  return readAttestationJson(payloadShape, payload, X509POP_PAYLOAD_MAX_BYTES, 'the attestation data').certificates
}

export function encodeX509popChallenge({ kind, nonce }: X509popChallenge): Buffer {
  const member = { nonce: nonce.toString('base64') }
  return encodeAttestationJson({
    rsa_signature: kind === 'rsa' ? member : null,
    ecdsa_signature: kind === 'ecdsa' ? member : null,
  })
}

/** @throws `ATTESTATION_INVALID` */
export function decodeX509popChallenge(bytes: Buffer): X509popChallenge {
  const { rsa_signature: rsa, ecdsa_signature: ecdsa } = readAttestationJson(
    challengeShape,
    bytes,
    X509POP_RESPONSE_MAX_BYTES,
    'the challenge',
  )
  if (rsa) return { kind: 'rsa', nonce: rsa.nonce }
  if (ecdsa) return { kind: 'ecdsa', nonce: ecdsa.nonce }
  throw attestationInvalid('the challenge asks for neither an RSA nor an ECDSA signature')
}

export function encodeX509popResponse(response: X509popResponse): Buffer {
  const nonce = response.nonce.toString('base64')
  return response.kind === 'rsa'
    ? encodeAttestationJson({
        rsa_signature: { nonce, signature: response.signature.toString('base64') },
        ecdsa_signature: null,
      })
    : encodeAttestationJson({
        rsa_signature: null,
        ecdsa_signature: { nonce, r: response.r.toString('base64'), s: response.s.toString('base64') },
      })
}

/** @throws `ATTESTATION_INVALID` */
export function decodeX509popResponse(bytes: Buffer): X509popResponse {
  const { rsa_signature: rsa, ecdsa_signature: ecdsa } = readAttestationJson(
    responseShape,
    bytes,
    X509POP_RESPONSE_MAX_BYTES,
    'the challenge response',
  )
  if (rsa) return { kind: 'rsa', ...rsa }
  if (ecdsa) return { kind: 'ecdsa', ...ecdsa }
  throw attestationInvalid('the challenge response holds neither an RSA nor an ECDSA signature')
}

/** The kind of challenge for a key; undefined for keys that x509pop does not know. */
export function x509popKindOf(key: KeyObject): X509popChallenge['kind'] | undefined {
  if (key.asymmetricKeyType === 'rsa') return 'rsa'
  return key.asymmetricKeyType === 'ec' ? 'ecdsa' : undefined
}

/**
 * Answers a challenge with the key of the certificate that was presented.
 *
 * The digest is SHA-256 whatever the curve, and the salt of PSS is as long as it can be: neither is a row of the table of
 * JOSE algorithms, so the signature is made here instead of through `Cryptography`.
 *
 * @param nonce 32 random bytes
 * @throws `ATTESTATION_INVALID` when the challenge does not fit the key
 */
export async function answerX509popChallenge(
  challenge: X509popChallenge,
  privateKey: KeyObject,
  nonce: Buffer,
): Promise<X509popResponse> {
  if (x509popKindOf(privateKey) !== challenge.kind)
    throw attestationInvalid('the challenge does not fit the key of the certificate')
  const signature = await signatureOf(signedBytes(challenge.nonce, nonce), privateKey)
  if (challenge.kind === 'rsa') return { kind: 'rsa', nonce, signature }
  const half = signature.length / 2
  return {
    kind: 'ecdsa',
    nonce,
    r: withoutLeadingZeros(signature.subarray(0, half)),
    s: withoutLeadingZeros(signature.subarray(half)),
  }
}

/** Was this response made with the private key that belongs to `publicKey`, for this very challenge? */
export async function verifyX509popResponse(
  challenge: X509popChallenge,
  response: X509popResponse,
  publicKey: KeyObject,
): Promise<boolean> {
  if (response.kind !== challenge.kind || x509popKindOf(publicKey) !== challenge.kind) return false
  if (challenge.nonce.length !== NONCE_BYTES || response.nonce.length !== NONCE_BYTES) return false
  const signature = response.kind === 'rsa' ? response.signature : joinEcdsa(response.r, response.s, publicKey)
  if (signature === undefined) return false
  const data = signedBytes(challenge.nonce, response.nonce)
  // What OpenSSL cannot make anything of is not a proof either.
  return new Promise((resolve) =>
    verify('sha256', data, keyOptions(publicKey), signature, (error, valid) => resolve(error === null && valid)),
  )
}

function signatureOf(data: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    sign('sha256', data, keyOptions(key), (error, signature) => (error ? reject(error) : resolve(signature))),
  )
}

/** SPIRE signs SHA-256 of both nonces; the hash is part of the signature algorithm here. */
function signedBytes(challengeNonce: Buffer, responseNonce: Buffer): Buffer {
  if (challengeNonce.length !== NONCE_BYTES || responseNonce.length !== NONCE_BYTES) {
    throw attestationInvalid(`a nonce is not ${NONCE_BYTES} bytes long`)
  }
  return Buffer.concat([challengeNonce, responseNonce])
}

// Without a salt length Node signs with the longest one and verifies any, as Go's defaults do.
const keyOptions = (key: KeyObject): { key: KeyObject; dsaEncoding: 'ieee-p1363'; padding?: number } =>
  key.asymmetricKeyType === 'rsa'
    ? { key, dsaEncoding: 'ieee-p1363', padding: constants.RSA_PKCS1_PSS_PADDING }
    : { key, dsaEncoding: 'ieee-p1363' }

const scalarBytes: Readonly<Record<string, number>> = { prime256v1: 32, secp384r1: 48, secp521r1: 66 }

/** Go sends big integers without leading zeros; Node wants both of the curve's size. */
function joinEcdsa(r: Buffer, s: Buffer, publicKey: KeyObject): Buffer | undefined {
  const size = scalarBytes[publicKey.asymmetricKeyDetails?.namedCurve ?? '']
  if (size === undefined || r.length > size || s.length > size) return undefined
  return Buffer.concat([Buffer.alloc(size - r.length), r, Buffer.alloc(size - s.length), s])
}

function withoutLeadingZeros(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  return start === -1 ? Buffer.alloc(0) : bytes.subarray(start)
}

/** SHA-1 of the certificate, lower-case hex: a name that SPIRE gives, not a proof of anything. */
export const x509popFingerprint = (der: Buffer): string => createHash('sha1').update(der).digest('hex')
