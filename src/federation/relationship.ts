import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { readPemCertificates, printPem } from '../x509/pem.ts'
import { EndpointUrl } from './endpoint-url.ts'
import { type InitialBundle, parseInitialBundle } from './given-bundle.ts'

/** What every relationship with a foreign trust domain says: whose bundle, and where it is published. */
export interface RelationshipFields {
  /** Whose bundle is fetched. It is never concluded from the URL. */
  readonly trustDomain: TrustDomain | string
  /** `https://host:port/path?query`, without user and password. */
  readonly url: string
  /** Follow up to five redirects, each anew at every fetch. Default: yes. */
  readonly followRedirects?: boolean | undefined
}

/** An endpoint with a certificate of the Web: issued by a CA that Node trusts, for the host of the URL. */
export interface HttpsWebRelationship extends RelationshipFields {
  readonly profile: 'https_web'
  /** Certificates (PEM) of more CAs to accept, such as that of a test. Default: those that Node trusts, and no other. */
  readonly ca?: string | undefined
}

/** An endpoint with an X509-SVID. What its host is called does not count, only who it is. */
export interface HttpsSpiffeRelationship extends RelationshipFields {
  readonly profile: 'https_spiffe'
  /** Who must answer, exactly. */
  readonly endpointId: SpiffeId | string
  /**
   * For an endpoint in the trust domain that it publishes: the bundle that verifies it the first time, as a SPIFFE bundle or as
   * PEM. It is of no use for anything else, and of none after the first fetch.
   */
  readonly bundle?: string | undefined
}

/** One foreign trust domain whose bundle is fetched. It says whom to trust here, and nothing about who trusts us there. */
export type RelationshipOptions = HttpsWebRelationship | HttpsSpiffeRelationship

/** How an endpoint proves itself. */
export type EndpointProfile =
  | { readonly profile: 'https_web'; readonly ca: readonly string[] }
  | { readonly profile: 'https_spiffe'; readonly endpointId: SpiffeId; readonly initial: InitialBundle | undefined }

/** A relationship that is complete. Whether it goes with the others is for `checkRelationships` to say. */
export interface Relationship {
  readonly trustDomain: TrustDomain
  readonly url: EndpointUrl
  readonly followRedirects: boolean
  readonly endpoint: EndpointProfile
}

const REQUIRED = {
  https_web: ['trustDomain', 'url', 'profile'],
  https_spiffe: ['trustDomain', 'url', 'profile', 'endpointId'],
} as const
const OPTIONAL = {
  https_web: ['followRedirects', 'ca'],
  https_spiffe: ['followRedirects', 'bundle'],
} as const

/**
 * Reads a relationship. Nothing that is missing is concluded from the rest, and what belongs to the other profile is refused:
 * whoever wrote it may have meant that one.
 *
 * @throws {@link SallyportError} `RELATIONSHIP_INVALID`; `TRUST_DOMAIN_INVALID`, `SPIFFE_ID_INVALID`, `CERTIFICATE_INVALID`, and those
 *   of the initial bundle
 * @see SPIFFE_Federation.md §4.1 and §5
 */
export function parseRelationship(options: RelationshipOptions): Relationship {
  checkParameters(options)
  const trustDomain = trustDomainOf(options.trustDomain)
  const [url, { followRedirects = true }] = [EndpointUrl.parse(options.url), options]
  return { trustDomain, url, followRedirects, endpoint: endpointOf(options, trustDomain) }
}

/** The trust domain whose bundle must verify the endpoint, where that is not the one it publishes. */
export function otherServerOf({ endpoint, trustDomain }: Relationship): TrustDomain | undefined {
  if (endpoint.profile === 'https_web') return undefined
  return endpoint.endpointId.isMemberOf(trustDomain) ? undefined : endpoint.endpointId.trustDomain
}

/** The digest of the bundle that is configured to verify the endpoint the first time. */
export const initialDigestOf = ({ endpoint }: Relationship): string | undefined =>
  endpoint.profile === 'https_spiffe' ? endpoint.initial?.digest : undefined

/** For messages and for comparison: everything that makes it this relationship and no other. */
export function parametersOf({ trustDomain, url, endpoint }: Relationship): RelationshipParameters {
  const endpointId = endpoint.profile === 'https_spiffe' ? { endpointId: endpoint.endpointId.toString() } : {}
  return { trustDomain: trustDomain.name, url: url.toString(), profile: endpoint.profile, ...endpointId }
}

export interface RelationshipParameters {
  readonly trustDomain: string
  readonly url: string
  readonly profile: RelationshipOptions['profile']
  readonly endpointId?: string
}

export const trustDomainOf = (name: TrustDomain | string): TrustDomain =>
  typeof name === 'string' ? TrustDomain.parse(name) : name

function endpointOf(options: RelationshipOptions, trustDomain: TrustDomain): EndpointProfile {
  if (options.profile === 'https_web') return { profile: 'https_web', ca: certificatesOf(options.ca) }
  const { endpointId: id, bundle } = options
  const endpointId = typeof id === 'string' ? SpiffeId.parse(id) : id
  if (endpointId.path === '') throw invalid(trustDomain.name, `${endpointId} is a trust domain, and no workload`)
  if (bundle !== undefined && !endpointId.isMemberOf(trustDomain)) {
    throw invalid(
      trustDomain.name,
      `its endpoint is of ${endpointId.trustDomain}, whose bundle verifies it and needs a relationship of its own`,
    )
  }
  const initial = bundle === undefined ? undefined : parseInitialBundle(bundle, trustDomain)
  return { profile: 'https_spiffe', endpointId, initial }
}

/** One by one, as `node:tls` takes them. */
const certificatesOf = (pem: string | undefined): readonly string[] =>
  pem === undefined ? [] : readPemCertificates(pem).map((certificate) => printPem([certificate]))

const isProfile = (name: unknown): name is RelationshipOptions['profile'] =>
  typeof name === 'string' && Object.hasOwn(REQUIRED, name)

/** For callers without types, or whose configuration comes from a file. */
function checkParameters(options: RelationshipOptions): void {
  const given = new Map<string, unknown>(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== ''),
  )
  const named = given.get('trustDomain')
  const name = named instanceof TrustDomain ? named.name : typeof named === 'string' ? named.slice(0, 255) : 'nobody'
  const profile = given.get('profile')
  if (profile !== undefined && !isProfile(profile))
    throw invalid(name, `the profile ${JSON.stringify(profile)} is neither https_web nor https_spiffe`)
  const missing = REQUIRED[profile ?? 'https_web'].filter((parameter) => !given.has(parameter))
  if (profile === undefined || missing.length > 0) throw invalid(name, `${missing.join(' and ')} missing`)
  if (typeof (options.followRedirects ?? true) !== 'boolean')
    throw invalid(name, 'followRedirects is neither true nor false')
  const known: readonly string[] = [...REQUIRED[profile], ...OPTIONAL[profile]]
  const unknown = [...given.keys()].filter((parameter) => !known.includes(parameter))
  if (unknown.length > 0) throw invalid(name, `the profile ${profile} has no ${unknown.join(' and ')}`)
}

export function invalid(trustDomain: string, why: string): SallyportError {
  return new SallyportError('RELATIONSHIP_INVALID', `Cannot federate with ${trustDomain}: ${why}`)
}
