// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface X509SvidWithKey {
  readonly x509Svid: spireApiTypes.X509Svid | null
  readonly x509SvidKey: Buffer
}

export const x509SvidWithKeyType: MessageType<X509SvidWithKey> = {
  name: 'spire.api.agent.delegatedidentity.v1.X509SVIDWithKey',
  create: () => ({ x509Svid: null, x509SvidKey: NO_BYTES }),
  fields: [
    { number: 1, name: 'x509Svid', kind: 'message', type: () => spireApiTypes.x509SvidType },
    { number: 2, name: 'x509SvidKey', kind: 'bytes' },
  ],
}

export interface SubscribeToX509SvidsRequest {
  readonly selectors: readonly spireApiTypes.Selector[]
  readonly pid: number
}

export const subscribeToX509SvidsRequestType: MessageType<SubscribeToX509SvidsRequest> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToX509SVIDsRequest',
  create: () => ({ selectors: NO_ITEMS, pid: 0 }),
  fields: [
    { number: 1, name: 'selectors', kind: 'message', type: () => spireApiTypes.selectorType, repeated: true },
    { number: 2, name: 'pid', kind: 'int32' },
  ],
}

export interface SubscribeToX509SvidsResponse {
  readonly x509Svids: readonly X509SvidWithKey[]
  readonly federatesWith: readonly string[]
}

export const subscribeToX509SvidsResponseType: MessageType<SubscribeToX509SvidsResponse> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToX509SVIDsResponse',
  create: () => ({ x509Svids: NO_ITEMS, federatesWith: NO_ITEMS }),
  fields: [
    { number: 1, name: 'x509Svids', kind: 'message', type: () => x509SvidWithKeyType, repeated: true },
    { number: 2, name: 'federatesWith', kind: 'string', repeated: true },
  ],
}

export interface SubscribeToX509BundlesRequest {}

export const subscribeToX509BundlesRequestType: MessageType<SubscribeToX509BundlesRequest> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToX509BundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface SubscribeToX509BundlesResponse {
  readonly caCertificates: Readonly<Record<string, Buffer>>
}

export const subscribeToX509BundlesResponseType: MessageType<SubscribeToX509BundlesResponse> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToX509BundlesResponse',
  create: () => ({ caCertificates: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'caCertificates',
      kind: 'map',
      entry: {
        name: 'spire.api.agent.delegatedidentity.v1.SubscribeToX509BundlesResponse.caCertificates',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export interface FetchJwtSvidsRequest {
  readonly audience: readonly string[]
  readonly selectors: readonly spireApiTypes.Selector[]
  readonly pid: number
}

export const fetchJwtSvidsRequestType: MessageType<FetchJwtSvidsRequest> = {
  name: 'spire.api.agent.delegatedidentity.v1.FetchJWTSVIDsRequest',
  create: () => ({ audience: NO_ITEMS, selectors: NO_ITEMS, pid: 0 }),
  fields: [
    { number: 1, name: 'audience', kind: 'string', repeated: true },
    { number: 2, name: 'selectors', kind: 'message', type: () => spireApiTypes.selectorType, repeated: true },
    { number: 3, name: 'pid', kind: 'int32' },
  ],
}

export interface FetchJwtSvidsResponse {
  readonly svids: readonly spireApiTypes.JwtSvid[]
}

export const fetchJwtSvidsResponseType: MessageType<FetchJwtSvidsResponse> = {
  name: 'spire.api.agent.delegatedidentity.v1.FetchJWTSVIDsResponse',
  create: () => ({ svids: NO_ITEMS }),
  fields: [{ number: 1, name: 'svids', kind: 'message', type: () => spireApiTypes.jwtSvidType, repeated: true }],
}

export interface SubscribeToJwtBundlesRequest {}

export const subscribeToJwtBundlesRequestType: MessageType<SubscribeToJwtBundlesRequest> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToJWTBundlesRequest',
  create: () => ({}),
  fields: [],
}

export interface SubscribeToJwtBundlesResponse {
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const subscribeToJwtBundlesResponseType: MessageType<SubscribeToJwtBundlesResponse> = {
  name: 'spire.api.agent.delegatedidentity.v1.SubscribeToJWTBundlesResponse',
  create: () => ({ bundles: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'spire.api.agent.delegatedidentity.v1.SubscribeToJWTBundlesResponse.bundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export const delegatedIdentityService = {
  name: 'spire.api.agent.delegatedidentity.v1.DelegatedIdentity',
  methods: {
    subscribeToX509Svids: {
      name: 'SubscribeToX509SVIDs',
      kind: 'serverStream',
      request: subscribeToX509SvidsRequestType,
      response: subscribeToX509SvidsResponseType,
    },
    subscribeToX509Bundles: {
      name: 'SubscribeToX509Bundles',
      kind: 'serverStream',
      request: subscribeToX509BundlesRequestType,
      response: subscribeToX509BundlesResponseType,
    },
    fetchJwtSvids: {
      name: 'FetchJWTSVIDs',
      kind: 'unary',
      request: fetchJwtSvidsRequestType,
      response: fetchJwtSvidsResponseType,
    },
    subscribeToJwtBundles: {
      name: 'SubscribeToJWTBundles',
      kind: 'serverStream',
      request: subscribeToJwtBundlesRequestType,
      response: subscribeToJwtBundlesResponseType,
    },
  },
} as const satisfies Service
