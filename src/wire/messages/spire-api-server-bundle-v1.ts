// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type EnumNumbers, type MessageType, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as spireApiTypes from './spire-api-types.ts'

export type BatchDeleteFederatedBundleRequestMode = 'RESTRICT' | 'DELETE' | 'DISSOCIATE'

export const batchDeleteFederatedBundleRequestModeNumbers: EnumNumbers = {
  RESTRICT: 0,
  DELETE: 1,
  DISSOCIATE: 2,
}

export interface CountBundlesRequest {}

export const countBundlesRequestType: MessageType<CountBundlesRequest> = {
  name: 'spire.api.server.bundle.v1.CountBundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface CountBundlesResponse {
  readonly count: number
}

export const countBundlesResponseType: MessageType<CountBundlesResponse> = {
  name: 'spire.api.server.bundle.v1.CountBundlesResponse',
  create: () => ({ count: 0 }),
  fields: [{ number: 1, name: 'count', kind: 'int32' }],
}

export interface GetBundleRequest {
  readonly outputMask: spireApiTypes.BundleMask | null
}

export const getBundleRequestType: MessageType<GetBundleRequest> = {
  name: 'spire.api.server.bundle.v1.GetBundleRequest',
  create: () => ({ outputMask: null }),
  fields: [{ number: 1, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType }],
}

export interface AppendBundleRequest {
  readonly x509Authorities: readonly spireApiTypes.X509Certificate[]
  readonly jwtAuthorities: readonly spireApiTypes.JwtKey[]
  readonly outputMask: spireApiTypes.BundleMask | null
  readonly witAuthorities: readonly spireApiTypes.WitKey[]
}

