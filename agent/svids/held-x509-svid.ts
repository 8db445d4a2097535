import type { KeyObject } from 'node:crypto'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Certificate } from '../../src/x509/certificate.ts'

/** An SVID that expires this soon would be refused by the time it is used. */
export const EXPIRY_MARGIN_MS = 1_000

/** An X509-SVID that this agent holds for one entry, in the bytes that workloads get. */
export interface HeldX509Svid {
  readonly entryId: string
  /** The entry as it was when this was signed. */
  readonly entryRevision: number
  readonly entryCreatedAt: Date
  readonly spiffeId: SpiffeId
  /** DER certificates one after the other, leaf first. */
  readonly chain: Buffer
  /** PKCS#8 DER. */
  readonly privateKey: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** Drawn once. */
  readonly renewAt: Date
  readonly serialNumber: bigint
  /** Key id of the authority at the end of the chain, hex; undefined when the chain does not say. */
  readonly authorityKeyId: string | undefined
}

export function heldX509Svid(fields: {
  readonly entry: { readonly id: string; readonly revisionNumber: number; readonly createdAt: Date }
  readonly spiffeId: SpiffeId
  readonly certificates: readonly [Certificate, ...Certificate[]]
  readonly privateKey: KeyObject
  readonly renewAt: Date
}): HeldX509Svid {
  const { entry, certificates, privateKey } = fields
  const [leaf] = certificates
  return {
    entryId: entry.id,
    entryRevision: entry.revisionNumber,
    entryCreatedAt: entry.createdAt,
    spiffeId: fields.spiffeId,
    chain: Buffer.concat(certificates.map(({ der }) => der)),
    privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
    notBefore: leaf.notBefore,
    // A chain is worth no more than its shortest-lived certificate.
    notAfter: new Date(Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))),
    renewAt: fields.renewAt,
    serialNumber: leaf.serialNumber,
    authorityKeyId: certificates.at(-1)?.authorityKeyId?.toString('hex'),
  }
}
