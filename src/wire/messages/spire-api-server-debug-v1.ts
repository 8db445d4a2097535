// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface GetInfoRequest {}

export interface GetInfoResponse {
  readonly svidChain: readonly GetInfoResponseCert[]
  readonly uptime: number
  readonly agentsCount: number
  readonly federatedBundlesCount: number
  readonly entriesCount: number
}

export interface GetInfoResponseCert {
  readonly id: spireApiTypes.SpiffeId | null
  readonly expiresAt: number
  readonly subject: string
}

export const debugService = defineService('spire.api.server.debug.v1.Debug', 'spire/api/server/debug/v1/debug.proto', {
  getInfo: { name: 'GetInfo', kind: 'unary' } as Method<'unary', GetInfoRequest, GetInfoResponse>,
})
