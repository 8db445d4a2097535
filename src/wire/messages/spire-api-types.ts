// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type EnumNumbers, type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'

export type SelectorMatchMatchBehavior = 'MATCH_EXACT' | 'MATCH_SUBSET' | 'MATCH_SUPERSET' | 'MATCH_ANY'

export const selectorMatchMatchBehaviorNumbers: EnumNumbers = {
  MATCH_EXACT: 0,
  MATCH_SUBSET: 1,
  MATCH_SUPERSET: 2,
  MATCH_ANY: 3,
}

export type PermissionDeniedDetailsReason =
  'UNKNOWN' | 'AGENT_EXPIRED' | 'AGENT_NOT_ATTESTED' | 'AGENT_NOT_ACTIVE' | 'AGENT_BANNED' | 'AGENT_MUST_REATTEST'

export const permissionDeniedDetailsReasonNumbers: EnumNumbers = {
  UNKNOWN: 0,
  AGENT_EXPIRED: 1,
  AGENT_NOT_ATTESTED: 2,
  AGENT_NOT_ACTIVE: 3,
  AGENT_BANNED: 4,
  AGENT_MUST_REATTEST: 5,
}

export type FederatesWithMatchMatchBehavior = 'MATCH_EXACT' | 'MATCH_SUBSET' | 'MATCH_SUPERSET' | 'MATCH_ANY'

export const federatesWithMatchMatchBehaviorNumbers: EnumNumbers = {
  MATCH_EXACT: 0,
  MATCH_SUBSET: 1,
  MATCH_SUPERSET: 2,
  MATCH_ANY: 3,
}

export type LogLevel = 'UNSPECIFIED' | 'PANIC' | 'FATAL' | 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE'

export const logLevelNumbers: EnumNumbers = {
  UNSPECIFIED: 0,
  PANIC: 1,
  FATAL: 2,
  ERROR: 3,
  WARN: 4,
  INFO: 5,
  DEBUG: 6,
  TRACE: 7,
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

export const entryType: MessageType<Entry> = {
  name: 'spire.api.types.Entry',
  create: () => ({
    id: '',
    spiffeId: null,
    parentId: null,
    selectors: NO_ITEMS,
    x509SvidTtl: 0,
    federatesWith: NO_ITEMS,
    admin: false,
    downstream: false,
    expiresAt: 0,
    dnsNames: NO_ITEMS,
    revisionNumber: 0,
    storeSvid: false,
    jwtSvidTtl: 0,
    hint: '',
    createdAt: 0,
  }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'spiffeId', kind: 'message', type: () => spiffeIdType },
    { number: 3, name: 'parentId', kind: 'message', type: () => spiffeIdType },
    { number: 4, name: 'selectors', kind: 'message', type: () => selectorType, repeated: true },
    { number: 5, name: 'x509SvidTtl', kind: 'int32' },
    { number: 6, name: 'federatesWith', kind: 'string', repeated: true },
    { number: 7, name: 'admin', kind: 'bool' },
    { number: 8, name: 'downstream', kind: 'bool' },
    { number: 9, name: 'expiresAt', kind: 'int64' },
    { number: 10, name: 'dnsNames', kind: 'string', repeated: true },
    { number: 11, name: 'revisionNumber', kind: 'int64' },
    { number: 12, name: 'storeSvid', kind: 'bool' },
    { number: 13, name: 'jwtSvidTtl', kind: 'int32' },
    { number: 14, name: 'hint', kind: 'string' },
    { number: 15, name: 'createdAt', kind: 'int64' },
    {
      number: 16,
      name: 'additionalAttributes',
      kind: 'message',
      type: () => entryAdditionalAttributesType,
      presence: 'always',
    },
  ],
}

export interface EntryAdditionalAttributes {
  readonly disableX509SvidPrefetch: boolean
  readonly jwtSvidIncludeJti: boolean
}

