// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface MintX509SvidRequest {
  readonly csr: Buffer
  readonly ttl: number
}

export interface MintX509SvidResponse {
  readonly svid: spireApiTypes.X509Svid | null
}

export interface MintWitSvidRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly publicKey: Buffer
  readonly ttl: number
  readonly signingAlgorithm: string
}

export interface MintWitSvidResponse {
  readonly svid: spireApiTypes.WitSvid | null
}

export interface MintJwtSvidRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly audience: readonly string[]
  readonly ttl: number
}

export interface MintJwtSvidResponse {
  readonly svid: spireApiTypes.JwtSvid | null
}

export interface BatchNewX509SvidRequest {
  readonly params: readonly NewX509SvidParams[]
}

export interface BatchNewX509SvidResponse {
  readonly results: readonly BatchNewX509SvidResponseResult[]
}

export interface BatchNewX509SvidResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly svid: spireApiTypes.X509Svid | null
}

export interface NewJwtSvidRequest {
  readonly entryId: string
  readonly audience: readonly string[]
}

export interface BatchNewWitSvidRequest {
  readonly params: readonly NewWitSvidParams[]
}

export interface BatchNewWitSvidResponse {
  readonly results: readonly BatchNewWitSvidResponseResult[]
}

export interface BatchNewWitSvidResponseResult {
  readonly status: spireApiTypes.Status | null
  readonly svid: spireApiTypes.WitSvid | null
}

export interface NewJwtSvidResponse {
  readonly svid: spireApiTypes.JwtSvid | null
}

export interface NewDownstreamX509CaRequest {
  readonly csr: Buffer
  readonly preferredTtl: number
}

export interface NewDownstreamX509CaResponse {
  readonly caCertChain: readonly Buffer[]
  readonly x509Authorities: readonly Buffer[]
}

export interface NewX509SvidParams {
  readonly entryId: string
  readonly csr: Buffer
}

export interface NewWitSvidParams {
  readonly entryId: string
  readonly publicKey: Buffer
  readonly signingAlgorithm: string
}

export const svidService = defineService('spire.api.server.svid.v1.SVID', 'spire/api/server/svid/v1/svid.proto', {
  mintX509Svid: { name: 'MintX509SVID', kind: 'unary' } as Method<'unary', MintX509SvidRequest, MintX509SvidResponse>,
  mintJwtSvid: { name: 'MintJWTSVID', kind: 'unary' } as Method<'unary', MintJwtSvidRequest, MintJwtSvidResponse>,
  mintWitSvid: { name: 'MintWITSVID', kind: 'unary' } as Method<'unary', MintWitSvidRequest, MintWitSvidResponse>,
  batchNewX509Svid: { name: 'BatchNewX509SVID', kind: 'unary' } as Method<
    'unary',
    BatchNewX509SvidRequest,
    BatchNewX509SvidResponse
  >,
  newJwtSvid: { name: 'NewJWTSVID', kind: 'unary' } as Method<'unary', NewJwtSvidRequest, NewJwtSvidResponse>,
  batchNewWitSvid: { name: 'BatchNewWITSVID', kind: 'unary' } as Method<
    'unary',
    BatchNewWitSvidRequest,
    BatchNewWitSvidResponse
  >,
  newDownstreamX509Ca: { name: 'NewDownstreamX509CA', kind: 'unary' } as Method<
    'unary',
    NewDownstreamX509CaRequest,
    NewDownstreamX509CaResponse
  >,
})
