// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface GetInfoRequest {}

export interface GetInfoResponse {
  readonly svidChain: readonly GetInfoResponseCert[]
  readonly uptime: number
  readonly svidsCount: number
  readonly lastSyncSuccess: number
  readonly cachedX509SvidsCount: number
  readonly cachedJwtSvidsCount: number
  readonly cachedSvidstoreX509SvidsCount: number
}

export interface GetInfoResponseCert {
  readonly id: spireApiTypes.SpiffeId | null
  readonly expiresAt: number
  readonly subject: string
}

export const debugService = defineService('spire.agent.debug.v1.Debug', 'spire/agent/debug/v1/debug.proto', {
  getInfo: { name: 'GetInfo', kind: 'unary' } as Method<'unary', GetInfoRequest, GetInfoResponse>,
})
