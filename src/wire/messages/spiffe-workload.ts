// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as googleProtobuf from './google-protobuf.ts'

export interface X509SvidRequest {}

export interface X509SvidResponse {
  readonly svids: readonly X509Svid[]
  readonly crl: readonly Buffer[]
  readonly federatedBundles: Readonly<Record<string, Buffer>>
}

export interface X509Svid {
  readonly spiffeId: string
  readonly x509Svid: Buffer
  readonly x509SvidKey: Buffer
  readonly bundle: Buffer
  readonly hint: string
}

export interface X509BundlesRequest {}

export interface X509BundlesResponse {
  readonly crl: readonly Buffer[]
  readonly bundles: Readonly<Record<string, Buffer>>
}

export interface JwtSvidRequest {
  readonly audience: readonly string[]
  readonly spiffeId: string
}

export interface JwtSvidResponse {
  readonly svids: readonly JwtSvid[]
}

export interface JwtSvid {
  readonly spiffeId: string
  readonly svid: string
  readonly hint: string
}

export interface JwtBundlesRequest {}

export interface JwtBundlesResponse {
  readonly bundles: Readonly<Record<string, Buffer>>
}

export interface ValidateJwtSvidRequest {
  readonly audience: string
  readonly svid: string
}

export interface ValidateJwtSvidResponse {
  readonly spiffeId: string
  readonly claims: googleProtobuf.Struct | null
}

export interface WitSvidRequest {
  readonly spiffeId: string
}

export interface WitSvidResponse {
  readonly svids: readonly WitSvid[]
}

export interface WitSvid {
  readonly spiffeId: string
  readonly witSvid: string
  readonly witSvidKey: string
  readonly hint: string
}

export interface WitBundlesRequest {}

export interface WitBundlesResponse {
  readonly bundles: Readonly<Record<string, string>>
}

export const spiffeWorkloadApiService = defineService('SpiffeWorkloadAPI', 'spiffe/workload.proto', {
  fetchX509Svid: { name: 'FetchX509SVID', kind: 'serverStream' } as Method<
    'serverStream',
    X509SvidRequest,
    X509SvidResponse
  >,
  fetchX509Bundles: { name: 'FetchX509Bundles', kind: 'serverStream' } as Method<
    'serverStream',
    X509BundlesRequest,
    X509BundlesResponse
  >,
  fetchJwtSvid: { name: 'FetchJWTSVID', kind: 'unary' } as Method<'unary', JwtSvidRequest, JwtSvidResponse>,
  fetchJwtBundles: { name: 'FetchJWTBundles', kind: 'serverStream' } as Method<
    'serverStream',
    JwtBundlesRequest,
    JwtBundlesResponse
  >,
  validateJwtSvid: { name: 'ValidateJWTSVID', kind: 'unary' } as Method<
    'unary',
    ValidateJwtSvidRequest,
    ValidateJwtSvidResponse
  >,
  fetchWitSvid: { name: 'FetchWITSVID', kind: 'serverStream' } as Method<
    'serverStream',
    WitSvidRequest,
    WitSvidResponse
  >,
  fetchWitBundles: { name: 'FetchWITBundles', kind: 'serverStream' } as Method<
    'serverStream',
    WitBundlesRequest,
    WitBundlesResponse
  >,
})
