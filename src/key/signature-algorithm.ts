import type { SignatureAlgorithm } from './cryptography.ts'
import type { KeyType } from './key-type.ts'

/** How a signature algorithm is computed, by its JOSE name. SHA-2 only: nothing here verifies MD5 or SHA-1. */
export interface SignatureAlgorithmRow {
  /** As `KeyObject.asymmetricKeyType` names it. */
  readonly keyKind: 'ec' | 'rsa' | 'ed25519'
  /** The digest; null where the algorithm brings its own. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
  readonly padding: 'pkcs1' | 'pss' | undefined
  /** The curve that a JWS of this name must use. X.509 binds only the digest: a P-384 key may sign with SHA-256. */
  readonly curve: 'prime256v1' | 'secp384r1' | 'secp521r1' | undefined
  /** The object identifier in certificates and CSRs. */
  readonly oid: string
}

const ec = (hash: 'sha256' | 'sha384' | 'sha512', curve: SignatureAlgorithmRow['curve'], oid: string) =>
  ({ keyKind: 'ec', hash, padding: undefined, curve, oid }) as const
const rsa = (hash: 'sha256' | 'sha384' | 'sha512', padding: 'pkcs1' | 'pss', oid: string) =>
  ({ keyKind: 'rsa', hash, padding, curve: undefined, oid }) as const

/** Every algorithm that Sallyport signs or verifies with. */
export const signatureAlgorithms: Readonly<Record<SignatureAlgorithm, SignatureAlgorithmRow>> = {
  ES256: ec('sha256', 'prime256v1', '1.2.840.10045.4.3.2'),
  ES384: ec('sha384', 'secp384r1', '1.2.840.10045.4.3.3'),
  ES512: ec('sha512', 'secp521r1', '1.2.840.10045.4.3.4'),
  RS256: rsa('sha256', 'pkcs1', '1.2.840.113549.1.1.11'),
  RS384: rsa('sha384', 'pkcs1', '1.2.840.113549.1.1.12'),
  RS512: rsa('sha512', 'pkcs1', '1.2.840.113549.1.1.13'),
  PS256: rsa('sha256', 'pss', '1.2.840.113549.1.1.10'),
  PS384: rsa('sha384', 'pss', '1.2.840.113549.1.1.10'),
  PS512: rsa('sha512', 'pss', '1.2.840.113549.1.1.10'),
  EdDSA: { keyKind: 'ed25519', hash: null, padding: undefined, curve: undefined, oid: '1.3.101.112' },
}

const byKeyType: Readonly<Record<KeyType, SignatureAlgorithm>> = {
  'ec-p256': 'ES256',
  'ec-p384': 'ES384',
  'rsa-2048': 'RS256',
  'rsa-4096': 'RS256',
}

/** The algorithm that a key of this type signs certificates and tokens with. */
export function algorithmOf(keyType: KeyType): SignatureAlgorithm {
  return byKeyType[keyType]
}

/** Whether a text, such as a token's `alg`, names one of the algorithms. */
export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return Object.hasOwn(signatureAlgorithms, name)
}
