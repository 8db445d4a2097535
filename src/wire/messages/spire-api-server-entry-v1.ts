// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as googleProtobuf from './google-protobuf.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface CountEntriesRequest {
  readonly filter: CountEntriesRequestFilter | null
}

export interface CountEntriesRequestFilter {
  readonly bySpiffeId: spireApiTypes.SpiffeId | null
  readonly byParentId: spireApiTypes.SpiffeId | null
  readonly bySelectors: spireApiTypes.SelectorMatch | null
  readonly byFederatesWith: spireApiTypes.FederatesWithMatch | null
  readonly byHint: googleProtobuf.StringValue | null
  readonly byDownstream: googleProtobuf.BoolValue | null
}

export interface CountEntriesResponse {
  readonly count: number
}

export interface ListEntriesRequest {
  readonly filter: ListEntriesRequestFilter | null
  readonly outputMask: spireApiTypes.EntryMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListEntriesRequestFilter {
  readonly bySpiffeId: spireApiTypes.SpiffeId | null
  readonly byParentId: spireApiTypes.SpiffeId | null
  readonly bySelectors: spireApiTypes.SelectorMatch | null
  readonly byFederatesWith: spireApiTypes.FederatesWithMatch | null
  readonly byHint: googleProtobuf.StringValue | null
  readonly byDownstream: googleProtobuf.BoolValue | null
}

export interface ListEntriesResponse {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly nextPageToken: string
}

export interface GetEntryRequest {
  readonly id: string
  readonly outputMask: spireApiTypes.EntryMask | null
}

export interface BatchCreateEntryRequest {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly outputMask: spireApiTypes.EntryMask | null
}

export interface BatchCreateEntryResponse {
  readonly results: readonly BatchCreateEntryResponseResult[]
}

export interface BatchCreateEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly entry: spireApiTypes.Entry | null
}

export interface BatchUpdateEntryRequest {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly inputMask: spireApiTypes.EntryMask | null
  readonly outputMask: spireApiTypes.EntryMask | null
}

export interface BatchUpdateEntryResponse {
  readonly results: readonly BatchUpdateEntryResponseResult[]
}

export interface BatchUpdateEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly entry: spireApiTypes.Entry | null
}

export interface BatchDeleteEntryRequest {
  readonly ids: readonly string[]
}

export interface BatchDeleteEntryResponse {
  readonly results: readonly BatchDeleteEntryResponseResult[]
}

export interface BatchDeleteEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly id: string
}

export interface GetAuthorizedEntriesRequest {
  readonly outputMask: spireApiTypes.EntryMask | null
}

export interface GetAuthorizedEntriesResponse {
  readonly entries: readonly spireApiTypes.Entry[]
}

export interface SyncAuthorizedEntriesRequest {
  readonly outputMask: spireApiTypes.EntryMask | null
  readonly ids: readonly string[]
}

export interface SyncAuthorizedEntriesResponse {
  readonly entryRevisions: readonly EntryRevision[]
  readonly entries: readonly spireApiTypes.Entry[]
  readonly more: boolean
}

export interface EntryRevision {
  readonly id: string
  readonly revisionNumber: number
  readonly createdAt: number
}

export const entryService = defineService('spire.api.server.entry.v1.Entry', 'spire/api/server/entry/v1/entry.proto', {
  countEntries: { name: 'CountEntries', kind: 'unary' } as Method<'unary', CountEntriesRequest, CountEntriesResponse>,
  listEntries: { name: 'ListEntries', kind: 'unary' } as Method<'unary', ListEntriesRequest, ListEntriesResponse>,
  getEntry: { name: 'GetEntry', kind: 'unary' } as Method<'unary', GetEntryRequest, spireApiTypes.Entry>,
  batchCreateEntry: { name: 'BatchCreateEntry', kind: 'unary' } as Method<
    'unary',
    BatchCreateEntryRequest,
    BatchCreateEntryResponse
  >,
  batchUpdateEntry: { name: 'BatchUpdateEntry', kind: 'unary' } as Method<
    'unary',
    BatchUpdateEntryRequest,
    BatchUpdateEntryResponse
  >,
  batchDeleteEntry: { name: 'BatchDeleteEntry', kind: 'unary' } as Method<
    'unary',
    BatchDeleteEntryRequest,
    BatchDeleteEntryResponse
  >,
  getAuthorizedEntries: { name: 'GetAuthorizedEntries', kind: 'unary' } as Method<
    'unary',
    GetAuthorizedEntriesRequest,
    GetAuthorizedEntriesResponse
  >,
  syncAuthorizedEntries: { name: 'SyncAuthorizedEntries', kind: 'bidi' } as Method<
    'bidi',
    SyncAuthorizedEntriesRequest,
    SyncAuthorizedEntriesResponse
  >,
})
