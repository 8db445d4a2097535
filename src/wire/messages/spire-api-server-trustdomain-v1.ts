// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as googleProtobuf from './google-protobuf.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface ListFederationRelationshipsRequest {
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export const listFederationRelationshipsRequestType: MessageType<ListFederationRelationshipsRequest> = {
  name: 'spire.api.server.trustdomain.v1.ListFederationRelationshipsRequest',
  create: () => ({ outputMask: null, pageSize: 0, pageToken: '' }),
  fields: [
    { number: 1, name: 'outputMask', kind: 'message', type: () => spireApiTypes.federationRelationshipMaskType },
    { number: 2, name: 'pageSize', kind: 'int32' },
    { number: 3, name: 'pageToken', kind: 'string' },
  ],
}

export interface ListFederationRelationshipsResponse {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly nextPageToken: string
}

export const listFederationRelationshipsResponseType: MessageType<ListFederationRelationshipsResponse> = {
  name: 'spire.api.server.trustdomain.v1.ListFederationRelationshipsResponse',
  create: () => ({ federationRelationships: NO_ITEMS, nextPageToken: '' }),
  fields: [
    {
      number: 1,
      name: 'federationRelationships',
      kind: 'message',
      type: () => spireApiTypes.federationRelationshipType,
      repeated: true,
    },
    { number: 2, name: 'nextPageToken', kind: 'string' },
  ],
}

export interface GetFederationRelationshipRequest {
  readonly trustDomain: string
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export const getFederationRelationshipRequestType: MessageType<GetFederationRelationshipRequest> = {
  name: 'spire.api.server.trustdomain.v1.GetFederationRelationshipRequest',
  create: () => ({ trustDomain: '', outputMask: null }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.federationRelationshipMaskType },
  ],
}

export interface BatchCreateFederationRelationshipRequest {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export const batchCreateFederationRelationshipRequestType: MessageType<BatchCreateFederationRelationshipRequest> = {
  name: 'spire.api.server.trustdomain.v1.BatchCreateFederationRelationshipRequest',
  create: () => ({ federationRelationships: NO_ITEMS, outputMask: null }),
  fields: [
    {
      number: 1,
      name: 'federationRelationships',
      kind: 'message',
      type: () => spireApiTypes.federationRelationshipType,
      repeated: true,
    },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.federationRelationshipMaskType },
  ],
}

export interface BatchCreateFederationRelationshipResponse {
  readonly results: readonly BatchCreateFederationRelationshipResponseResult[]
}

export const batchCreateFederationRelationshipResponseType: MessageType<BatchCreateFederationRelationshipResponse> = {
  name: 'spire.api.server.trustdomain.v1.BatchCreateFederationRelationshipResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchCreateFederationRelationshipResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchCreateFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly federationRelationship: spireApiTypes.FederationRelationship | null
}

