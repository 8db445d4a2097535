/**
 * The SDK of Sallyport: identities of this workload from any SPIFFE Workload API, and the verification of others.
 *
 * @packageDocumentation
 */

// Errors
export { type ErrorCode, isSallyportError, SallyportError } from './errors.ts'

// Identities
export { SpiffeId } from './id/spiffe-id.ts'
export { TrustDomain } from './id/trust-domain.ts'
export { atOrBelow, exactly, type IdMatcher, memberOf } from './id/matcher.ts'

// Sources and the Workload API
export { X509Source, type X509Identity, type X509SourceOptions, type X509State } from './workload/x509-source.ts'
export { JwtSource, type JwtSourceOptions, type JwtSvidFetch } from './workload/jwt-source.ts'
export { BundleSource, type BundleSourceOptions } from './workload/bundle-source.ts'
export { PolicySource, type PolicySourceOptions } from './workload/policy-source.ts'
export type { PolicyChanges, PolicyContext, PolicySlice } from './workload/policy-context.ts'
export type { SourceOptions, SvidClient } from './workload/source-options.ts'
export type { Clock } from './clock.ts'
export type { SourceHealth, SourceStatus } from './workload/source-health.ts'
export type { SvidChoice, SvidPicker } from './workload/select-svid.ts'
export {
  type JwtSvidRequest,
  type ValidatedJwtSvid,
  type WatchSettings,
  WorkloadClient,
  type WorkloadClientOptions,
  type X509WatchSettings,
} from './workload/workload-client.ts'
export type { X509Context } from './workload/x509-context.ts'

// SVIDs and bundles
export {
  type CertificateChain,
  type JwtVerifyOptions,
  verifyJwtSvid,
  verifyX509Svid,
  type X509VerifyOptions,
} from './svid/verify.ts'
export type { X509Svid } from './svid/x509-svid.ts'
export type { JwtSvid } from './svid/jwt-svid.ts'
export type { Certificate } from './x509/certificate.ts'
export type { Crl } from './x509/crl.ts'
export type { Bundle, JwtAuthority, X509Authority } from './bundle/bundle.ts'
export { type BundleSet, bundleSetOf } from './bundle/bundle-set.ts'
export { parseBundleDocument } from './bundle/bundle-document.ts'
export { parseBundleMap } from './bundle/bundle-map.ts'

// TLS, HTTP and tokens on requests
export { protect, tlsServer, type TlsServerOptions } from './tls/tls-server.ts'
export { tlsClient, type ServerMatcher, type TlsClientOptions } from './tls/tls-client.ts'
export { connectTls, type ConnectTlsOptions, type TlsDestination, type VerifiedConnection } from './tls/connect-tls.ts'
export { httpsAgent, type HttpsAgentOptions } from './tls/https-agent.ts'
export { connectHttp2, type ConnectHttp2Options } from './tls/connect-http2.ts'
export { dispatcher, type DispatcherOptions, type FetchDispatcher } from './tls/dispatcher.ts'
export type { ReusingClientOptions } from './tls/client-connections.ts'
export { peerOf } from './tls/peer-of.ts'
export type { VerifiedPeer } from './tls/verified-peer.ts'
export type { Emit, OnRefused } from './tls/server-guard.ts'
export type { PresentedCertificate } from './tls/verify-peer.ts'
export { Connections, type ConnectionsOptions } from './tls/connections.ts'
export type { CloseReason, Connection } from './tls/connection.ts'
export type { Retirement } from './tls/retirement.ts'
export type { TlsSource } from './tls/tls-source.ts'
export {
  bearer,
  type BearerMiddleware,
  type BearerOptions,
  type BearerRequest,
  type BearerResponse,
  bearerVerifier,
  callerOf,
  type TokenVerifier,
} from './http/bearer.ts'
export { jwtFetch, type JwtFetchOptions } from './http/jwt-fetch.ts'
export type { TokenSource } from './http/token-source.ts'

// Zones: the policy at the peer
export { enforce } from './enforce/enforce.ts'
export { Enforcer, type EnforceOptions } from './enforce/enforcer.ts'
export { egress, type EgressOptions } from './enforce/egress.ts'
export type { Decision } from './policy/decision.ts'
