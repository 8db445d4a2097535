// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as googleProtobuf from './google-protobuf.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface CountEntriesRequest {
  readonly filter: CountEntriesRequestFilter | null
}

export const countEntriesRequestType: MessageType<CountEntriesRequest> = {
  name: 'spire.api.server.entry.v1.CountEntriesRequest',
  create: () => ({ filter: null }),
  fields: [{ number: 1, name: 'filter', kind: 'message', type: () => countEntriesRequestFilterType }],
}

export interface CountEntriesRequestFilter {
  readonly bySpiffeId: spireApiTypes.SpiffeId | null
  readonly byParentId: spireApiTypes.SpiffeId | null
  readonly bySelectors: spireApiTypes.SelectorMatch | null
  readonly byFederatesWith: spireApiTypes.FederatesWithMatch | null
  readonly byHint: googleProtobuf.StringValue | null
  readonly byDownstream: googleProtobuf.BoolValue | null
}

export const countEntriesRequestFilterType: MessageType<CountEntriesRequestFilter> = {
  name: 'spire.api.server.entry.v1.CountEntriesRequest.Filter',
  create: () => ({
    bySpiffeId: null,
    byParentId: null,
    bySelectors: null,
    byFederatesWith: null,
    byHint: null,
    byDownstream: null,
  }),
  fields: [
    { number: 1, name: 'bySpiffeId', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'byParentId', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 3, name: 'bySelectors', kind: 'message', type: () => spireApiTypes.selectorMatchType },
    { number: 4, name: 'byFederatesWith', kind: 'message', type: () => spireApiTypes.federatesWithMatchType },
    { number: 5, name: 'byHint', kind: 'message', type: () => googleProtobuf.stringValueType },
    { number: 6, name: 'byDownstream', kind: 'message', type: () => googleProtobuf.boolValueType },
  ],
}

export interface CountEntriesResponse {
  readonly count: number
}

export const countEntriesResponseType: MessageType<CountEntriesResponse> = {
  name: 'spire.api.server.entry.v1.CountEntriesResponse',
  create: () => ({ count: 0 }),
  fields: [{ number: 1, name: 'count', kind: 'int32' }],
}

export interface ListEntriesRequest {
  readonly filter: ListEntriesRequestFilter | null
  readonly outputMask: spireApiTypes.EntryMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export const listEntriesRequestType: MessageType<ListEntriesRequest> = {
  name: 'spire.api.server.entry.v1.ListEntriesRequest',
  create: () => ({ filter: null, outputMask: null, pageSize: 0, pageToken: '' }),
  fields: [
    { number: 1, name: 'filter', kind: 'message', type: () => listEntriesRequestFilterType },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
    { number: 3, name: 'pageSize', kind: 'int32' },
    { number: 4, name: 'pageToken', kind: 'string' },
  ],
}

export interface ListEntriesRequestFilter {
  readonly bySpiffeId: spireApiTypes.SpiffeId | null
  readonly byParentId: spireApiTypes.SpiffeId | null
  readonly bySelectors: spireApiTypes.SelectorMatch | null
  readonly byFederatesWith: spireApiTypes.FederatesWithMatch | null
  readonly byHint: googleProtobuf.StringValue | null
  readonly byDownstream: googleProtobuf.BoolValue | null
}

export const listEntriesRequestFilterType: MessageType<ListEntriesRequestFilter> = {
  name: 'spire.api.server.entry.v1.ListEntriesRequest.Filter',
  create: () => ({
    bySpiffeId: null,
    byParentId: null,
    bySelectors: null,
    byFederatesWith: null,
    byHint: null,
    byDownstream: null,
  }),
  fields: [
    { number: 1, name: 'bySpiffeId', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'byParentId', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 3, name: 'bySelectors', kind: 'message', type: () => spireApiTypes.selectorMatchType },
    { number: 4, name: 'byFederatesWith', kind: 'message', type: () => spireApiTypes.federatesWithMatchType },
    { number: 5, name: 'byHint', kind: 'message', type: () => googleProtobuf.stringValueType },
    { number: 6, name: 'byDownstream', kind: 'message', type: () => googleProtobuf.boolValueType },
  ],
}

export interface ListEntriesResponse {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly nextPageToken: string
}

export const listEntriesResponseType: MessageType<ListEntriesResponse> = {
  name: 'spire.api.server.entry.v1.ListEntriesResponse',
  create: () => ({ entries: NO_ITEMS, nextPageToken: '' }),
  fields: [
    { number: 1, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 2, name: 'nextPageToken', kind: 'string' },
  ],
}

export interface GetEntryRequest {
  readonly id: string
  readonly outputMask: spireApiTypes.EntryMask | null
}

export const getEntryRequestType: MessageType<GetEntryRequest> = {
  name: 'spire.api.server.entry.v1.GetEntryRequest',
  create: () => ({ id: '', outputMask: null }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
  ],
}

export interface BatchCreateEntryRequest {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly outputMask: spireApiTypes.EntryMask | null
}

export const batchCreateEntryRequestType: MessageType<BatchCreateEntryRequest> = {
  name: 'spire.api.server.entry.v1.BatchCreateEntryRequest',
  create: () => ({ entries: NO_ITEMS, outputMask: null }),
  fields: [
    { number: 1, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
  ],
}

export interface BatchCreateEntryResponse {
  readonly results: readonly BatchCreateEntryResponseResult[]
}

export const batchCreateEntryResponseType: MessageType<BatchCreateEntryResponse> = {
  name: 'spire.api.server.entry.v1.BatchCreateEntryResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    { number: 1, name: 'results', kind: 'message', type: () => batchCreateEntryResponseResultType, repeated: true },
  ],
}

export interface BatchCreateEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly entry: spireApiTypes.Entry | null
}

