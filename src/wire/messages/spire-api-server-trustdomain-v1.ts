// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as googleProtobuf from './google-protobuf.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface ListFederationRelationshipsRequest {
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListFederationRelationshipsResponse {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly nextPageToken: string
}

export interface GetFederationRelationshipRequest {
  readonly trustDomain: string
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export interface BatchCreateFederationRelationshipRequest {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export interface BatchCreateFederationRelationshipResponse {
  readonly results: readonly BatchCreateFederationRelationshipResponseResult[]
}

export interface BatchCreateFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly federationRelationship: spireApiTypes.FederationRelationship | null
}

export interface BatchUpdateFederationRelationshipRequest {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly inputMask: spireApiTypes.FederationRelationshipMask | null
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export interface BatchUpdateFederationRelationshipResponse {
  readonly results: readonly BatchUpdateFederationRelationshipResponseResult[]
}

export interface BatchUpdateFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly federationRelationship: spireApiTypes.FederationRelationship | null
}

export interface BatchDeleteFederationRelationshipRequest {
  readonly trustDomains: readonly string[]
}

export interface BatchDeleteFederationRelationshipResponse {
  readonly results: readonly BatchDeleteFederationRelationshipResponseResult[]
}

export interface BatchDeleteFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly trustDomain: string
}

export interface RefreshBundleRequest {
  readonly trustDomain: string
}

export const trustDomainService = defineService(
  'spire.api.server.trustdomain.v1.TrustDomain',
  'spire/api/server/trustdomain/v1/trustdomain.proto',
  {
    listFederationRelationships: { name: 'ListFederationRelationships', kind: 'unary' } as Method<
      'unary',
      ListFederationRelationshipsRequest,
      ListFederationRelationshipsResponse
    >,
    getFederationRelationship: { name: 'GetFederationRelationship', kind: 'unary' } as Method<
      'unary',
      GetFederationRelationshipRequest,
      spireApiTypes.FederationRelationship
    >,
    batchCreateFederationRelationship: { name: 'BatchCreateFederationRelationship', kind: 'unary' } as Method<
      'unary',
      BatchCreateFederationRelationshipRequest,
      BatchCreateFederationRelationshipResponse
    >,
    batchUpdateFederationRelationship: { name: 'BatchUpdateFederationRelationship', kind: 'unary' } as Method<
      'unary',
      BatchUpdateFederationRelationshipRequest,
      BatchUpdateFederationRelationshipResponse
    >,
    batchDeleteFederationRelationship: { name: 'BatchDeleteFederationRelationship', kind: 'unary' } as Method<
      'unary',
      BatchDeleteFederationRelationshipRequest,
      BatchDeleteFederationRelationshipResponse
    >,
    refreshBundle: { name: 'RefreshBundle', kind: 'unary' } as Method<
      'unary',
      RefreshBundleRequest,
      googleProtobuf.Empty
    >,
  },
)
