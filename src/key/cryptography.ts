import type { KeyObject } from 'node:crypto'
import type { KeyType } from './key-type.ts'

/** A row of the table in `signature-algorithm.ts`: how to sign with a kind of key. */
export type SignatureAlgorithm =
  'ES256' | 'ES384' | 'ES512' | 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'EdDSA'

export interface KeyPair {
  readonly type: KeyType
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** ECDSA signatures in X.509 are DER, in JWTs r‖s (IEEE P1363). */
export type SignatureEncoding = 'der' | 'ieee-p1363'

/**
 * Everything expensive that keys do, behind one seam: real processes use the thread pool, a simulation decides the order.
 * Nobody else calls `crypto.sign`, `crypto.verify` or `crypto.generateKeyPair` at run time.
 */
export interface Cryptography {
  generateKeyPair(type: KeyType): Promise<KeyPair>
  sign(algorithm: SignatureAlgorithm, key: KeyObject, data: Uint8Array, encoding: SignatureEncoding): Promise<Buffer>
  verify(
    algorithm: SignatureAlgorithm,
    key: KeyObject,
    data: Uint8Array,
    signature: Uint8Array,
    encoding: SignatureEncoding,
  ): Promise<boolean>
}

/** Signs with a key that may never leave its store. */
export interface Signer {
  readonly keyType: KeyType
  readonly publicKey: KeyObject
  sign(algorithm: SignatureAlgorithm, data: Uint8Array, encoding: SignatureEncoding): Promise<Buffer>
}
