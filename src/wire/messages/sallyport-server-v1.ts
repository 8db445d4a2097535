// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'

export const adminService = defineService('sallyport.server.v1.Admin', 'sallyport/server/v1/admin.proto', {
  getStatus: { name: 'GetStatus', kind: 'unary' } as Method<'unary', GetStatusRequest, GetStatusResponse>,
  createToken: { name: 'CreateToken', kind: 'unary' } as Method<'unary', CreateTokenRequest, CreateTokenResponse>,
  listAudit: { name: 'ListAudit', kind: 'serverStream' } as Method<'serverStream', ListAuditRequest, AuditRecord>,
  verifyAudit: { name: 'VerifyAudit', kind: 'unary' } as Method<'unary', VerifyAuditRequest, VerifyAuditResponse>,
})

export interface GetStatusRequest {}

export interface GetStatusResponse {
  readonly trustDomain: string
  readonly version: string
  readonly revision: number
  readonly epoch: string
  readonly startedAt: number
  readonly entries: number
  readonly agents: number
  readonly connectedAgents: number
  readonly federatedBundles: number
  readonly authorities: readonly Authority[]
  readonly agentStatuses: readonly AgentStatus[]
  readonly privilegedEntries: readonly PrivilegedEntry[]
  readonly warnings: readonly string[]
  readonly address: string
}

export interface Authority {
  readonly kind: string
  readonly id: string
  readonly state: string
  readonly notBefore: number
  readonly expiresAt: number
  readonly tainted: boolean
  readonly waitingFor: string
  readonly keyType: string
}

export interface AgentStatus {
  readonly spiffeId: string
  readonly connected: boolean
  readonly acknowledgedRevision: number
  readonly lastSeen: number
  readonly transport: string
}

export interface PrivilegedEntry {
  readonly entryId: string
  readonly spiffeId: string
  readonly parentId: string
  readonly admin: boolean
  readonly downstream: boolean
}

export interface CreateTokenRequest {
  readonly ttlSeconds: number
  readonly spiffeId: string
  readonly addressRange: string
}

export interface CreateTokenResponse {
  readonly token: string
  readonly expiresAt: number
  readonly serverAddress: string
  readonly trustDomain: string
  readonly authorityHashes: readonly Buffer[]
}

export interface ListAuditRequest {
  readonly afterSequence: number
  readonly limit: number
  readonly type: string
  readonly spiffeId: string
  readonly serialNumber: string
  readonly since: number
  readonly until: number
  readonly follow: boolean
  readonly newest: boolean
}

export interface AuditRecord {
  readonly sequence: number
  readonly timeMs: number
  readonly type: string
  readonly facts: string
  readonly hash: Buffer
}

export interface VerifyAuditRequest {
  readonly checkpoints: readonly VerifyAuditRequestCheckpoint[]
}

export interface VerifyAuditRequestCheckpoint {
  readonly sequence: number
  readonly hash: Buffer
  readonly heldBy: string
}

export interface VerifyAuditResponse {
  readonly intact: boolean
  readonly firstSequence: number
  readonly lastSequence: number
  readonly checked: number
  readonly problem: string
}
