import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { SignatureAlgorithm } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import type { Name } from '../../src/x509/name.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Store, StoreSnapshot } from '../store/store.ts'
import type { BundleAcknowledgements } from './bundle-acknowledgements.ts'
import type { AuthorityKind } from './make-authority.ts'
import { refreshHintFor } from './rotation.ts'

/** Of keys that sign tokens. */
export interface TokenAuthorityConfig {
  readonly keyType: KeyType
  readonly ttlSeconds: number
  /** Chooses between RS256 (the default) and PS256 for RSA keys; EC keys have one algorithm each. */
  readonly algorithm?: SignatureAlgorithm | undefined
}

export interface AuthorityConfig {
  readonly x509: { readonly keyType: KeyType; readonly ttlSeconds: number; readonly subject: Name }
  readonly jwt: TokenAuthorityConfig
  /** Undefined: this server signs no WIT-SVIDs, and has no authority for them in its bundle. */
  readonly wit?: (TokenAuthorityConfig & { readonly longestSvidSeconds: number }) | undefined
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

/** The kinds of authorities that a server has. */
export const kindsOf = ({ wit }: AuthorityConfig): readonly AuthorityKind[] =>
  wit === undefined ? ['x509', 'jwt'] : ['x509', 'jwt', 'wit']

/**
 * How authorities of a kind are made.
 *
 * @throws {@link SallyportError} `METHOD_UNIMPLEMENTED` for a kind that this server has none of
 */
export function authorityOptions(
  kind: AuthorityKind,
  config: AuthorityConfig,
): { readonly keyType: KeyType; readonly ttlSeconds: number } {
  const options = config[kind]
  if (options !== undefined) return options
  throw witNotOffered()
}

/** What is answered wherever WIT-SVIDs are asked for and the operator has not turned them on. */
export const witNotOffered = (): SallyportError =>
  new SallyportError('METHOD_UNIMPLEMENTED', 'WIT-SVIDs are not offered by this server', {
    hint: 'They are Incubating: set experimental.witSvid to true in server.yaml.',
  })

/** The default life of the longest SVID of a kind. */
export function longestSvidMs(kind: AuthorityKind, config: AuthorityConfig): number {
  const seconds = {
    x509: config.longestX509SvidSeconds,
    jwt: config.longestJwtSvidSeconds,
    wit: config.wit?.longestSvidSeconds ?? 0,
  }
  return seconds[kind] * 1000
}

/** The refresh hint that the bundle carries: short enough for every kind of authorities. */
export function refreshHintSecondsOf(config: AuthorityConfig): number {
  const hints = kindsOf(config).map((kind) =>
    refreshHintFor(
      authorityOptions(kind, config).ttlSeconds * 1000,
      longestSvidMs(kind, config),
      config.refreshHintSeconds,
    ),
  )
  return Math.min(...hints)
}
