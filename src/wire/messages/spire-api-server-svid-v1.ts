// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface MintX509SvidRequest {
  readonly csr: Buffer
  readonly ttl: number
}

export const mintX509SvidRequestType: MessageType<MintX509SvidRequest> = {
  name: 'spire.api.server.svid.v1.MintX509SVIDRequest',
  create: () => ({ csr: NO_BYTES, ttl: 0 }),
  fields: [
    { number: 1, name: 'csr', kind: 'bytes' },
    { number: 2, name: 'ttl', kind: 'int32' },
  ],
}

export interface MintX509SvidResponse {
  readonly svid: spireApiTypes.X509Svid | null
}

export const mintX509SvidResponseType: MessageType<MintX509SvidResponse> = {
  name: 'spire.api.server.svid.v1.MintX509SVIDResponse',
  create: () => ({ svid: null }),
  fields: [{ number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.x509SvidType }],
}

export interface MintWitSvidRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly publicKey: Buffer
  readonly ttl: number
  readonly signingAlgorithm: string
}

export const mintWitSvidRequestType: MessageType<MintWitSvidRequest> = {
  name: 'spire.api.server.svid.v1.MintWITSVIDRequest',
  create: () => ({ id: null, publicKey: NO_BYTES, ttl: 0, signingAlgorithm: '' }),
  fields: [
    { number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'publicKey', kind: 'bytes' },
    { number: 3, name: 'ttl', kind: 'int32' },
    { number: 4, name: 'signingAlgorithm', kind: 'string' },
  ],
}

export interface MintWitSvidResponse {
  readonly svid: spireApiTypes.WitSvid | null
}

export const mintWitSvidResponseType: MessageType<MintWitSvidResponse> = {
  name: 'spire.api.server.svid.v1.MintWITSVIDResponse',
  create: () => ({ svid: null }),
  fields: [{ number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.witSvidType }],
}

export interface MintJwtSvidRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly audience: readonly string[]
  readonly ttl: number
}

export const mintJwtSvidRequestType: MessageType<MintJwtSvidRequest> = {
  name: 'spire.api.server.svid.v1.MintJWTSVIDRequest',
  create: () => ({ id: null, audience: NO_ITEMS, ttl: 0 }),
  fields: [
    { number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'audience', kind: 'string', repeated: true },
    { number: 3, name: 'ttl', kind: 'int32' },
  ],
}

export interface MintJwtSvidResponse {
  readonly svid: spireApiTypes.JwtSvid | null
}

export const mintJwtSvidResponseType: MessageType<MintJwtSvidResponse> = {
  name: 'spire.api.server.svid.v1.MintJWTSVIDResponse',
  create: () => ({ svid: null }),
  fields: [{ number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.jwtSvidType }],
}

export interface BatchNewX509SvidRequest {
  readonly params: readonly NewX509SvidParams[]
}

export const batchNewX509SvidRequestType: MessageType<BatchNewX509SvidRequest> = {
  name: 'spire.api.server.svid.v1.BatchNewX509SVIDRequest',
  create: () => ({ params: NO_ITEMS }),
  fields: [{ number: 1, name: 'params', kind: 'message', type: () => newX509SvidParamsType, repeated: true }],
}

export interface BatchNewX509SvidResponse {
  readonly results: readonly BatchNewX509SvidResponseResult[]
}

export const batchNewX509SvidResponseType: MessageType<BatchNewX509SvidResponse> = {
  name: 'spire.api.server.svid.v1.BatchNewX509SVIDResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    { number: 1, name: 'results', kind: 'message', type: () => batchNewX509SvidResponseResultType, repeated: true },
  ],
}

export interface BatchNewX509SvidResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly svid: spireApiTypes.X509Svid | null
}

export const batchNewX509SvidResponseResultType: MessageType<BatchNewX509SvidResponseResult> = {
  name: 'spire.api.server.svid.v1.BatchNewX509SVIDResponse.Result',
  create: () => ({ status: null, svid: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'svid', kind: 'message', type: () => spireApiTypes.x509SvidType },
  ],
}

export interface NewJwtSvidRequest {
  readonly entryId: string
  readonly audience: readonly string[]
}

export const newJwtSvidRequestType: MessageType<NewJwtSvidRequest> = {
  name: 'spire.api.server.svid.v1.NewJWTSVIDRequest',
  create: () => ({ entryId: '', audience: NO_ITEMS }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'audience', kind: 'string', repeated: true },
  ],
}

export interface BatchNewWitSvidRequest {
  readonly params: readonly NewWitSvidParams[]
}

export const batchNewWitSvidRequestType: MessageType<BatchNewWitSvidRequest> = {
  name: 'spire.api.server.svid.v1.BatchNewWITSVIDRequest',
  create: () => ({ params: NO_ITEMS }),
  fields: [{ number: 1, name: 'params', kind: 'message', type: () => newWitSvidParamsType, repeated: true }],
}