export const entryAdditionalAttributesType: MessageType<EntryAdditionalAttributes> = {
  name: 'spire.api.types.Entry.AdditionalAttributes',
  create: () => ({ disableX509SvidPrefetch: false, jwtSvidIncludeJti: false }),
  fields: [
    { number: 1, name: 'disableX509SvidPrefetch', kind: 'bool' },
    { number: 2, name: 'jwtSvidIncludeJti', kind: 'bool' },
  ],
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

export const entryMaskType: MessageType<EntryMask> = {
  name: 'spire.api.types.EntryMask',
  create: () => ({
    spiffeId: false,
    parentId: false,
    selectors: false,
    x509SvidTtl: false,
    federatesWith: false,
    admin: false,
    downstream: false,
    expiresAt: false,
    dnsNames: false,
    revisionNumber: false,
    storeSvid: false,
    jwtSvidTtl: false,
    hint: false,
    createdAt: false,
    additionalAttributes: false,
  }),
  fields: [
    { number: 2, name: 'spiffeId', kind: 'bool' },
    { number: 3, name: 'parentId', kind: 'bool' },
    { number: 4, name: 'selectors', kind: 'bool' },
    { number: 5, name: 'x509SvidTtl', kind: 'bool' },
    { number: 6, name: 'federatesWith', kind: 'bool' },
    { number: 7, name: 'admin', kind: 'bool' },
    { number: 8, name: 'downstream', kind: 'bool' },
    { number: 9, name: 'expiresAt', kind: 'bool' },
    { number: 10, name: 'dnsNames', kind: 'bool' },
    { number: 11, name: 'revisionNumber', kind: 'bool' },
    { number: 12, name: 'storeSvid', kind: 'bool' },
    { number: 13, name: 'jwtSvidTtl', kind: 'bool' },
    { number: 14, name: 'hint', kind: 'bool' },
    { number: 15, name: 'createdAt', kind: 'bool' },
    { number: 16, name: 'additionalAttributes', kind: 'bool' },
  ],
}

export interface Selector {
  readonly type: string
  readonly value: string
}

export const selectorType: MessageType<Selector> = {
  name: 'spire.api.types.Selector',
  create: () => ({ type: '', value: '' }),
  fields: [
    { number: 1, name: 'type', kind: 'string' },
    { number: 2, name: 'value', kind: 'string' },
  ],
}

export interface SelectorMatch {
  readonly selectors: readonly Selector[]
  readonly match: SelectorMatchMatchBehavior
}

export const selectorMatchType: MessageType<SelectorMatch> = {
  name: 'spire.api.types.SelectorMatch',
  create: () => ({ selectors: NO_ITEMS, match: 'MATCH_EXACT' }),
  fields: [
    { number: 1, name: 'selectors', kind: 'message', type: () => selectorType, repeated: true },
    { number: 2, name: 'match', kind: 'enum', values: selectorMatchMatchBehaviorNumbers },
  ],
}

export interface SpiffeId {
  readonly trustDomain: string
  readonly path: string
}

export const spiffeIdType: MessageType<SpiffeId> = {
  name: 'spire.api.types.SPIFFEID',
  create: () => ({ trustDomain: '', path: '' }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'path', kind: 'string' },
  ],
}

export interface Status {
  readonly code: number
  readonly message: string
}

export const statusType: MessageType<Status> = {
  name: 'spire.api.types.Status',
  create: () => ({ code: 0, message: '' }),
  fields: [
    { number: 1, name: 'code', kind: 'int32' },
    { number: 2, name: 'message', kind: 'string' },
  ],
}

export interface PermissionDeniedDetails {
  readonly reason: PermissionDeniedDetailsReason
}

export const permissionDeniedDetailsType: MessageType<PermissionDeniedDetails> = {
  name: 'spire.api.types.PermissionDeniedDetails',
  create: () => ({ reason: 'UNKNOWN' }),
  fields: [{ number: 1, name: 'reason', kind: 'enum', values: permissionDeniedDetailsReasonNumbers }],
}