export const batchCreateFederationRelationshipResponseResultType: MessageType<BatchCreateFederationRelationshipResponseResult> =
  {
    name: 'spire.api.server.trustdomain.v1.BatchCreateFederationRelationshipResponse.Result',
    create: () => ({ status: null, federationRelationship: null }),
    fields: [
      { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
      {
        number: 2,
        name: 'federationRelationship',
        kind: 'message',
        type: () => spireApiTypes.federationRelationshipType,
      },
    ],
  }

export interface BatchUpdateFederationRelationshipRequest {
  readonly federationRelationships: readonly spireApiTypes.FederationRelationship[]
  readonly inputMask: spireApiTypes.FederationRelationshipMask | null
  readonly outputMask: spireApiTypes.FederationRelationshipMask | null
}

export const batchUpdateFederationRelationshipRequestType: MessageType<BatchUpdateFederationRelationshipRequest> = {
  name: 'spire.api.server.trustdomain.v1.BatchUpdateFederationRelationshipRequest',
  create: () => ({ federationRelationships: NO_ITEMS, inputMask: null, outputMask: null }),
  fields: [
    {
      number: 1,
      name: 'federationRelationships',
      kind: 'message',
      type: () => spireApiTypes.federationRelationshipType,
      repeated: true,
    },
    { number: 2, name: 'inputMask', kind: 'message', type: () => spireApiTypes.federationRelationshipMaskType },
    { number: 3, name: 'outputMask', kind: 'message', type: () => spireApiTypes.federationRelationshipMaskType },
  ],
}

export interface BatchUpdateFederationRelationshipResponse {
  readonly results: readonly BatchUpdateFederationRelationshipResponseResult[]
}

export const batchUpdateFederationRelationshipResponseType: MessageType<BatchUpdateFederationRelationshipResponse> = {
  name: 'spire.api.server.trustdomain.v1.BatchUpdateFederationRelationshipResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchUpdateFederationRelationshipResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchUpdateFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly federationRelationship: spireApiTypes.FederationRelationship | null
}

export const batchUpdateFederationRelationshipResponseResultType: MessageType<BatchUpdateFederationRelationshipResponseResult> =
  {
    name: 'spire.api.server.trustdomain.v1.BatchUpdateFederationRelationshipResponse.Result',
    create: () => ({ status: null, federationRelationship: null }),
    fields: [
      { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
      {
        number: 2,
        name: 'federationRelationship',
        kind: 'message',
        type: () => spireApiTypes.federationRelationshipType,
      },
    ],
  }

export interface BatchDeleteFederationRelationshipRequest {
  readonly trustDomains: readonly string[]
}

export const batchDeleteFederationRelationshipRequestType: MessageType<BatchDeleteFederationRelationshipRequest> = {
  name: 'spire.api.server.trustdomain.v1.BatchDeleteFederationRelationshipRequest',
  create: () => ({ trustDomains: NO_ITEMS }),
  fields: [{ number: 1, name: 'trustDomains', kind: 'string', repeated: true }],
}

export interface BatchDeleteFederationRelationshipResponse {
  readonly results: readonly BatchDeleteFederationRelationshipResponseResult[]
}

export const batchDeleteFederationRelationshipResponseType: MessageType<BatchDeleteFederationRelationshipResponse> = {
  name: 'spire.api.server.trustdomain.v1.BatchDeleteFederationRelationshipResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'results',
      kind: 'message',
      type: () => batchDeleteFederationRelationshipResponseResultType,
      repeated: true,
    },
  ],
}

export interface BatchDeleteFederationRelationshipResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly trustDomain: string
}

export const batchDeleteFederationRelationshipResponseResultType: MessageType<BatchDeleteFederationRelationshipResponseResult> =
  {
    name: 'spire.api.server.trustdomain.v1.BatchDeleteFederationRelationshipResponse.Result',
    create: () => ({ status: null, trustDomain: '' }),
    fields: [
      { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
      { number: 2, name: 'trustDomain', kind: 'string' },
    ],
  }

export interface RefreshBundleRequest {
  readonly trustDomain: string
}

export const refreshBundleRequestType: MessageType<RefreshBundleRequest> = {
  name: 'spire.api.server.trustdomain.v1.RefreshBundleRequest',
  create: () => ({ trustDomain: '' }),
  fields: [{ number: 1, name: 'trustDomain', kind: 'string' }],
}

export const trustDomainService = {
  name: 'spire.api.server.trustdomain.v1.TrustDomain',
  methods: {
    listFederationRelationships: {
      name: 'ListFederationRelationships',
      kind: 'unary',
      request: listFederationRelationshipsRequestType,
      response: listFederationRelationshipsResponseType,
    },
    getFederationRelationship: {
      name: 'GetFederationRelationship',
      kind: 'unary',
      request: getFederationRelationshipRequestType,
      response: spireApiTypes.federationRelationshipType,
    },
    batchCreateFederationRelationship: {
      name: 'BatchCreateFederationRelationship',
      kind: 'unary',
      request: batchCreateFederationRelationshipRequestType,
      response: batchCreateFederationRelationshipResponseType,
    },
    batchUpdateFederationRelationship: {
      name: 'BatchUpdateFederationRelationship',
      kind: 'unary',
      request: batchUpdateFederationRelationshipRequestType,
      response: batchUpdateFederationRelationshipResponseType,
    },
    batchDeleteFederationRelationship: {
      name: 'BatchDeleteFederationRelationship',
      kind: 'unary',
      request: batchDeleteFederationRelationshipRequestType,
      response: batchDeleteFederationRelationshipResponseType,
    },
    refreshBundle: {
      name: 'RefreshBundle',
      kind: 'unary',
      request: refreshBundleRequestType,
      response: googleProtobuf.emptyType,
    },
  },
} as const satisfies Service