export const batchCreateEntryResponseResultType: MessageType<BatchCreateEntryResponseResult> = {
  name: 'spire.api.server.entry.v1.BatchCreateEntryResponse.Result',
  create: () => ({ status: null, entry: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'entry', kind: 'message', type: () => spireApiTypes.entryType },
  ],
}

export interface BatchUpdateEntryRequest {
  readonly entries: readonly spireApiTypes.Entry[]
  readonly inputMask: spireApiTypes.EntryMask | null
  readonly outputMask: spireApiTypes.EntryMask | null
}

export const batchUpdateEntryRequestType: MessageType<BatchUpdateEntryRequest> = {
  name: 'spire.api.server.entry.v1.BatchUpdateEntryRequest',
  create: () => ({ entries: NO_ITEMS, inputMask: null, outputMask: null }),
  fields: [
    { number: 1, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 2, name: 'inputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
    { number: 3, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
  ],
}

export interface BatchUpdateEntryResponse {
  readonly results: readonly BatchUpdateEntryResponseResult[]
}

export const batchUpdateEntryResponseType: MessageType<BatchUpdateEntryResponse> = {
  name: 'spire.api.server.entry.v1.BatchUpdateEntryResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    { number: 1, name: 'results', kind: 'message', type: () => batchUpdateEntryResponseResultType, repeated: true },
  ],
}

export interface BatchUpdateEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly entry: spireApiTypes.Entry | null
}

export const batchUpdateEntryResponseResultType: MessageType<BatchUpdateEntryResponseResult> = {
  name: 'spire.api.server.entry.v1.BatchUpdateEntryResponse.Result',
  create: () => ({ status: null, entry: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'entry', kind: 'message', type: () => spireApiTypes.entryType },
  ],
}

export interface BatchDeleteEntryRequest {
  readonly ids: readonly string[]
}

export const batchDeleteEntryRequestType: MessageType<BatchDeleteEntryRequest> = {
  name: 'spire.api.server.entry.v1.BatchDeleteEntryRequest',
  create: () => ({ ids: NO_ITEMS }),
  fields: [{ number: 1, name: 'ids', kind: 'string', repeated: true }],
}

export interface BatchDeleteEntryResponse {
  readonly results: readonly BatchDeleteEntryResponseResult[]
}

export const batchDeleteEntryResponseType: MessageType<BatchDeleteEntryResponse> = {
  name: 'spire.api.server.entry.v1.BatchDeleteEntryResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    { number: 1, name: 'results', kind: 'message', type: () => batchDeleteEntryResponseResultType, repeated: true },
  ],
}

export interface BatchDeleteEntryResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly id: string
}

export const batchDeleteEntryResponseResultType: MessageType<BatchDeleteEntryResponseResult> = {
  name: 'spire.api.server.entry.v1.BatchDeleteEntryResponse.Result',
  create: () => ({ status: null, id: '' }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'id', kind: 'string' },
  ],
}

