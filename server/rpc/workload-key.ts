import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import { isJwsAlgorithm, type JwsAlgorithm } from '../../src/jws/jws-algorithm.ts'
import { DerError } from '../../src/x509/der.ts'
import { publicKeyOfSpki } from '../../src/x509/spki.ts'

/** The longest public key that is read, in bytes: RSA of 8,192 bits and some room. Which are good enough, the issuer says. */
const PUBLIC_KEY_MAX_BYTES = 2048

/** The key that a WIT-SVID is to name, and what the workload signs with it. */
export interface WorkloadKey {
  readonly publicKey: KeyObject
  readonly algorithm: JwsAlgorithm
}

/**
 * Reads a public key (SubjectPublicKeyInfo, DER) with its algorithm, such as ES256, as requests for WIT-SVIDs carry them.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function workloadKeyOf(message: { readonly publicKey: Buffer; readonly signingAlgorithm: string }): WorkloadKey {
  const { publicKey, signingAlgorithm } = message
  if (publicKey.length === 0) throw invalid('missing public key')
  if (publicKey.length > PUBLIC_KEY_MAX_BYTES) throw invalid(`public key longer than ${PUBLIC_KEY_MAX_BYTES} bytes`)
  if (!isJwsAlgorithm(signingAlgorithm)) {
    throw invalid('the signing algorithm is not one of RS, ES or PS with 256, 384 or 512')
  }
  try {
    return { publicKey: publicKeyOfSpki(publicKey), algorithm: signingAlgorithm }
  } catch (error) {
    if (error instanceof DerError) throw invalid(`malformed public key: ${error.message}`)
    throw error
  }
}

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', why)