export const appendBundleRequestType: MessageType<AppendBundleRequest> = {
  name: 'spire.api.server.bundle.v1.AppendBundleRequest',
  create: () => ({ x509Authorities: NO_ITEMS, jwtAuthorities: NO_ITEMS, outputMask: null, witAuthorities: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'x509Authorities',
      kind: 'message',
      type: () => spireApiTypes.x509CertificateType,
      repeated: true,
    },
    { number: 2, name: 'jwtAuthorities', kind: 'message', type: () => spireApiTypes.jwtKeyType, repeated: true },
    { number: 3, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
    { number: 4, name: 'witAuthorities', kind: 'message', type: () => spireApiTypes.witKeyType, repeated: true },
  ],
}

export interface PublishJwtAuthorityRequest {
  readonly jwtAuthority: spireApiTypes.JwtKey | null
}

export const publishJwtAuthorityRequestType: MessageType<PublishJwtAuthorityRequest> = {
  name: 'spire.api.server.bundle.v1.PublishJWTAuthorityRequest',
  create: () => ({ jwtAuthority: null }),
  fields: [{ number: 1, name: 'jwtAuthority', kind: 'message', type: () => spireApiTypes.jwtKeyType }],
}

export interface PublishJwtAuthorityResponse {
  readonly jwtAuthorities: readonly spireApiTypes.JwtKey[]
}

export const publishJwtAuthorityResponseType: MessageType<PublishJwtAuthorityResponse> = {
  name: 'spire.api.server.bundle.v1.PublishJWTAuthorityResponse',
  create: () => ({ jwtAuthorities: NO_ITEMS }),
  fields: [
    { number: 1, name: 'jwtAuthorities', kind: 'message', type: () => spireApiTypes.jwtKeyType, repeated: true },
  ],
}

export interface PublishWitAuthorityRequest {
  readonly witAuthority: spireApiTypes.WitKey | null
}

export const publishWitAuthorityRequestType: MessageType<PublishWitAuthorityRequest> = {
  name: 'spire.api.server.bundle.v1.PublishWITAuthorityRequest',
  create: () => ({ witAuthority: null }),
  fields: [{ number: 1, name: 'witAuthority', kind: 'message', type: () => spireApiTypes.witKeyType }],
}

export interface PublishWitAuthorityResponse {
  readonly witAuthorities: readonly spireApiTypes.WitKey[]
}

export const publishWitAuthorityResponseType: MessageType<PublishWitAuthorityResponse> = {
  name: 'spire.api.server.bundle.v1.PublishWITAuthorityResponse',
  create: () => ({ witAuthorities: NO_ITEMS }),
  fields: [
    { number: 1, name: 'witAuthorities', kind: 'message', type: () => spireApiTypes.witKeyType, repeated: true },
  ],
}

export interface ListFederatedBundlesRequest {
  readonly outputMask: spireApiTypes.BundleMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export const listFederatedBundlesRequestType: MessageType<ListFederatedBundlesRequest> = {
  name: 'spire.api.server.bundle.v1.ListFederatedBundlesRequest',
  create: () => ({ outputMask: null, pageSize: 0, pageToken: '' }),
  fields: [
    { number: 1, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
    { number: 2, name: 'pageSize', kind: 'int32' },
    { number: 3, name: 'pageToken', kind: 'string' },
  ],
}

export interface ListFederatedBundlesResponse {
  readonly bundles: readonly spireApiTypes.Bundle[]
  readonly nextPageToken: string
}

export const listFederatedBundlesResponseType: MessageType<ListFederatedBundlesResponse> = {
  name: 'spire.api.server.bundle.v1.ListFederatedBundlesResponse',
  create: () => ({ bundles: NO_ITEMS, nextPageToken: '' }),
  fields: [
    { number: 1, name: 'bundles', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 2, name: 'nextPageToken', kind: 'string' },
  ],
}

export interface GetFederatedBundleRequest {
  readonly trustDomain: string
  readonly outputMask: spireApiTypes.BundleMask | null
}

export const getFederatedBundleRequestType: MessageType<GetFederatedBundleRequest> = {
  name: 'spire.api.server.bundle.v1.GetFederatedBundleRequest',
  create: () => ({ trustDomain: '', outputMask: null }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
  ],
}

export interface BatchCreateFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly outputMask: spireApiTypes.BundleMask | null
}

export const batchCreateFederatedBundleRequestType: MessageType<BatchCreateFederatedBundleRequest> = {
  name: 'spire.api.server.bundle.v1.BatchCreateFederatedBundleRequest',
  create: () => ({ bundle: NO_ITEMS, outputMask: null }),
  fields: [
    { number: 1, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
  ],
}

export interface BatchCreateFederatedBundleResponse {
  readonly results: readonly BatchCreateFederatedBundleResponseResult[]
}

export const batchCreateFederatedBundleResponseType: MessageType<BatchCreateFederatedBundleResponse> = {
  name: 'spire.api.server.bundle.v1.BatchCreateFederatedBundleResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchCreateFederatedBundleResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchCreateFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export const batchCreateFederatedBundleResponseResultType: MessageType<BatchCreateFederatedBundleResponseResult> = {
  name: 'spire.api.server.bundle.v1.BatchCreateFederatedBundleResponse.Result',
  create: () => ({ status: null, bundle: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType },
  ],
}

export interface BatchUpdateFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly inputMask: spireApiTypes.BundleMask | null
  readonly outputMask: spireApiTypes.BundleMask | null
}

export const batchUpdateFederatedBundleRequestType: MessageType<BatchUpdateFederatedBundleRequest> = {
  name: 'spire.api.server.bundle.v1.BatchUpdateFederatedBundleRequest',
  create: () => ({ bundle: NO_ITEMS, inputMask: null, outputMask: null }),
  fields: [
    { number: 1, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 2, name: 'inputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
    { number: 3, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
  ],
}

export interface BatchUpdateFederatedBundleResponse {
  readonly results: readonly BatchUpdateFederatedBundleResponseResult[]
}

export const batchUpdateFederatedBundleResponseType: MessageType<BatchUpdateFederatedBundleResponse> = {
  name: 'spire.api.server.bundle.v1.BatchUpdateFederatedBundleResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchUpdateFederatedBundleResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchUpdateFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export const batchUpdateFederatedBundleResponseResultType: MessageType<BatchUpdateFederatedBundleResponseResult> = {
  name: 'spire.api.server.bundle.v1.BatchUpdateFederatedBundleResponse.Result',
  create: () => ({ status: null, bundle: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType },
  ],
}

export interface BatchSetFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly outputMask: spireApiTypes.BundleMask | null
}

export const batchSetFederatedBundleRequestType: MessageType<BatchSetFederatedBundleRequest> = {
  name: 'spire.api.server.bundle.v1.BatchSetFederatedBundleRequest',
  create: () => ({ bundle: NO_ITEMS, outputMask: null }),
  fields: [
    { number: 1, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.bundleMaskType },
  ],
}

export interface BatchSetFederatedBundleResponse {
  readonly results: readonly BatchSetFederatedBundleResponseResult[]
}

export const batchSetFederatedBundleResponseType: MessageType<BatchSetFederatedBundleResponse> = {
  name: 'spire.api.server.bundle.v1.BatchSetFederatedBundleResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchSetFederatedBundleResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchSetFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export const batchSetFederatedBundleResponseResultType: MessageType<BatchSetFederatedBundleResponseResult> = {
  name: 'spire.api.server.bundle.v1.BatchSetFederatedBundleResponse.Result',
  create: () => ({ status: null, bundle: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'bundle', kind: 'message', type: () => spireApiTypes.bundleType },
  ],
}

export interface BatchDeleteFederatedBundleRequest {
  readonly trustDomains: readonly string[]
  readonly mode: BatchDeleteFederatedBundleRequestMode
}

export const batchDeleteFederatedBundleRequestType: MessageType<BatchDeleteFederatedBundleRequest> = {
  name: 'spire.api.server.bundle.v1.BatchDeleteFederatedBundleRequest',
  create: () => ({ trustDomains: NO_ITEMS, mode: 'RESTRICT' }),
  fields: [
    { number: 1, name: 'trustDomains', kind: 'string', repeated: true },
    { number: 2, name: 'mode', kind: 'enum', values: batchDeleteFederatedBundleRequestModeNumbers },
  ],
}

export interface BatchDeleteFederatedBundleResponse {
  readonly results: readonly BatchDeleteFederatedBundleResponseResult[]
}

export const batchDeleteFederatedBundleResponseType: MessageType<BatchDeleteFederatedBundleResponse> = {
  name: 'spire.api.server.bundle.v1.BatchDeleteFederatedBundleResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchDeleteFederatedBundleResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchDeleteFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly trustDomain: string
}

export const batchDeleteFederatedBundleResponseResultType: MessageType<BatchDeleteFederatedBundleResponseResult> = {
  name: 'spire.api.server.bundle.v1.BatchDeleteFederatedBundleResponse.Result',
  create: () => ({ status: null, trustDomain: '' }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'trustDomain', kind: 'string' },
  ],
}

export const bundleService = {
  name: 'spire.api.server.bundle.v1.Bundle',
  methods: {
    countBundles: {
      name: 'CountBundles',
      kind: 'unary',
      request: countBundlesRequestType,
      response: countBundlesResponseType,
    },
    getBundle: { name: 'GetBundle', kind: 'unary', request: getBundleRequestType, response: spireApiTypes.bundleType },
    appendBundle: {
      name: 'AppendBundle',
      kind: 'unary',
      request: appendBundleRequestType,
      response: spireApiTypes.bundleType,
    },
    publishJwtAuthority: {
      name: 'PublishJWTAuthority',
      kind: 'unary',
      request: publishJwtAuthorityRequestType,
      response: publishJwtAuthorityResponseType,
    },
    publishWitAuthority: {
      name: 'PublishWITAuthority',
      kind: 'unary',
      request: publishWitAuthorityRequestType,
      response: publishWitAuthorityResponseType,
    },
    listFederatedBundles: {
      name: 'ListFederatedBundles',
      kind: 'unary',
      request: listFederatedBundlesRequestType,
      response: listFederatedBundlesResponseType,
    },
    getFederatedBundle: {
      name: 'GetFederatedBundle',
      kind: 'unary',
      request: getFederatedBundleRequestType,
      response: spireApiTypes.bundleType,
    },
    batchCreateFederatedBundle: {
      name: 'BatchCreateFederatedBundle',
      kind: 'unary',
      request: batchCreateFederatedBundleRequestType,
      response: batchCreateFederatedBundleResponseType,
    },
    batchUpdateFederatedBundle: {
      name: 'BatchUpdateFederatedBundle',
      kind: 'unary',
      request: batchUpdateFederatedBundleRequestType,
      response: batchUpdateFederatedBundleResponseType,
    },
    batchSetFederatedBundle: {
      name: 'BatchSetFederatedBundle',
      kind: 'unary',
      request: batchSetFederatedBundleRequestType,
      response: batchSetFederatedBundleResponseType,
    },
    batchDeleteFederatedBundle: {
      name: 'BatchDeleteFederatedBundle',
      kind: 'unary',
      request: batchDeleteFederatedBundleRequestType,
      response: batchDeleteFederatedBundleResponseType,
    },
  },
} as const satisfies Service
