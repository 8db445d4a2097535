// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export const syncService = defineService('sallyport.sync.v1.Sync', 'sallyport/sync/v1/sync.proto', {
  follow: { name: 'Follow', kind: 'bidi' } as Method<'bidi', AgentMessage, ServerMessage>,
})

export interface AgentMessage {
  readonly hello?: Hello | null | undefined
  readonly ack?: Ack | null | undefined
  readonly message?: 'hello' | 'ack' | undefined
}

export interface Hello {
  readonly revision: number
  readonly digest: Buffer
  readonly epoch: string
  readonly agentVersion: string
  readonly nonce: Buffer
}

export interface Ack {
  readonly revision: number
  readonly digest: Buffer
}

export interface ServerMessage {
  readonly snapshot?: Snapshot | null | undefined
  readonly delta?: Delta | null | undefined
  readonly heartbeat?: Heartbeat | null | undefined
  readonly message?: 'snapshot' | 'delta' | 'heartbeat' | undefined
}

export interface Snapshot {
  readonly revision: number
  readonly epoch: string
  readonly entries: readonly spireApiTypes.Entry[]
  readonly bundles: readonly spireApiTypes.Bundle[]
  readonly last: boolean
  readonly digest: Buffer
}

export interface Delta {
  readonly from: number
  readonly to: number
  readonly entries: readonly spireApiTypes.Entry[]
  readonly removedEntryIds: readonly string[]
  readonly bundles: readonly spireApiTypes.Bundle[]
  readonly removedTrustDomains: readonly string[]
  readonly digest: Buffer
}

export interface Heartbeat {
  readonly content: Buffer
  readonly signature: Buffer
  readonly keyId: Buffer
  readonly publicKey: Buffer
}

export interface HeartbeatContent {
  readonly epoch: string
  readonly revision: number
  readonly serverTimeMs: number
  readonly fastLaneSequence: number
  readonly checkpoint: AuditCheckpoint | null
}

export interface AuditCheckpoint {
  readonly sequence: number
  readonly hash: Buffer
}
