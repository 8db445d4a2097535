// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as googleProtobuf from './google-protobuf.ts'

export interface WorkloadReference {
  readonly reference: googleProtobuf.Any | null
}

export const workloadReferenceType: MessageType<WorkloadReference> = {
  name: 'spiffe.broker.WorkloadReference',
  create: () => ({ reference: null }),
  fields: [{ number: 1, name: 'reference', kind: 'message', type: () => googleProtobuf.anyType }],
}

export interface WorkloadPidReference {
  readonly pid: number
}

export const workloadPidReferenceType: MessageType<WorkloadPidReference> = {
  name: 'spiffe.broker.WorkloadPIDReference',
  create: () => ({ pid: 0 }),
  fields: [{ number: 1, name: 'pid', kind: 'int32' }],
}

export interface KubernetesObjectType {
  readonly plural: string
  readonly group: string
}

export const kubernetesObjectTypeType: MessageType<KubernetesObjectType> = {
  name: 'spiffe.broker.KubernetesObjectType',
  create: () => ({ plural: '', group: '' }),
  fields: [
    { number: 1, name: 'plural', kind: 'string' },
    { number: 2, name: 'group', kind: 'string' },
  ],
}

export interface KubernetesObjectKey {
  readonly namespace: string
  readonly name: string
}

export const kubernetesObjectKeyType: MessageType<KubernetesObjectKey> = {
  name: 'spiffe.broker.KubernetesObjectKey',
  create: () => ({ namespace: '', name: '' }),
  fields: [
    { number: 1, name: 'namespace', kind: 'string' },
    { number: 2, name: 'name', kind: 'string' },
  ],
}

export interface KubernetesObjectReference {
  readonly type: KubernetesObjectType | null
  readonly key: KubernetesObjectKey | null
  readonly uid: string
}

export const kubernetesObjectReferenceType: MessageType<KubernetesObjectReference> = {
  name: 'spiffe.broker.KubernetesObjectReference',
  create: () => ({ type: null, key: null, uid: '' }),
  fields: [
    { number: 1, name: 'type', kind: 'message', type: () => kubernetesObjectTypeType },
    { number: 2, name: 'key', kind: 'message', type: () => kubernetesObjectKeyType },
    { number: 3, name: 'uid', kind: 'string' },
  ],
}

export interface SubscribeToX509SvidRequest {
  readonly reference: WorkloadReference | null
}

export const subscribeToX509SvidRequestType: MessageType<SubscribeToX509SvidRequest> = {
  name: 'spiffe.broker.SubscribeToX509SVIDRequest',
  create: () => ({ reference: null }),
  fields: [{ number: 1, name: 'reference', kind: 'message', type: () => workloadReferenceType }],
}

export interface SubscribeToX509SvidResponse {
  readonly svids: readonly X509Svid[]
  readonly crl: readonly Buffer[]
  readonly federatedBundles: Readonly<Record<string, Buffer>>
}

