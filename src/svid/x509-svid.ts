import type { KeyObject } from 'node:crypto'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { Certificate } from '../x509/certificate.ts'

/** An X509-SVID: chain, leaf first, without the root; with its key where this process is the holder. */
export interface X509Svid {
  readonly spiffeId: SpiffeId
  readonly chain: readonly [Certificate, ...Certificate[]]
  readonly privateKey: KeyObject | undefined
  readonly hint: string
}