export interface GetAuthorizedEntriesRequest {
  readonly outputMask: spireApiTypes.EntryMask | null
}

export const getAuthorizedEntriesRequestType: MessageType<GetAuthorizedEntriesRequest> = {
  name: 'spire.api.server.entry.v1.GetAuthorizedEntriesRequest',
  create: () => ({ outputMask: null }),
  fields: [{ number: 1, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType }],
}

export interface GetAuthorizedEntriesResponse {
  readonly entries: readonly spireApiTypes.Entry[]
}

export const getAuthorizedEntriesResponseType: MessageType<GetAuthorizedEntriesResponse> = {
  name: 'spire.api.server.entry.v1.GetAuthorizedEntriesResponse',
  create: () => ({ entries: NO_ITEMS }),
  fields: [{ number: 1, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true }],
}

export interface SyncAuthorizedEntriesRequest {
  readonly outputMask: spireApiTypes.EntryMask | null
  readonly ids: readonly string[]
}

export const syncAuthorizedEntriesRequestType: MessageType<SyncAuthorizedEntriesRequest> = {
  name: 'spire.api.server.entry.v1.SyncAuthorizedEntriesRequest',
  create: () => ({ outputMask: null, ids: NO_ITEMS }),
  fields: [
    { number: 1, name: 'outputMask', kind: 'message', type: () => spireApiTypes.entryMaskType },
    { number: 2, name: 'ids', kind: 'string', repeated: true },
  ],
}

export interface SyncAuthorizedEntriesResponse {
  readonly entryRevisions: readonly EntryRevision[]
  readonly entries: readonly spireApiTypes.Entry[]
  readonly more: boolean
}

export const syncAuthorizedEntriesResponseType: MessageType<SyncAuthorizedEntriesResponse> = {
  name: 'spire.api.server.entry.v1.SyncAuthorizedEntriesResponse',
  create: () => ({ entryRevisions: NO_ITEMS, entries: NO_ITEMS, more: false }),
  fields: [
    { number: 1, name: 'entryRevisions', kind: 'message', type: () => entryRevisionType, repeated: true },
    { number: 2, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 3, name: 'more', kind: 'bool' },
  ],
}

export interface EntryRevision {
  readonly id: string
  readonly revisionNumber: number
  readonly createdAt: number
}

export const entryRevisionType: MessageType<EntryRevision> = {
  name: 'spire.api.server.entry.v1.EntryRevision',
  create: () => ({ id: '', revisionNumber: 0, createdAt: 0 }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'revisionNumber', kind: 'int64' },
    { number: 3, name: 'createdAt', kind: 'int64' },
  ],
}

export const entryService = {
  name: 'spire.api.server.entry.v1.Entry',
  methods: {
    countEntries: {
      name: 'CountEntries',
      kind: 'unary',
      request: countEntriesRequestType,
      response: countEntriesResponseType,
    },
    listEntries: {
      name: 'ListEntries',
      kind: 'unary',
      request: listEntriesRequestType,
      response: listEntriesResponseType,
    },
    getEntry: { name: 'GetEntry', kind: 'unary', request: getEntryRequestType, response: spireApiTypes.entryType },
    batchCreateEntry: {
      name: 'BatchCreateEntry',
      kind: 'unary',
      request: batchCreateEntryRequestType,
      response: batchCreateEntryResponseType,
    },
    batchUpdateEntry: {
      name: 'BatchUpdateEntry',
      kind: 'unary',
      request: batchUpdateEntryRequestType,
      response: batchUpdateEntryResponseType,
    },
    batchDeleteEntry: {
      name: 'BatchDeleteEntry',
      kind: 'unary',
      request: batchDeleteEntryRequestType,
      response: batchDeleteEntryResponseType,
    },
    getAuthorizedEntries: {
      name: 'GetAuthorizedEntries',
      kind: 'unary',
      request: getAuthorizedEntriesRequestType,
      response: getAuthorizedEntriesResponseType,
    },
    syncAuthorizedEntries: {
      name: 'SyncAuthorizedEntries',
      kind: 'bidi',
      request: syncAuthorizedEntriesRequestType,
      response: syncAuthorizedEntriesResponseType,
    },
  },
} as const satisfies Service