export const subscribeToX509SvidResponseType: MessageType<SubscribeToX509SvidResponse> = {
  name: 'spiffe.broker.SubscribeToX509SVIDResponse',
  create: () => ({ svids: NO_ITEMS, crl: NO_ITEMS, federatedBundles: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'svids', kind: 'message', type: () => x509SvidType, repeated: true },
    { number: 2, name: 'crl', kind: 'bytes', repeated: true },
    {
      number: 3,
      name: 'federatedBundles',
      kind: 'map',
      entry: {
        name: 'spiffe.broker.SubscribeToX509SVIDResponse.federatedBundles',
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
  name: 'spiffe.broker.X509SVID',
  create: () => ({ spiffeId: '', x509Svid: NO_BYTES, x509SvidKey: NO_BYTES, bundle: NO_BYTES, hint: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'x509Svid', kind: 'bytes' },
    { number: 3, name: 'x509SvidKey', kind: 'bytes' },
    { number: 4, name: 'bundle', kind: 'bytes' },
    { number: 5, name: 'hint', kind: 'string' },
  ],
}

export interface SubscribeToX509BundlesRequest {
  readonly reference: WorkloadReference | null
}

export const subscribeToX509BundlesRequestType: MessageType<SubscribeToX509BundlesRequest> = {
  name: 'spiffe.broker.SubscribeToX509BundlesRequest',
  create: () => ({ reference: null }),
  fields: [{ number: 1, name: 'reference', kind: 'message', type: () => workloadReferenceType }],
}

export interface SubscribeToX509BundlesResponse {
  readonly crl: readonly Buffer[]
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const subscribeToX509BundlesResponseType: MessageType<SubscribeToX509BundlesResponse> = {
  name: 'spiffe.broker.SubscribeToX509BundlesResponse',
  create: () => ({ crl: NO_ITEMS, bundles: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'crl', kind: 'bytes', repeated: true },
    {
      number: 2,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'spiffe.broker.SubscribeToX509BundlesResponse.bundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export interface FetchJwtSvidRequest {
  readonly reference: WorkloadReference | null
  readonly audience: readonly string[]
  readonly spiffeId: string
}

export const fetchJwtSvidRequestType: MessageType<FetchJwtSvidRequest> = {
  name: 'spiffe.broker.FetchJWTSVIDRequest',
  create: () => ({ reference: null, audience: NO_ITEMS, spiffeId: '' }),
  fields: [
    { number: 1, name: 'reference', kind: 'message', type: () => workloadReferenceType },
    { number: 2, name: 'audience', kind: 'string', repeated: true },
    { number: 3, name: 'spiffeId', kind: 'string' },
  ],
}

export interface FetchJwtSvidResponse {
  readonly svids: readonly JwtSvid[]
}

export const fetchJwtSvidResponseType: MessageType<FetchJwtSvidResponse> = {
  name: 'spiffe.broker.FetchJWTSVIDResponse',
  create: () => ({ svids: NO_ITEMS }),
  fields: [{ number: 1, name: 'svids', kind: 'message', type: () => jwtSvidType, repeated: true }],
}

export interface JwtSvid {
  readonly spiffeId: string
  readonly svid: string
  readonly hint: string
}

export const jwtSvidType: MessageType<JwtSvid> = {
  name: 'spiffe.broker.JWTSVID',
  create: () => ({ spiffeId: '', svid: '', hint: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'svid', kind: 'string' },
    { number: 3, name: 'hint', kind: 'string' },
  ],
}

export interface SubscribeToJwtBundlesRequest {
  readonly reference: WorkloadReference | null
}

export const subscribeToJwtBundlesRequestType: MessageType<SubscribeToJwtBundlesRequest> = {
  name: 'spiffe.broker.SubscribeToJWTBundlesRequest',
  create: () => ({ reference: null }),
  fields: [{ number: 1, name: 'reference', kind: 'message', type: () => workloadReferenceType }],
}

export interface SubscribeToJwtBundlesResponse {
  readonly bundles: Readonly<Record<string, Buffer>>
}

export const subscribeToJwtBundlesResponseType: MessageType<SubscribeToJwtBundlesResponse> = {
  name: 'spiffe.broker.SubscribeToJWTBundlesResponse',
  create: () => ({ bundles: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'bundles',
      kind: 'map',
      entry: {
        name: 'spiffe.broker.SubscribeToJWTBundlesResponse.bundles',
        create: () => ({ key: '', value: NO_BYTES }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'bytes', presence: 'always' },
        ],
      },
    },
  ],
}

export const apiService = {
  name: 'spiffe.broker.API',
  methods: {
    subscribeToX509Svid: {
      name: 'SubscribeToX509SVID',
      kind: 'serverStream',
      request: subscribeToX509SvidRequestType,
      response: subscribeToX509SvidResponseType,
    },
    subscribeToX509Bundles: {
      name: 'SubscribeToX509Bundles',
      kind: 'serverStream',
      request: subscribeToX509BundlesRequestType,
      response: subscribeToX509BundlesResponseType,
    },
    fetchJwtSvid: {
      name: 'FetchJWTSVID',
      kind: 'unary',
      request: fetchJwtSvidRequestType,
      response: fetchJwtSvidResponseType,
    },
    subscribeToJwtBundles: {
      name: 'SubscribeToJWTBundles',
      kind: 'serverStream',
      request: subscribeToJwtBundlesRequestType,
      response: subscribeToJwtBundlesResponseType,
    },
  },
} as const satisfies Service