export interface BatchNewWitSvidResponse {
  readonly results: readonly BatchNewWitSvidResponseResult[]
}

export const batchNewWitSvidResponseType: MessageType<BatchNewWitSvidResponse> = {
  name: 'spire.api.server.svid.v1.BatchNewWITSVIDResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [
    { number: 1, name: 'results', kind: 'message', type: () => batchNewWitSvidResponseResultType, repeated: true },
  ],
}

export interface BatchNewWitSvidResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly svid: spireApiTypes.WitSvid | null
}

export const batchNewWitSvidResponseResultType: MessageType<BatchNewWitSvidResponseResult> = {
  name: 'spire.api.server.svid.v1.BatchNewWITSVIDResponse.Result',
  create: () => ({ status: null, svid: null }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'svid', kind: 'message', type: () => spireApiTypes.witSvidType },
  ],
}

export interface NewJwtSvidResponse {
  readonly svid: spireApiTypes.JwtSvid | null
}

export const newJwtSvidResponseType: MessageType<NewJwtSvidResponse> = {
  name: 'spire.api.server.svid.v1.NewJWTSVIDResponse',
  create: () => ({ svid: null }),
  fields: [{ number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.jwtSvidType }],
}

export interface NewDownstreamX509CaRequest {
  readonly csr: Buffer
  readonly preferredTtl: number
}

export const newDownstreamX509CaRequestType: MessageType<NewDownstreamX509CaRequest> = {
  name: 'spire.api.server.svid.v1.NewDownstreamX509CARequest',
  create: () => ({ csr: NO_BYTES, preferredTtl: 0 }),
  fields: [
    { number: 1, name: 'csr', kind: 'bytes' },
    { number: 2, name: 'preferredTtl', kind: 'int32' },
  ],
}

export interface NewDownstreamX509CaResponse {
  readonly caCertChain: readonly Buffer[]
  readonly x509Authorities: readonly Buffer[]
}

export const newDownstreamX509CaResponseType: MessageType<NewDownstreamX509CaResponse> = {
  name: 'spire.api.server.svid.v1.NewDownstreamX509CAResponse',
  create: () => ({ caCertChain: NO_ITEMS, x509Authorities: NO_ITEMS }),
  fields: [
    { number: 1, name: 'caCertChain', kind: 'bytes', repeated: true },
    { number: 2, name: 'x509Authorities', kind: 'bytes', repeated: true },
  ],
}

export interface NewX509SvidParams {
  readonly entryId: string
  readonly csr: Buffer
}

export const newX509SvidParamsType: MessageType<NewX509SvidParams> = {
  name: 'spire.api.server.svid.v1.NewX509SVIDParams',
  create: () => ({ entryId: '', csr: NO_BYTES }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'csr', kind: 'bytes' },
  ],
}

export interface NewWitSvidParams {
  readonly entryId: string
  readonly publicKey: Buffer
  readonly signingAlgorithm: string
}

export const newWitSvidParamsType: MessageType<NewWitSvidParams> = {
  name: 'spire.api.server.svid.v1.NewWITSVIDParams',
  create: () => ({ entryId: '', publicKey: NO_BYTES, signingAlgorithm: '' }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'publicKey', kind: 'bytes' },
    { number: 3, name: 'signingAlgorithm', kind: 'string' },
  ],
}

export const svidService = {
  name: 'spire.api.server.svid.v1.SVID',
  methods: {
    mintX509Svid: {
      name: 'MintX509SVID',
      kind: 'unary',
      request: mintX509SvidRequestType,
      response: mintX509SvidResponseType,
    },
    mintJwtSvid: {
      name: 'MintJWTSVID',
      kind: 'unary',
      request: mintJwtSvidRequestType,
      response: mintJwtSvidResponseType,
    },
    mintWitSvid: {
      name: 'MintWITSVID',
      kind: 'unary',
      request: mintWitSvidRequestType,
      response: mintWitSvidResponseType,
    },
    batchNewX509Svid: {
      name: 'BatchNewX509SVID',
      kind: 'unary',
      request: batchNewX509SvidRequestType,
      response: batchNewX509SvidResponseType,
    },
    newJwtSvid: { name: 'NewJWTSVID', kind: 'unary', request: newJwtSvidRequestType, response: newJwtSvidResponseType },
    batchNewWitSvid: {
      name: 'BatchNewWITSVID',
      kind: 'unary',
      request: batchNewWitSvidRequestType,
      response: batchNewWitSvidResponseType,
    },
    newDownstreamX509Ca: {
      name: 'NewDownstreamX509CA',
      kind: 'unary',
      request: newDownstreamX509CaRequestType,
      response: newDownstreamX509CaResponseType,
    },
  },
} as const satisfies Service
