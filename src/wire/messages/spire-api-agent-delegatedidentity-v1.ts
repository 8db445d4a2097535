// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface X509SvidWithKey {
  readonly x509Svid: spireApiTypes.X509Svid | null
  readonly x509SvidKey: Buffer
}

export interface SubscribeToX509SvidsRequest {
  readonly selectors: readonly spireApiTypes.Selector[]
  readonly pid: number
}

export interface SubscribeToX509SvidsResponse {
  readonly x509Svids: readonly X509SvidWithKey[]
  readonly federatesWith: readonly string[]
}

export interface SubscribeToX509BundlesRequest {}

export interface SubscribeToX509BundlesResponse {
  readonly caCertificates: Readonly<Record<string, Buffer>>
}

export interface FetchJwtSvidsRequest {
  readonly audience: readonly string[]
  readonly selectors: readonly spireApiTypes.Selector[]
  readonly pid: number
}

export interface FetchJwtSvidsResponse {
  readonly svids: readonly spireApiTypes.JwtSvid[]
}

export interface SubscribeToJwtBundlesRequest {}

export interface SubscribeToJwtBundlesResponse {
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const delegatedIdentityService = defineService(
  'spire.api.agent.delegatedidentity.v1.DelegatedIdentity',
  'spire/api/agent/delegatedidentity/v1/delegatedidentity.proto',
  {
    subscribeToX509Svids: { name: 'SubscribeToX509SVIDs', kind: 'serverStream' } as Method<
      'serverStream',
      SubscribeToX509SvidsRequest,
      SubscribeToX509SvidsResponse
    >,
    subscribeToX509Bundles: { name: 'SubscribeToX509Bundles', kind: 'serverStream' } as Method<
      'serverStream',
      SubscribeToX509BundlesRequest,
      SubscribeToX509BundlesResponse
    >,
    fetchJwtSvids: { name: 'FetchJWTSVIDs', kind: 'unary' } as Method<
      'unary',
      FetchJwtSvidsRequest,
      FetchJwtSvidsResponse
    >,
    subscribeToJwtBundles: { name: 'SubscribeToJWTBundles', kind: 'serverStream' } as Method<
      'serverStream',
      SubscribeToJwtBundlesRequest,
      SubscribeToJwtBundlesResponse
    >,
  },
)