export interface Bundle {
  readonly trustDomain: string
  readonly x509Authorities: readonly X509Certificate[]
  readonly jwtAuthorities: readonly JwtKey[]
  readonly refreshHint: number
  readonly sequenceNumber: number
  readonly witAuthorities: readonly WitKey[]
}

export const bundleType: MessageType<Bundle> = {
  name: 'spire.api.types.Bundle',
  create: () => ({
    trustDomain: '',
    x509Authorities: NO_ITEMS,
    jwtAuthorities: NO_ITEMS,
    refreshHint: 0,
    sequenceNumber: 0,
    witAuthorities: NO_ITEMS,
  }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'x509Authorities', kind: 'message', type: () => x509CertificateType, repeated: true },
    { number: 3, name: 'jwtAuthorities', kind: 'message', type: () => jwtKeyType, repeated: true },
    { number: 4, name: 'refreshHint', kind: 'int64' },
    { number: 5, name: 'sequenceNumber', kind: 'uint64' },
    { number: 6, name: 'witAuthorities', kind: 'message', type: () => witKeyType, repeated: true },
  ],
}

export interface X509Certificate {
  readonly asn1: Buffer
  readonly tainted: boolean
}

export const x509CertificateType: MessageType<X509Certificate> = {
  name: 'spire.api.types.X509Certificate',
  create: () => ({ asn1: NO_BYTES, tainted: false }),
  fields: [
    { number: 1, name: 'asn1', kind: 'bytes' },
    { number: 2, name: 'tainted', kind: 'bool' },
  ],
}

export interface JwtKey {
  readonly publicKey: Buffer
  readonly keyId: string
  readonly expiresAt: number
  readonly tainted: boolean
}

export const jwtKeyType: MessageType<JwtKey> = {
  name: 'spire.api.types.JWTKey',
  create: () => ({ publicKey: NO_BYTES, keyId: '', expiresAt: 0, tainted: false }),
  fields: [
    { number: 1, name: 'publicKey', kind: 'bytes' },
    { number: 2, name: 'keyId', kind: 'string' },
    { number: 3, name: 'expiresAt', kind: 'int64' },
    { number: 4, name: 'tainted', kind: 'bool' },
  ],
}

export interface WitKey {
  readonly publicKey: Buffer
  readonly keyId: string
  readonly expiresAt: number
  readonly tainted: boolean
}

export const witKeyType: MessageType<WitKey> = {
  name: 'spire.api.types.WITKey',
  create: () => ({ publicKey: NO_BYTES, keyId: '', expiresAt: 0, tainted: false }),
  fields: [
    { number: 1, name: 'publicKey', kind: 'bytes' },
    { number: 2, name: 'keyId', kind: 'string' },
    { number: 3, name: 'expiresAt', kind: 'int64' },
    { number: 4, name: 'tainted', kind: 'bool' },
  ],
}

export interface BundleMask {
  readonly x509Authorities: boolean
  readonly jwtAuthorities: boolean
  readonly refreshHint: boolean
  readonly sequenceNumber: boolean
  readonly witAuthorities: boolean
}

