import { type KeyObject, verify } from 'node:crypto'
import type { SignatureAlgorithm, SignatureEncoding } from './cryptography.ts'
import { keyInput } from './key-input.ts'
import { signatureAlgorithms } from './signature-algorithm.ts'

/**
 * Verifies a signature without waiting for a thread: for the moment after a handshake, when data must not arrive before the
 * answer. Everybody else asks `Cryptography`, which keeps the event loop free.
 */
export function verifySignatureNow(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
  encoding: SignatureEncoding,
): boolean {
  if (key.asymmetricKeyType !== signatureAlgorithms[algorithm].keyKind) return false
  try {
    return verify(signatureAlgorithms[algorithm].hash, data, keyInput(algorithm, key, encoding), signature)
  } catch {
    // OpenSSL reports some hostile keys and signatures as errors instead of as "no"; neither is verified.
    return false
  }
}
