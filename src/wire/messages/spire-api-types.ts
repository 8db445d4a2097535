// Written by proto/generate-types.ts from the .proto files. Do not edit.

export interface Bundle {
  readonly trustDomain: string
  readonly x509Authorities: readonly X509Certificate[]
  readonly jwtAuthorities: readonly JwtKey[]
  readonly refreshHint: number
  readonly sequenceNumber: number
  readonly witAuthorities: readonly WitKey[]
}

export interface X509Certificate {
  readonly asn1: Buffer
  readonly tainted: boolean
}

export interface JwtKey {
  readonly publicKey: Buffer
  readonly keyId: string
  readonly expiresAt: number
  readonly tainted: boolean
}

export interface WitKey {
  readonly publicKey: Buffer
  readonly keyId: string
  readonly expiresAt: number
  readonly tainted: boolean
}

export interface BundleMask {
  readonly x509Authorities: boolean
  readonly jwtAuthorities: boolean
  readonly refreshHint: boolean
  readonly sequenceNumber: boolean
  readonly witAuthorities: boolean
}

export interface Entry {
  readonly id: string
  readonly spiffeId: SpiffeId | null
  readonly parentId: SpiffeId | null
  readonly selectors: readonly Selector[]
  readonly x509SvidTtl: number
  readonly federatesWith: readonly string[]
  readonly admin: boolean
  readonly downstream: boolean
  readonly expiresAt: number
  readonly dnsNames: readonly string[]
  readonly revisionNumber: number
  readonly storeSvid: boolean
  readonly jwtSvidTtl: number
  readonly hint: string
  readonly createdAt: number
  readonly additionalAttributes?: EntryAdditionalAttributes | null | undefined
}

export interface EntryAdditionalAttributes {
  readonly disableX509SvidPrefetch: boolean
  readonly jwtSvidIncludeJti: boolean
}

export interface EntryMask {
  readonly spiffeId: boolean
  readonly parentId: boolean
  readonly selectors: boolean
  readonly x509SvidTtl: boolean
  readonly federatesWith: boolean
  readonly admin: boolean
  readonly downstream: boolean
  readonly expiresAt: boolean
  readonly dnsNames: boolean
  readonly revisionNumber: boolean
  readonly storeSvid: boolean
  readonly jwtSvidTtl: boolean
  readonly hint: boolean
  readonly createdAt: boolean
  readonly additionalAttributes: boolean
}

export interface Selector {
  readonly type: string
  readonly value: string
}

export interface SelectorMatch {
  readonly selectors: readonly Selector[]
  readonly match: SelectorMatchMatchBehavior
}

export type SelectorMatchMatchBehavior = 'MATCH_EXACT' | 'MATCH_SUBSET' | 'MATCH_SUPERSET' | 'MATCH_ANY'

export interface SpiffeId {
  readonly trustDomain: string
  readonly path: string
}

export interface Agent {
  readonly id: SpiffeId | null
  readonly attestationType: string
  readonly x509svidSerialNumber: string
  readonly x509svidExpiresAt: number
  readonly selectors: readonly Selector[]
  readonly banned: boolean
  readonly canReattest: boolean
  readonly agentVersion: string
}

export interface AgentMask {
  readonly attestationType: boolean
  readonly x509svidSerialNumber: boolean
  readonly x509svidExpiresAt: boolean
  readonly selectors: boolean
  readonly banned: boolean
  readonly canReattest: boolean
  readonly agentVersion: boolean
}

export interface AttestationData {
  readonly type: string
  readonly payload: Buffer
}

export interface FederatesWithMatch {
  readonly trustDomains: readonly string[]
  readonly match: FederatesWithMatchMatchBehavior
}

export type FederatesWithMatchMatchBehavior = 'MATCH_EXACT' | 'MATCH_SUBSET' | 'MATCH_SUPERSET' | 'MATCH_ANY'

export interface FederationRelationship {
  readonly trustDomain: string
  readonly bundleEndpointUrl: string
  readonly httpsWeb?: HttpsWebProfile | null | undefined
  readonly httpsSpiffe?: HttpsSpiffeProfile | null | undefined
  readonly trustDomainBundle: Bundle | null
  readonly bundleEndpointProfile?: 'httpsWeb' | 'httpsSpiffe' | undefined
}

export interface HttpsSpiffeProfile {
  readonly endpointSpiffeId: string
}

export interface HttpsWebProfile {}

export interface FederationRelationshipMask {
  readonly bundleEndpointUrl: boolean
  readonly bundleEndpointProfile: boolean
  readonly trustDomainBundle: boolean
}

export interface JoinToken {
  readonly value: string
  readonly expiresAt: number
}

export interface JwtSvid {
  readonly token: string
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly issuedAt: number
  readonly hint: string
}

export interface Logger {
  readonly currentLevel: LogLevel
  readonly launchLevel: LogLevel
}

export type LogLevel = 'UNSPECIFIED' | 'PANIC' | 'FATAL' | 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE'

export interface Status {
  readonly code: number
  readonly message: string
}

export interface PermissionDeniedDetails {
  readonly reason: PermissionDeniedDetailsReason
}

export type PermissionDeniedDetailsReason =
  'UNKNOWN' | 'AGENT_EXPIRED' | 'AGENT_NOT_ATTESTED' | 'AGENT_NOT_ACTIVE' | 'AGENT_BANNED' | 'AGENT_MUST_REATTEST'

export interface WitSvid {
  readonly token: string
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly issuedAt: number
  readonly hint: string
}

export interface X509Svid {
  readonly certChain: readonly Buffer[]
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly hint: string
}
