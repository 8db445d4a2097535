/** A parsed certificate revocation list: strict DER within size limits. Holding one says nothing about who signed it. */
export interface Crl {
  /** DER of the name, compared byte for byte. */
  readonly issuer: Buffer
  readonly thisUpdate: Date
  /** When the next one is due; undefined when it does not say. */
  readonly nextUpdate: Date | undefined
  /** The serial numbers that it revokes, as the hexadecimal digits of their bytes. */
  readonly revoked: ReadonlySet<string>
  readonly authorityKeyId: Buffer | undefined
  readonly signatureAlgorithm: string
  /** The signed bytes and the signature over them. */
  readonly tbs: Buffer
  readonly signature: Buffer
}

/** How a list names a certificate. */
export const serialKey = (serialNumber: bigint): string => serialNumber.toString(16)
