import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import type { Bundle } from '../bundle/bundle.ts'
import { printJwks, printWitJwks } from '../bundle/jwks.ts'
import type {
  JwtBundlesResponse,
  WitBundlesResponse,
  X509BundlesResponse,
  X509SvidResponse,
} from '../wire/messages/spiffe-workload.ts'
import type { Sent } from '../wire/service.ts'
import type { TestAuthority, TestSvid } from './test-authority.ts'

/** An identity with the hint that tells it from others. */
export interface HintedSvid {
  readonly svid: TestSvid
  readonly hint: string
}

/** What a fake Workload API serves to every workload that asks. */
export interface WorkloadState {
  /** The identities of the workload, the default one first: good SVIDs, or those of {@link issueBad}. */
  readonly svids: readonly (TestSvid | HintedSvid)[]
  /**
   * The authority of the identities first; then those of trust domains that are federated with. Several of one trust domain are
   * in its bundle together, as during a rotation.
   */
  readonly authorities: readonly [TestAuthority, ...TestAuthority[]]
}

/** A state as the Workload API sends it. */
export class WorkloadMessages {
  readonly svids: readonly HintedSvid[]
  readonly home: TestAuthority
  readonly bundles: BundleSet
  readonly #witBundles: readonly Bundle[]

  constructor({ svids, authorities }: WorkloadState) {
    this.svids = svids.map((one) => ('svid' in one ? one : { svid: one, hint: '' }))
    this.home = authorities[0]
    const ofEach = [...Map.groupBy(authorities, ({ trustDomain }) => trustDomain.name).values()]
    this.bundles = bundleSetOf(ofEach.map((all) => all[0]!.bundleWithJwt(...all)))
    this.#witBundles = ofEach.map((all) => all[0]!.bundleWithWit(...all))
  }

  x509Svids(): Sent<X509SvidResponse> & { readonly svids: readonly object[] } {
    const { trustDomain } = this.home
    const own = derOf(this.bundles.get(trustDomain)!)
    const svids = this.svids.map(({ svid, hint }) => ({
      spiffeId: nameOf(svid),
      x509Svid: Buffer.concat(svid.chain.map(({ der }) => der)),
      x509SvidKey: svid.keyPair.privateKey.export({ type: 'pkcs8', format: 'der' }),
      bundle: own,
      hint,
    }))
    const foreign = this.bundles.values().filter((bundle) => !bundle.trustDomain.equals(trustDomain))
    return { svids, crl: [], federatedBundles: byId(foreign, derOf) }
  }

  x509Bundles(): Sent<X509BundlesResponse> {
    return { crl: [], bundles: byId(this.bundles.values(), derOf) }
  }

  jwtBundles(): Sent<JwtBundlesResponse> {
    return { bundles: byId(this.bundles.values(), (bundle) => Buffer.from(printJwks(bundle))) }
  }

  witBundles(): Sent<WitBundlesResponse> {
    return { bundles: byId(this.#witBundles, printWitJwks) }
  }
}

/** Who an SVID says it is, whatever else is wrong with it. */
export const nameOf = ({ certificate }: TestSvid): string => certificate.uriSans[0] ?? ''

const derOf = ({ x509Authorities }: Bundle): Buffer =>
  Buffer.concat(x509Authorities.map(({ certificate }) => certificate.der))

const byId = <T>(bundles: readonly Bundle[], valueOf: (bundle: Bundle) => T): Record<string, T> =>
  Object.fromEntries(bundles.map((bundle) => [bundle.trustDomain.idString, valueOf(bundle)]))
