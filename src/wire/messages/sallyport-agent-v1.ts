// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'

export const adminService = defineService('sallyport.agent.v1.Admin', 'sallyport/agent/v1/admin.proto', {
  getStatus: { name: 'GetStatus', kind: 'unary' } as Method<'unary', GetStatusRequest, GetStatusResponse>,
  explain: { name: 'Explain', kind: 'unary' } as Method<'unary', ExplainRequest, ExplainResponse>,
})

export interface GetStatusRequest {}

export interface GetStatusResponse {
  readonly spiffeId: string
  readonly version: string
  readonly serverAddress: string
  readonly state: string
  readonly reason: string
  readonly revision: number
  readonly lastHeartbeat: number
  readonly svidExpiresAt: number
  readonly svidRenewsAt: number
  readonly entries: number
  readonly x509Svids: number
  readonly jwtSvids: number
  readonly openStreams: number
  readonly startedAt: number
  readonly transport: string
  readonly checkpoints: readonly Checkpoint[]
}

export interface Checkpoint {
  readonly sequence: number
  readonly hash: Buffer
}

export interface ExplainRequest {
  readonly pid: number
}

export interface ExplainResponse {
  readonly pid: number
  readonly selectors: readonly string[]
  readonly matching: readonly ExplainedEntry[]
  readonly nearest: readonly ExplainedEntry[]
  readonly verdict: string
  readonly code: string
  readonly hint: string
  readonly warnings: readonly string[]
}

export interface ExplainedEntry {
  readonly entryId: string
  readonly spiffeId: string
  readonly selectors: readonly string[]
  readonly missingSelectors: readonly string[]
  readonly actualValues: readonly string[]
  readonly svidExpiresAt: number
}
