import type { HeldSvid } from './held-svid.ts'

/** What workloads get, in the bytes that they get. */
export interface X509Material {
  /** DER certificates one after the other, leaf first. */
  readonly chain: Buffer
  /** PKCS#8 DER. */
  readonly privateKey: Buffer
  readonly notBefore: Date
  readonly serialNumber: bigint
}

/** An X509-SVID that this agent holds for one entry. Its authority is the one at the end of its chain. */
export type HeldX509Svid = HeldSvid & X509Material
