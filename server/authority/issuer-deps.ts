import type { Clock } from '../../src/clock.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Name } from '../../src/x509/name.ts'
import type { IssuanceGate } from '../policy/issuance-gate.ts'
import type { Store } from '../store/store.ts'
import type { Authorities } from './authorities.ts'

export interface IssuerConfig {
  readonly trustDomain: TrustDomain
  readonly x509TtlSeconds: number
  readonly agentTtlSeconds: number
  readonly jwtTtlSeconds: number
  readonly witTtlSeconds: number
  /** Of a signing certificate for a nested server. */
  readonly caTtlSeconds: number
  /** The subject of SVIDs; empty unless an operator wants one. */
  readonly subject?: Name | undefined
  /** The `iss` claim of each kind of token; left out when undefined. */
  readonly jwtIssuer?: string | undefined
  readonly witIssuer?: string | undefined
}

export interface IssuerDeps {
  readonly authorities: Pick<Authorities, 'activeX509' | 'activeJwt' | 'activeWit' | 'isPublished' | 'recordLife'>
  /** Where the audit journal is. */
  readonly store: Pick<Store, 'commit'>
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
  readonly config: IssuerConfig
  /** What policy and lifecycle say before anything is signed. */
  readonly gate: IssuanceGate
}
