import type { Bundle } from '../../src/bundle/bundle.ts'
import { printJwks } from '../../src/bundle/jwks.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { JwtBundlesResponse } from '../../src/wire/messages/spiffe-workload.ts'
import type { Matched } from '../entries/subscription.ts'
import { fittingBundles } from './x509-messages.ts'

const jwksCache = new WeakMap<Bundle, Buffer>()

function jwksOf(bundle: Bundle): Buffer {
  let jwks = jwksCache.get(bundle)
  if (jwks === undefined) {
    jwks = Buffer.from(printJwks(bundle))
    jwksCache.set(bundle, jwks)
  }
  return jwks
}

/** @throws {@link SallyportError} `IDENTITY_PENDING` */
export function jwtBundles({ ownBundle, federatedBundles }: Matched, log: Log): JwtBundlesResponse {
  if (ownBundle === undefined) {
    throw new SallyportError('IDENTITY_PENDING', 'Cannot hand out bundles yet: this agent has none of its trust domain')
  }
  const fitting = fittingBundles(federatedBundles, jwksOf, jwksOf(ownBundle).length, log)
  return {
    bundles: Object.fromEntries([ownBundle, ...fitting].map((bundle) => [bundle.trustDomain.idString, jwksOf(bundle)])),
  }
}
