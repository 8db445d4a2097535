// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface GetInfoRequest {}

export const getInfoRequestType: MessageType<GetInfoRequest> = {
  name: 'spire.api.server.debug.v1.GetInfoRequest',
  create: () => ({}),
  fields: [],
}

export interface GetInfoResponse {
  readonly svidChain: readonly GetInfoResponseCert[]
  readonly uptime: number
  readonly agentsCount: number
  readonly federatedBundlesCount: number
  readonly entriesCount: number
}

export const getInfoResponseType: MessageType<GetInfoResponse> = {
  name: 'spire.api.server.debug.v1.GetInfoResponse',
  create: () => ({ svidChain: NO_ITEMS, uptime: 0, agentsCount: 0, federatedBundlesCount: 0, entriesCount: 0 }),
  fields: [
    { number: 1, name: 'svidChain', kind: 'message', type: () => getInfoResponseCertType, repeated: true },
    { number: 2, name: 'uptime', kind: 'int32' },
    { number: 3, name: 'agentsCount', kind: 'int32' },
    { number: 4, name: 'federatedBundlesCount', kind: 'int32' },
    { number: 5, name: 'entriesCount', kind: 'int32' },
  ],
}

export interface GetInfoResponseCert {
  readonly id: spireApiTypes.SpiffeId | null
  readonly expiresAt: number
  readonly subject: string
}

export const getInfoResponseCertType: MessageType<GetInfoResponseCert> = {
  name: 'spire.api.server.debug.v1.GetInfoResponse.Cert',
  create: () => ({ id: null, expiresAt: 0, subject: '' }),
  fields: [
    { number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'expiresAt', kind: 'int64' },
    { number: 3, name: 'subject', kind: 'string' },
  ],
}

export const debugService = {
  name: 'spire.api.server.debug.v1.Debug',
  methods: { getInfo: { name: 'GetInfo', kind: 'unary', request: getInfoRequestType, response: getInfoResponseType } },
} as const satisfies Service
