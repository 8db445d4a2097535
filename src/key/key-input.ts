import { constants, type KeyObject } from 'node:crypto'
import type { SignatureAlgorithm, SignatureEncoding } from './cryptography.ts'
import { signatureAlgorithms } from './signature-algorithm.ts'

/** A key with the parameters that `node:crypto` needs to compute an algorithm with it. */
export function keyInput(algorithm: SignatureAlgorithm, key: KeyObject, dsaEncoding: SignatureEncoding) {
  const { padding } = signatureAlgorithms[algorithm]
  if (padding === undefined) return { key, dsaEncoding }
  if (padding === 'pkcs1') return { key, padding: constants.RSA_PKCS1_PADDING }
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
