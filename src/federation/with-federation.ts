import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import type { TokenVerifier } from '../http/bearer.ts'
import type { JwtSvid } from '../svid/jwt-svid.ts'
import { type JwtVerifyOptions, verifyJwtSvid } from '../svid/verify.ts'
import { checkSource, type TlsSource } from '../tls/tls-source.ts'

/** Who knows bundles of foreign trust domains, such as `BundleEndpoints`. */
export interface ForeignBundles {
  current(): BundleSet
}

/** Who knows bundles to verify tokens with, such as `JwtSource` and `WitSource`. */
export interface TokenBundles {
  readonly bundles: BundleSet
}

/** Verifies tokens of the trust domains of both. */
export interface FederatedTokens extends TokenBundles, TokenVerifier {
  /** As `verifyJwtSvid` does, with the bundles of this moment. */
  verify(token: string, audience: readonly string[] | string, options?: JwtVerifyOptions): Promise<JwtSvid>
}

/**
 * A source that also verifies peers of the trust domains whose bundles a workload fetches itself: for `tlsServer`, `enforce`,
 * `dispatcher` and whatever else takes an `X509Source`; for `bearer` made of a `JwtSource`.
 *
 * Bundles are never merged. Of a trust domain that the source knows too, its own first of all, the source's bundle counts alone.
 *
 * @example
 * ```ts
 * const federated = withFederation(source, endpoints)
 * const options = tlsServer(federated, { allow: memberOf('partner.example') })
 * ```
 */
export function withFederation(source: TlsSource, foreign: ForeignBundles): TlsSource
export function withFederation(source: TokenBundles, foreign: ForeignBundles): FederatedTokens
export function withFederation(source: TlsSource | TokenBundles, foreign: ForeignBundles): TlsSource | FederatedTokens {
  const join = joining()
  if ('bundles' in source) {
    const bundles = (): BundleSet => join(source.bundles, foreign.current())
    return {
      get bundles() {
        return bundles()
      },
      verify: async (token, audience, options) => verifyJwtSvid(token, audience, bundles(), options),
    }
  }
  checkSource(source)
  let last: Identity | undefined
  return {
    current() {
      const { svid, bundles: own } = source.current()
      const bundles = join(own, foreign.current())
      // The same object until the next change, because much is remembered by it.
      if (last?.svid !== svid || last.bundles !== bundles) last = { svid, bundles }
      return last
    },
  }
}

type Identity = ReturnType<TlsSource['current']>

/** Puts two sets beside each other; the result is the same object for as long as both are. */
function joining(): (own: BundleSet, foreign: BundleSet) => BundleSet {
  let last: { readonly own: BundleSet; readonly foreign: BundleSet; readonly joined: BundleSet } | undefined
  return (own, foreign) => {
    if (last?.own !== own || last.foreign !== foreign) {
      // Of two for one trust domain the later one counts, whole.
      last = { own, foreign, joined: bundleSetOf([...foreign.values(), ...own.values()]) }
    }
    return last.joined
  }
}
