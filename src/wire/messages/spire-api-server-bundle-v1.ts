// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface CountBundlesRequest {}

export interface CountBundlesResponse {
  readonly count: number
}

export interface GetBundleRequest {
  readonly outputMask: spireApiTypes.BundleMask | null
}

export interface AppendBundleRequest {
  readonly x509Authorities: readonly spireApiTypes.X509Certificate[]
  readonly jwtAuthorities: readonly spireApiTypes.JwtKey[]
  readonly outputMask: spireApiTypes.BundleMask | null
  readonly witAuthorities: readonly spireApiTypes.WitKey[]
}

export interface PublishJwtAuthorityRequest {
  readonly jwtAuthority: spireApiTypes.JwtKey | null
}

export interface PublishJwtAuthorityResponse {
  readonly jwtAuthorities: readonly spireApiTypes.JwtKey[]
}

export interface PublishWitAuthorityRequest {
  readonly witAuthority: spireApiTypes.WitKey | null
}

export interface PublishWitAuthorityResponse {
  readonly witAuthorities: readonly spireApiTypes.WitKey[]
}

export interface ListFederatedBundlesRequest {
  readonly outputMask: spireApiTypes.BundleMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListFederatedBundlesResponse {
  readonly bundles: readonly spireApiTypes.Bundle[]
  readonly nextPageToken: string
}

export interface GetFederatedBundleRequest {
  readonly trustDomain: string
  readonly outputMask: spireApiTypes.BundleMask | null
}

export interface BatchCreateFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly outputMask: spireApiTypes.BundleMask | null
}

export interface BatchCreateFederatedBundleResponse {
  readonly results: readonly BatchCreateFederatedBundleResponseResult[]
}

export interface BatchCreateFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export interface BatchUpdateFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly inputMask: spireApiTypes.BundleMask | null
  readonly outputMask: spireApiTypes.BundleMask | null
}

export interface BatchUpdateFederatedBundleResponse {
  readonly results: readonly BatchUpdateFederatedBundleResponseResult[]
}

export interface BatchUpdateFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export interface BatchSetFederatedBundleRequest {
  readonly bundle: readonly spireApiTypes.Bundle[]
  readonly outputMask: spireApiTypes.BundleMask | null
}

export interface BatchSetFederatedBundleResponse {
  readonly results: readonly BatchSetFederatedBundleResponseResult[]
}

export interface BatchSetFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly bundle: spireApiTypes.Bundle | null
}

export interface BatchDeleteFederatedBundleRequest {
  readonly trustDomains: readonly string[]
  readonly mode: BatchDeleteFederatedBundleRequestMode
}

export type BatchDeleteFederatedBundleRequestMode = 'RESTRICT' | 'DELETE' | 'DISSOCIATE'

export interface BatchDeleteFederatedBundleResponse {
  readonly results: readonly BatchDeleteFederatedBundleResponseResult[]
}

export interface BatchDeleteFederatedBundleResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly trustDomain: string
}

export const bundleService = defineService(
  'spire.api.server.bundle.v1.Bundle',
  'spire/api/server/bundle/v1/bundle.proto',
  {
    countBundles: { name: 'CountBundles', kind: 'unary' } as Method<'unary', CountBundlesRequest, CountBundlesResponse>,
    getBundle: { name: 'GetBundle', kind: 'unary' } as Method<'unary', GetBundleRequest, spireApiTypes.Bundle>,
    appendBundle: { name: 'AppendBundle', kind: 'unary' } as Method<'unary', AppendBundleRequest, spireApiTypes.Bundle>,
    publishJwtAuthority: { name: 'PublishJWTAuthority', kind: 'unary' } as Method<
      'unary',
      PublishJwtAuthorityRequest,
      PublishJwtAuthorityResponse
    >,
    publishWitAuthority: { name: 'PublishWITAuthority', kind: 'unary' } as Method<
      'unary',
      PublishWitAuthorityRequest,
      PublishWitAuthorityResponse
    >,
    listFederatedBundles: { name: 'ListFederatedBundles', kind: 'unary' } as Method<
      'unary',
      ListFederatedBundlesRequest,
      ListFederatedBundlesResponse
    >,
    getFederatedBundle: { name: 'GetFederatedBundle', kind: 'unary' } as Method<
      'unary',
      GetFederatedBundleRequest,
      spireApiTypes.Bundle
    >,
    batchCreateFederatedBundle: { name: 'BatchCreateFederatedBundle', kind: 'unary' } as Method<
      'unary',
      BatchCreateFederatedBundleRequest,
      BatchCreateFederatedBundleResponse
    >,
    batchUpdateFederatedBundle: { name: 'BatchUpdateFederatedBundle', kind: 'unary' } as Method<
      'unary',
      BatchUpdateFederatedBundleRequest,
      BatchUpdateFederatedBundleResponse
    >,
    batchSetFederatedBundle: { name: 'BatchSetFederatedBundle', kind: 'unary' } as Method<
      'unary',
      BatchSetFederatedBundleRequest,
      BatchSetFederatedBundleResponse
    >,
    batchDeleteFederatedBundle: { name: 'BatchDeleteFederatedBundle', kind: 'unary' } as Method<
      'unary',
      BatchDeleteFederatedBundleRequest,
      BatchDeleteFederatedBundleResponse
    >,
  },
)
