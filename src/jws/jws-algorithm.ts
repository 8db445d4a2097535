import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../key/cryptography.ts'
import { isSignatureAlgorithm, signatureAlgorithms } from '../key/signature-algorithm.ts'

/** The algorithms that a JWT-SVID may name: RSA and EC with SHA-2, nothing symmetric and never "none". */
export type JwsAlgorithm = Exclude<SignatureAlgorithm, 'EdDSA'>

/** Length of an EC signature (r‖s), by algorithm. */
const EC_SIGNATURE_BYTES: Readonly<Partial<Record<JwsAlgorithm, number>>> = { ES256: 64, ES384: 96, ES512: 132 }

export function isJwsAlgorithm(name: unknown): name is JwsAlgorithm {
  return typeof name === 'string' && name !== 'EdDSA' && isSignatureAlgorithm(name)
}

/** Why a key may not be used with an algorithm, or undefined when it may: the curve belongs to the algorithm in JWS. */
export function algorithmProblem(algorithm: JwsAlgorithm, key: KeyObject): string | undefined {
  const { keyKind, curve } = signatureAlgorithms[algorithm]
  if (key.type === 'secret' || key.asymmetricKeyType !== keyKind) return `${algorithm} needs another kind of key`
  return curve === undefined || key.asymmetricKeyDetails?.namedCurve === curve
    ? undefined
    : `${algorithm} needs another curve`
}

export function hasSignatureLength(algorithm: JwsAlgorithm, signature: Uint8Array): boolean {
  const wanted = EC_SIGNATURE_BYTES[algorithm]
  return wanted === undefined ? signature.length > 0 : signature.length === wanted
}
