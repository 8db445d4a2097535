import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../key/cryptography.ts'
import { isSignatureAlgorithm, signatureAlgorithms } from '../key/signature-algorithm.ts'
import type { Certificate } from './certificate.ts'

/** Asks whoever drives a validation whether a signature is that of a key. */
export interface SignatureQuestion {
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyObject
  readonly data: Buffer
  readonly signature: Buffer
}

/** A validation that stops at each signature until it is told whether it is good: the same rules, at once or in other threads. */
export type Asking<T> = Generator<SignatureQuestion, T, boolean>

/** Something that carries a signature: a certificate or a revocation list. */
export interface Signed {
  readonly signatureAlgorithm: string
  readonly tbs: Buffer
  readonly signature: Buffer
}

/** Whether the key of this certificate made a signature. */
export function* isSignedBy(signed: Signed, issuer: Certificate): Asking<boolean> {
  const { signatureAlgorithm: algorithm, tbs: data, signature } = signed
  if (!isSignatureAlgorithm(algorithm)) return false
  if (signatureAlgorithms[algorithm].keyKind !== issuer.publicKey.asymmetricKeyType) return false
  return yield { algorithm, key: issuer.publicKey, data, signature }
}
