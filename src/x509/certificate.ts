import type { KeyObject } from 'node:crypto'

/** A parsed X.509 certificate: strict DER within size limits. Holding one proves that it was read, not that it is trusted. */
export interface Certificate {
  readonly der: Buffer
  readonly serialNumber: bigint
  /** DER of the names, compared byte for byte in chains. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  readonly spki: Buffer
  readonly uriSans: readonly string[]
  readonly dnsSans: readonly string[]
  readonly isCa: boolean
  readonly pathLength: number | undefined
  readonly basicConstraintsPresent: boolean
  /** Bits as in RFC 5280 §4.2.1.3, or undefined when the extension is absent. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly subjectKeyId: Buffer | undefined
  readonly authorityKeyId: Buffer | undefined
  /** OIDs of critical extensions that this reader does not process; a verifier refuses any. */
  readonly unknownCriticalExtensions: readonly string[]
  readonly signatureAlgorithm: string
  /** The signed bytes and the signature over them. */
  readonly tbs: Buffer
  readonly signature: Buffer
}

export type KeyUsage =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign'
  | 'encipherOnly'
  | 'decipherOnly'
