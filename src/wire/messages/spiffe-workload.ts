// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as googleProtobuf from './google-protobuf.ts'

export interface X509SvidRequest {}

export const x509SvidRequestType: MessageType<X509SvidRequest> = {
  name: 'X509SVIDRequest',
  create: () => ({}),
  fields: [],
}

export interface X509SvidResponse {
  readonly svids: readonly X509Svid[]
  readonly crl: readonly Buffer[]
  readonly federatedBundles: Readonly<Record<string, Buffer>>
}

export const x509SvidResponseType: MessageType<X509SvidResponse> = {
  name: 'X509SVIDResponse',
  create: () => ({ svids: NO_ITEMS, crl: NO_ITEMS, federatedBundles: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'svids', kind: 'message', type: () => x509SvidType, repeated: true },
    { number: 2, name: 'crl', kind: 'bytes', repeated: true },
    {
      number: 3,
      name: 'federatedBundles',
      kind: 'map',
      entry: {
        name: 'X509SVIDResponse.federatedBundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export interface X509Svid {
  readonly spiffeId: string
  readonly x509Svid: Buffer
  readonly x509SvidKey: Buffer
  readonly bundle: Buffer
  readonly hint: string
}

export const x509SvidType: MessageType<X509Svid> = {
  name: 'X509SVID',
  create: () => ({ spiffeId: '', x509Svid: NO_BYTES, x509SvidKey: NO_BYTES, bundle: NO_BYTES, hint: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'x509Svid', kind: 'bytes' },
    { number: 3, name: 'x509SvidKey', kind: 'bytes' },
    { number: 4, name: 'bundle', kind: 'bytes' },
    { number: 5, name: 'hint', kind: 'string' },
  ],
}

export interface X509BundlesRequest {}

export const x509BundlesRequestType: MessageType<X509BundlesRequest> = {
  name: 'X509BundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface X509BundlesResponse {
  readonly crl: readonly Buffer[]
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const x509BundlesResponseType: MessageType<X509BundlesResponse> = {
  name: 'X509BundlesResponse',
  create: () => ({ crl: NO_ITEMS, bundles: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'crl', kind: 'bytes', repeated: true },
    {
      number: 2,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'X509BundlesResponse.bundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export interface JwtSvidRequest {
  readonly audience: readonly string[]
  readonly spiffeId: string
}

export const jwtSvidRequestType: MessageType<JwtSvidRequest> = {
  name: 'JWTSVIDRequest',
  create: () => ({ audience: NO_ITEMS, spiffeId: '' }),
  fields: [
    { number: 1, name: 'audience', kind: 'string', repeated: true },
    { number: 2, name: 'spiffeId', kind: 'string' },
  ],
}

export interface JwtSvidResponse {
  readonly svids: readonly JwtSvid[]
}

export const jwtSvidResponseType: MessageType<JwtSvidResponse> = {
  name: 'JWTSVIDResponse',
  create: () => ({ svids: NO_ITEMS }),
  fields: [{ number: 1, name: 'svids', kind: 'message', type: () => jwtSvidType, repeated: true }],
}

export interface JwtSvid {
  readonly spiffeId: string
  readonly svid: string
  readonly hint: string
}

export const jwtSvidType: MessageType<JwtSvid> = {
  name: 'JWTSVID',
  create: () => ({ spiffeId: '', svid: '', hint: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'svid', kind: 'string' },
    { number: 3, name: 'hint', kind: 'string' },
  ],
}

export interface JwtBundlesRequest {}

export const jwtBundlesRequestType: MessageType<JwtBundlesRequest> = {
  name: 'JWTBundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface JwtBundlesResponse {
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const jwtBundlesResponseType: MessageType<JwtBundlesResponse> = {
  name: 'JWTBundlesResponse',
  create: () => ({ bundles: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'JWTBundlesResponse.bundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export interface ValidateJwtSvidRequest {
  readonly audience: string
  readonly svid: string
}

export const validateJwtSvidRequestType: MessageType<ValidateJwtSvidRequest> = {
  name: 'ValidateJWTSVIDRequest',
  create: () => ({ audience: '', svid: '' }),
  fields: [
    { number: 1, name: 'audience', kind: 'string' },
    { number: 2, name: 'svid', kind: 'string' },
  ],
}

export interface ValidateJwtSvidResponse {
  readonly spiffeId: string
  readonly claims: googleProtobuf.Struct | null
}

export const validateJwtSvidResponseType: MessageType<ValidateJwtSvidResponse> = {
  name: 'ValidateJWTSVIDResponse',
  create: () => ({ spiffeId: '', claims: null }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'claims', kind: 'message', type: () => googleProtobuf.structType },
  ],
}

export interface WitSvidRequest {
  readonly spiffeId: string
}

export const witSvidRequestType: MessageType<WitSvidRequest> = {
  name: 'WITSVIDRequest',
  create: () => ({ spiffeId: '' }),
  fields: [{ number: 1, name: 'spiffeId', kind: 'string' }],
}

export interface WitSvidResponse {
  readonly svids: readonly WitSvid[]
}

export const witSvidResponseType: MessageType<WitSvidResponse> = {
  name: 'WITSVIDResponse',
  create: () => ({ svids: NO_ITEMS }),
  fields: [{ number: 1, name: 'svids', kind: 'message', type: () => witSvidType, repeated: true }],
}

export interface WitSvid {
  readonly spiffeId: string
  readonly witSvid: string
  readonly witSvidKey: string
  readonly hint: string
}

export const witSvidType: MessageType<WitSvid> = {
  name: 'WITSVID',
  create: () => ({ spiffeId: '', witSvid: '', witSvidKey: '', hint: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'witSvid', kind: 'string' },
    { number: 3, name: 'witSvidKey', kind: 'string' },
    { number: 4, name: 'hint', kind: 'string' },
  ],
}

export interface WitBundlesRequest {}

export const witBundlesRequestType: MessageType<WitBundlesRequest> = {
  name: 'WITBundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface WitBundlesResponse {
  readonly bundles: Readonly<Record<string, string>>
}

export const witBundlesResponseType: MessageType<WitBundlesResponse> = {
  name: 'WITBundlesResponse',
  create: () => ({ bundles: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'WITBundlesResponse.bundles',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
  ],
}

export const spiffeWorkloadApiService = {
  name: 'SpiffeWorkloadAPI',
  methods: {
    fetchX509Svid: {
      name: 'FetchX509SVID',
      kind: 'serverStream',
      request: x509SvidRequestType,
      response: x509SvidResponseType,
    },
    fetchX509Bundles: {
      name: 'FetchX509Bundles',
      kind: 'serverStream',
      request: x509BundlesRequestType,
      response: x509BundlesResponseType,
    },
    fetchJwtSvid: { name: 'FetchJWTSVID', kind: 'unary', request: jwtSvidRequestType, response: jwtSvidResponseType },
    fetchJwtBundles: {
      name: 'FetchJWTBundles',
      kind: 'serverStream',
      request: jwtBundlesRequestType,
      response: jwtBundlesResponseType,
    },
    validateJwtSvid: {
      name: 'ValidateJWTSVID',
      kind: 'unary',
      request: validateJwtSvidRequestType,
      response: validateJwtSvidResponseType,
    },
    fetchWitSvid: {
      name: 'FetchWITSVID',
      kind: 'serverStream',
      request: witSvidRequestType,
      response: witSvidResponseType,
    },
    fetchWitBundles: {
      name: 'FetchWITBundles',
      kind: 'serverStream',
      request: witBundlesRequestType,
      response: witBundlesResponseType,
    },
  },
} as const satisfies Service