export const bundleMaskType: MessageType<BundleMask> = {
  name: 'spire.api.types.BundleMask',
  create: () => ({
    x509Authorities: false,
    jwtAuthorities: false,
    refreshHint: false,
    sequenceNumber: false,
    witAuthorities: false,
  }),
  fields: [
    { number: 2, name: 'x509Authorities', kind: 'bool' },
    { number: 3, name: 'jwtAuthorities', kind: 'bool' },
    { number: 4, name: 'refreshHint', kind: 'bool' },
    { number: 5, name: 'sequenceNumber', kind: 'bool' },
    { number: 6, name: 'witAuthorities', kind: 'bool' },
  ],
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

export const agentType: MessageType<Agent> = {
  name: 'spire.api.types.Agent',
  create: () => ({
    id: null,
    attestationType: '',
    x509svidSerialNumber: '',
    x509svidExpiresAt: 0,
    selectors: NO_ITEMS,
    banned: false,
    canReattest: false,
    agentVersion: '',
  }),
  fields: [
    { number: 1, name: 'id', kind: 'message', type: () => spiffeIdType },
    { number: 2, name: 'attestationType', kind: 'string' },
    { number: 3, name: 'x509svidSerialNumber', kind: 'string' },
    { number: 4, name: 'x509svidExpiresAt', kind: 'int64' },
    { number: 5, name: 'selectors', kind: 'message', type: () => selectorType, repeated: true },
    { number: 6, name: 'banned', kind: 'bool' },
    { number: 7, name: 'canReattest', kind: 'bool' },
    { number: 8, name: 'agentVersion', kind: 'string' },
  ],
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

export const agentMaskType: MessageType<AgentMask> = {
  name: 'spire.api.types.AgentMask',
  create: () => ({
    attestationType: false,
    x509svidSerialNumber: false,
    x509svidExpiresAt: false,
    selectors: false,
    banned: false,
    canReattest: false,
    agentVersion: false,
  }),
  fields: [
    { number: 2, name: 'attestationType', kind: 'bool' },
    { number: 3, name: 'x509svidSerialNumber', kind: 'bool' },
    { number: 4, name: 'x509svidExpiresAt', kind: 'bool' },
    { number: 5, name: 'selectors', kind: 'bool' },
    { number: 6, name: 'banned', kind: 'bool' },
    { number: 7, name: 'canReattest', kind: 'bool' },
    { number: 8, name: 'agentVersion', kind: 'bool' },
  ],
}

export interface AttestationData {
  readonly type: string
  readonly payload: Buffer
}

export const attestationDataType: MessageType<AttestationData> = {
  name: 'spire.api.types.AttestationData',
  create: () => ({ type: '', payload: NO_BYTES }),
  fields: [
    { number: 1, name: 'type', kind: 'string' },
    { number: 2, name: 'payload', kind: 'bytes' },
  ],
}

export interface FederatesWithMatch {
  readonly trustDomains: readonly string[]
  readonly match: FederatesWithMatchMatchBehavior
}

export const federatesWithMatchType: MessageType<FederatesWithMatch> = {
  name: 'spire.api.types.FederatesWithMatch',
  create: () => ({ trustDomains: NO_ITEMS, match: 'MATCH_EXACT' }),
  fields: [
    { number: 1, name: 'trustDomains', kind: 'string', repeated: true },
    { number: 2, name: 'match', kind: 'enum', values: federatesWithMatchMatchBehaviorNumbers },
  ],
}

export interface FederationRelationship {
  readonly trustDomain: string
  readonly bundleEndpointUrl: string
  readonly httpsWeb?: HttpsWebProfile | null | undefined
  readonly httpsSpiffe?: HttpsSpiffeProfile | null | undefined
  readonly trustDomainBundle: Bundle | null
  readonly bundleEndpointProfile?: 'httpsWeb' | 'httpsSpiffe' | undefined
}

export const federationRelationshipType: MessageType<FederationRelationship> = {
  name: 'spire.api.types.FederationRelationship',
  create: () => ({ trustDomain: '', bundleEndpointUrl: '', trustDomainBundle: null }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'bundleEndpointUrl', kind: 'string' },
    {
      number: 3,
      name: 'httpsWeb',
      kind: 'message',
      type: () => httpsWebProfileType,
      presence: 'always',
      oneof: 'bundleEndpointProfile',
    },
    {
      number: 4,
      name: 'httpsSpiffe',
      kind: 'message',
      type: () => httpsSpiffeProfileType,
      presence: 'always',
      oneof: 'bundleEndpointProfile',
    },
    { number: 5, name: 'trustDomainBundle', kind: 'message', type: () => bundleType },
  ],
}

export interface HttpsSpiffeProfile {
  readonly endpointSpiffeId: string
}

export const httpsSpiffeProfileType: MessageType<HttpsSpiffeProfile> = {
  name: 'spire.api.types.HTTPSSPIFFEProfile',
  create: () => ({ endpointSpiffeId: '' }),
  fields: [{ number: 1, name: 'endpointSpiffeId', kind: 'string' }],
}

export interface HttpsWebProfile {}

export const httpsWebProfileType: MessageType<HttpsWebProfile> = {
  name: 'spire.api.types.HTTPSWebProfile',
  create: () => ({}),
  fields: [],
}

export interface FederationRelationshipMask {
  readonly bundleEndpointUrl: boolean
  readonly bundleEndpointProfile: boolean
  readonly trustDomainBundle: boolean
}

export const federationRelationshipMaskType: MessageType<FederationRelationshipMask> = {
  name: 'spire.api.types.FederationRelationshipMask',
  create: () => ({ bundleEndpointUrl: false, bundleEndpointProfile: false, trustDomainBundle: false }),
  fields: [
    { number: 1, name: 'bundleEndpointUrl', kind: 'bool' },
    { number: 2, name: 'bundleEndpointProfile', kind: 'bool' },
    { number: 3, name: 'trustDomainBundle', kind: 'bool' },
  ],
}

export interface JoinToken {
  readonly value: string
  readonly expiresAt: number
}

export const joinTokenType: MessageType<JoinToken> = {
  name: 'spire.api.types.JoinToken',
  create: () => ({ value: '', expiresAt: 0 }),
  fields: [
    { number: 1, name: 'value', kind: 'string' },
    { number: 2, name: 'expiresAt', kind: 'int64' },
  ],
}

export interface JwtSvid {
  readonly token: string
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly issuedAt: number
  readonly hint: string
}

export const jwtSvidType: MessageType<JwtSvid> = {
  name: 'spire.api.types.JWTSVID',
  create: () => ({ token: '', id: null, expiresAt: 0, issuedAt: 0, hint: '' }),
  fields: [
    { number: 1, name: 'token', kind: 'string' },
    { number: 2, name: 'id', kind: 'message', type: () => spiffeIdType },
    { number: 3, name: 'expiresAt', kind: 'int64' },
    { number: 4, name: 'issuedAt', kind: 'int64' },
    { number: 5, name: 'hint', kind: 'string' },
  ],
}

export interface Logger {
  readonly currentLevel: LogLevel
  readonly launchLevel: LogLevel
}

export const loggerType: MessageType<Logger> = {
  name: 'spire.api.types.Logger',
  create: () => ({ currentLevel: 'UNSPECIFIED', launchLevel: 'UNSPECIFIED' }),
  fields: [
    { number: 1, name: 'currentLevel', kind: 'enum', values: logLevelNumbers },
    { number: 2, name: 'launchLevel', kind: 'enum', values: logLevelNumbers },
  ],
}

export interface WitSvid {
  readonly token: string
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly issuedAt: number
  readonly hint: string
}

export const witSvidType: MessageType<WitSvid> = {
  name: 'spire.api.types.WITSVID',
  create: () => ({ token: '', id: null, expiresAt: 0, issuedAt: 0, hint: '' }),
  fields: [
    { number: 1, name: 'token', kind: 'string' },
    { number: 2, name: 'id', kind: 'message', type: () => spiffeIdType },
    { number: 3, name: 'expiresAt', kind: 'int64' },
    { number: 4, name: 'issuedAt', kind: 'int64' },
    { number: 5, name: 'hint', kind: 'string' },
  ],
}

export interface X509Svid {
  readonly certChain: readonly Buffer[]
  readonly id: SpiffeId | null
  readonly expiresAt: number
  readonly hint: string
}

export const x509SvidType: MessageType<X509Svid> = {
  name: 'spire.api.types.X509SVID',
  create: () => ({ certChain: NO_ITEMS, id: null, expiresAt: 0, hint: '' }),
  fields: [
    { number: 1, name: 'certChain', kind: 'bytes', repeated: true },
    { number: 2, name: 'id', kind: 'message', type: () => spiffeIdType },
    { number: 3, name: 'expiresAt', kind: 'int64' },
    { number: 4, name: 'hint', kind: 'string' },
  ],
}
