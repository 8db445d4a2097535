import type { Clock } from '../../src/clock.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { SignatureAlgorithm } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import type { Name } from '../../src/x509/name.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Store, StoreSnapshot } from '../store/store.ts'
import type { BundleAcknowledgements } from './bundle-acknowledgements.ts'
import { type AuthorityKind, authorityKinds } from './make-authority.ts'
import { refreshHintFor } from './rotation.ts'

export interface AuthorityConfig {
  readonly x509: { readonly keyType: KeyType; readonly ttlSeconds: number; readonly subject: Name }
  readonly jwt: {
    readonly keyType: KeyType
    readonly ttlSeconds: number
    /** Chooses between RS256 (the default) and PS256 for RSA keys; EC keys have one algorithm each. */
    readonly algorithm?: SignatureAlgorithm | undefined
  }
  /** The longest lives that SVIDs have by default; authorities are replaced so long before their end. */
  readonly longestX509SvidSeconds: number
  readonly longestJwtSvidSeconds: number
  /** The most seconds between two looks of others at the bundle. */
  readonly refreshHintSeconds: number
  /** How long the wall clock must run evenly before anything is destroyed. */
  readonly clockSettleSeconds: number
}

export interface AuthoritiesDeps {
  readonly trustDomain: TrustDomain
  /** Names this server among several that share a store. */
  readonly serverId: string
  readonly store: Pick<Store, 'commit' | 'snapshot' | 'watch'>
  readonly keys: KeyStore
  readonly clock: Clock
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly acknowledgements: BundleAcknowledgements
  readonly config: AuthorityConfig
  /** Spares a second reading of the store at start. */
  readonly snapshot?: StoreSnapshot | undefined
}

/** The default life of the longest SVID of a kind. */
export function longestSvidMs(kind: AuthorityKind, config: AuthorityConfig): number {
  return (kind === 'x509' ? config.longestX509SvidSeconds : config.longestJwtSvidSeconds) * 1000
}

/** The refresh hint that the bundle carries: short enough for both kinds of authorities. */
export function refreshHintSecondsOf(config: AuthorityConfig): number {
  const hints = authorityKinds.map((kind) =>
    refreshHintFor(config[kind].ttlSeconds * 1000, longestSvidMs(kind, config), config.refreshHintSeconds),
  )
  return Math.min(...hints)
}
