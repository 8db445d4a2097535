import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import { parseWitJwks } from '../bundle/jwks.ts'
import type { WitBundlesResponse, WitSvidResponse } from '../wire/messages/spiffe-workload.ts'
import { parseWitSvid, type WitSvidWithKey, withPrivateKey } from '../wit/wit-svid.ts'
import { incomplete, nonEmpty, trustDomainOfKey } from './x509-context.ts'

/**
 * The WIT-SVIDs of a message with their keys, the default one first. One that is wrong makes all of the message unusable.
 *
 * @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, and those of the tokens and keys in it
 */
export function witSvidsOf({ svids }: WitSvidResponse): readonly WitSvidWithKey[] {
  if (svids.length === 0) throw incomplete('it has no SVID')
  return svids.map(({ spiffeId, witSvid, witSvidKey, hint }) => {
    if (witSvid === '' || witSvidKey === '') throw incomplete('an SVID comes without its token or key')
    const svid = withPrivateKey(parseWitSvid(witSvid, hint), witSvidKey)
    if (svid.spiffeId.toString() !== spiffeId) throw incomplete(`a token of ${svid.spiffeId} is announced as another`)
    return svid
  })
}

/**
 * The WIT bundles of a message: the own trust domain's and those of partners.
 *
 * @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, `BUNDLE_INVALID`, `JSON_INVALID`, `TRUST_DOMAIN_INVALID`
 */
export function witBundlesOf({ bundles }: WitBundlesResponse): BundleSet {
  return bundleSetOf(nonEmpty(bundles).map(([key, jwks]) => parseWitJwks(jwks, trustDomainOfKey(key))))
}
