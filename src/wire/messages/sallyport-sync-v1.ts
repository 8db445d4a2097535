// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as sallyportPolicyV1 from './sallyport-policy-v1.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface AgentMessage {
  readonly hello?: Hello | null | undefined
  readonly ack?: Ack | null | undefined
  readonly message?: 'hello' | 'ack' | undefined
}

export const agentMessageType: MessageType<AgentMessage> = {
  name: 'sallyport.sync.v1.AgentMessage',
  create: () => ({}),
  fields: [
    { number: 1, name: 'hello', kind: 'message', type: () => helloType, presence: 'always', oneof: 'message' },
    { number: 2, name: 'ack', kind: 'message', type: () => ackType, presence: 'always', oneof: 'message' },
  ],
}

export interface Hello {
  readonly revision: number
  readonly digest: Buffer
  readonly epoch: string
  readonly agentVersion: string
  readonly nonce: Buffer
  readonly policy: HeldPolicy | null
}

export const helloType: MessageType<Hello> = {
  name: 'sallyport.sync.v1.Hello',
  create: () => ({ revision: 0, digest: NO_BYTES, epoch: '', agentVersion: '', nonce: NO_BYTES, policy: null }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'digest', kind: 'bytes' },
    { number: 3, name: 'epoch', kind: 'string' },
    { number: 4, name: 'agentVersion', kind: 'string' },
    { number: 5, name: 'nonce', kind: 'bytes' },
    { number: 6, name: 'policy', kind: 'message', type: () => heldPolicyType },
  ],
}

export interface HeldPolicy {
  readonly epoch: number
  readonly revision: number
  readonly slices: readonly sallyportPolicyV1.HeldSlice[]
  readonly fastLaneSequence: number
  readonly keysVersion: number
  readonly keyIds: readonly Buffer[]
}

export const heldPolicyType: MessageType<HeldPolicy> = {
  name: 'sallyport.sync.v1.HeldPolicy',
  create: () => ({ epoch: 0, revision: 0, slices: NO_ITEMS, fastLaneSequence: 0, keysVersion: 0, keyIds: NO_ITEMS }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'slices', kind: 'message', type: () => sallyportPolicyV1.heldSliceType, repeated: true },
    { number: 4, name: 'fastLaneSequence', kind: 'int64' },
    { number: 5, name: 'keysVersion', kind: 'int64' },
    { number: 6, name: 'keyIds', kind: 'bytes', repeated: true },
  ],
}

export interface Ack {
  readonly revision: number
  readonly digest: Buffer
  readonly policy: PolicyAck | null
}

export const ackType: MessageType<Ack> = {
  name: 'sallyport.sync.v1.Ack',
  create: () => ({ revision: 0, digest: NO_BYTES, policy: null }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'digest', kind: 'bytes' },
    { number: 3, name: 'policy', kind: 'message', type: () => policyAckType },
  ],
}

export interface PolicyAck {
  readonly epoch: number
  readonly revision: number
  readonly fastLaneSequence: number
  readonly digest: Buffer
  readonly keysVersion: number
  readonly refused: string
}

export const policyAckType: MessageType<PolicyAck> = {
  name: 'sallyport.sync.v1.PolicyAck',
  create: () => ({ epoch: 0, revision: 0, fastLaneSequence: 0, digest: NO_BYTES, keysVersion: 0, refused: '' }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'fastLaneSequence', kind: 'int64' },
    { number: 4, name: 'digest', kind: 'bytes' },
    { number: 5, name: 'keysVersion', kind: 'int64' },
    { number: 6, name: 'refused', kind: 'string' },
  ],
}

export interface ServerMessage {
  readonly snapshot?: Snapshot | null | undefined
  readonly delta?: Delta | null | undefined
  readonly heartbeat?: Heartbeat | null | undefined
  readonly policySnapshot?: PolicySnapshot | null | undefined
  readonly policyDelta?: PolicyDelta | null | undefined
  readonly fastLane?: FastLane | null | undefined
  readonly message?: 'snapshot' | 'delta' | 'heartbeat' | 'policySnapshot' | 'policyDelta' | 'fastLane' | undefined
}

export const serverMessageType: MessageType<ServerMessage> = {
  name: 'sallyport.sync.v1.ServerMessage',
  create: () => ({}),
  fields: [
    { number: 1, name: 'snapshot', kind: 'message', type: () => snapshotType, presence: 'always', oneof: 'message' },
    { number: 2, name: 'delta', kind: 'message', type: () => deltaType, presence: 'always', oneof: 'message' },
    { number: 3, name: 'heartbeat', kind: 'message', type: () => heartbeatType, presence: 'always', oneof: 'message' },
    {
      number: 4,
      name: 'policySnapshot',
      kind: 'message',
      type: () => policySnapshotType,
      presence: 'always',
      oneof: 'message',
    },
    {
      number: 5,
      name: 'policyDelta',
      kind: 'message',
      type: () => policyDeltaType,
      presence: 'always',
      oneof: 'message',
    },
    { number: 6, name: 'fastLane', kind: 'message', type: () => fastLaneType, presence: 'always', oneof: 'message' },
  ],
}

export interface PolicySnapshot {
  readonly epoch: number
  readonly revision: number
  readonly slices: readonly sallyportPolicyV1.SignedSlice[]
  readonly last: boolean
  readonly digest: Buffer
  readonly keys: sallyportPolicyV1.SignedPolicyKeys | null
}

export const policySnapshotType: MessageType<PolicySnapshot> = {
  name: 'sallyport.sync.v1.PolicySnapshot',
  create: () => ({ epoch: 0, revision: 0, slices: NO_ITEMS, last: false, digest: NO_BYTES, keys: null }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'slices', kind: 'message', type: () => sallyportPolicyV1.signedSliceType, repeated: true },
    { number: 4, name: 'last', kind: 'bool' },
    { number: 5, name: 'digest', kind: 'bytes' },
    { number: 6, name: 'keys', kind: 'message', type: () => sallyportPolicyV1.signedPolicyKeysType },
  ],
}

export interface PolicyDelta {
  readonly epoch: number
  readonly revision: number
  readonly slices: readonly sallyportPolicyV1.SignedSlice[]
  readonly removedIdentities: readonly string[]
  readonly digest: Buffer
  readonly keys: sallyportPolicyV1.SignedPolicyKeys | null
}

export const policyDeltaType: MessageType<PolicyDelta> = {
  name: 'sallyport.sync.v1.PolicyDelta',
  create: () => ({
    epoch: 0,
    revision: 0,
    slices: NO_ITEMS,
    removedIdentities: NO_ITEMS,
    digest: NO_BYTES,
    keys: null,
  }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'slices', kind: 'message', type: () => sallyportPolicyV1.signedSliceType, repeated: true },
    { number: 4, name: 'removedIdentities', kind: 'string', repeated: true },
    { number: 5, name: 'digest', kind: 'bytes' },
    { number: 6, name: 'keys', kind: 'message', type: () => sallyportPolicyV1.signedPolicyKeysType },
  ],
}

export interface FastLane {
  readonly entries: readonly sallyportPolicyV1.SignedFastLaneEntry[]
  readonly snapshot: sallyportPolicyV1.SignedLifecycle | null
  readonly keys: sallyportPolicyV1.SignedPolicyKeys | null
}

export const fastLaneType: MessageType<FastLane> = {
  name: 'sallyport.sync.v1.FastLane',
  create: () => ({ entries: NO_ITEMS, snapshot: null, keys: null }),
  fields: [
    {
      number: 1,
      name: 'entries',
      kind: 'message',
      type: () => sallyportPolicyV1.signedFastLaneEntryType,
      repeated: true,
    },
    { number: 2, name: 'snapshot', kind: 'message', type: () => sallyportPolicyV1.signedLifecycleType },
    { number: 3, name: 'keys', kind: 'message', type: () => sallyportPolicyV1.signedPolicyKeysType },
  ],
}

export interface Snapshot {
  readonly revision: number
  readonly epoch: string
  readonly entries: readonly spireApiTypes.Entry[]
  readonly bundles: readonly spireApiTypes.Bundle[]
  readonly last: boolean
  readonly digest: Buffer
}

export const snapshotType: MessageType<Snapshot> = {
  name: 'sallyport.sync.v1.Snapshot',
  create: () => ({ revision: 0, epoch: '', entries: NO_ITEMS, bundles: NO_ITEMS, last: false, digest: NO_BYTES }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'epoch', kind: 'string' },
    { number: 3, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 4, name: 'bundles', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 5, name: 'last', kind: 'bool' },
    { number: 6, name: 'digest', kind: 'bytes' },
  ],
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

export const deltaType: MessageType<Delta> = {
  name: 'sallyport.sync.v1.Delta',
  create: () => ({
    from: 0,
    to: 0,
    entries: NO_ITEMS,
    removedEntryIds: NO_ITEMS,
    bundles: NO_ITEMS,
    removedTrustDomains: NO_ITEMS,
    digest: NO_BYTES,
  }),
  fields: [
    { number: 1, name: 'from', kind: 'int64' },
    { number: 2, name: 'to', kind: 'int64' },
    { number: 3, name: 'entries', kind: 'message', type: () => spireApiTypes.entryType, repeated: true },
    { number: 4, name: 'removedEntryIds', kind: 'string', repeated: true },
    { number: 5, name: 'bundles', kind: 'message', type: () => spireApiTypes.bundleType, repeated: true },
    { number: 6, name: 'removedTrustDomains', kind: 'string', repeated: true },
    { number: 7, name: 'digest', kind: 'bytes' },
  ],
}

export interface Heartbeat {
  readonly content: Buffer
  readonly signature: Buffer
  readonly keyId: Buffer
  readonly publicKey: Buffer
}

export const heartbeatType: MessageType<Heartbeat> = {
  name: 'sallyport.sync.v1.Heartbeat',
  create: () => ({ content: NO_BYTES, signature: NO_BYTES, keyId: NO_BYTES, publicKey: NO_BYTES }),
  fields: [
    { number: 1, name: 'content', kind: 'bytes' },
    { number: 2, name: 'signature', kind: 'bytes' },
    { number: 3, name: 'keyId', kind: 'bytes' },
    { number: 4, name: 'publicKey', kind: 'bytes' },
  ],
}

export interface HeartbeatContent {
  readonly epoch: string
  readonly revision: number
  readonly serverTimeMs: number
  readonly fastLaneSequence: number
  readonly checkpoint: AuditCheckpoint | null
  readonly nonce: Buffer
  readonly policyEpoch: number
  readonly policyRevision: number
}

export const heartbeatContentType: MessageType<HeartbeatContent> = {
  name: 'sallyport.sync.v1.HeartbeatContent',
  create: () => ({
    epoch: '',
    revision: 0,
    serverTimeMs: 0,
    fastLaneSequence: 0,
    checkpoint: null,
    nonce: NO_BYTES,
    policyEpoch: 0,
    policyRevision: 0,
  }),
  fields: [
    { number: 1, name: 'epoch', kind: 'string' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'serverTimeMs', kind: 'int64' },
    { number: 4, name: 'fastLaneSequence', kind: 'int64' },
    { number: 5, name: 'checkpoint', kind: 'message', type: () => auditCheckpointType },
    { number: 6, name: 'nonce', kind: 'bytes' },
    { number: 7, name: 'policyEpoch', kind: 'int64' },
    { number: 8, name: 'policyRevision', kind: 'int64' },
  ],
}

export interface AuditCheckpoint {
  readonly sequence: number
  readonly hash: Buffer
}

export const auditCheckpointType: MessageType<AuditCheckpoint> = {
  name: 'sallyport.sync.v1.AuditCheckpoint',
  create: () => ({ sequence: 0, hash: NO_BYTES }),
  fields: [
    { number: 1, name: 'sequence', kind: 'int64' },
    { number: 2, name: 'hash', kind: 'bytes' },
  ],
}

export interface DecisionBatch {
  readonly logId: string
  readonly batch: number
  readonly records: readonly DecisionRecord[]
  readonly counters: readonly sallyportPolicyV1.DecisionCounter[]
  readonly droppedRecords: number
  readonly droppedCounters: number
}

export const decisionBatchType: MessageType<DecisionBatch> = {
  name: 'sallyport.sync.v1.DecisionBatch',
  create: () => ({ logId: '', batch: 0, records: NO_ITEMS, counters: NO_ITEMS, droppedRecords: 0, droppedCounters: 0 }),
  fields: [
    { number: 1, name: 'logId', kind: 'string' },
    { number: 2, name: 'batch', kind: 'int64' },
    { number: 3, name: 'records', kind: 'message', type: () => decisionRecordType, repeated: true },
    { number: 4, name: 'counters', kind: 'message', type: () => sallyportPolicyV1.decisionCounterType, repeated: true },
    { number: 5, name: 'droppedRecords', kind: 'int64' },
    { number: 6, name: 'droppedCounters', kind: 'int64' },
  ],
}

export interface DecisionRecord {
  readonly sequence: number
  readonly content: Buffer
}

export const decisionRecordType: MessageType<DecisionRecord> = {
  name: 'sallyport.sync.v1.DecisionRecord',
  create: () => ({ sequence: 0, content: NO_BYTES }),
  fields: [
    { number: 1, name: 'sequence', kind: 'int64' },
    { number: 2, name: 'content', kind: 'bytes' },
  ],
}

export interface DecisionBatchReceipt {
  readonly logId: string
  readonly batch: number
  readonly sequence: number
}

export const decisionBatchReceiptType: MessageType<DecisionBatchReceipt> = {
  name: 'sallyport.sync.v1.DecisionBatchReceipt',
  create: () => ({ logId: '', batch: 0, sequence: 0 }),
  fields: [
    { number: 1, name: 'logId', kind: 'string' },
    { number: 2, name: 'batch', kind: 'int64' },
    { number: 3, name: 'sequence', kind: 'int64' },
  ],
}

export const syncService = {
  name: 'sallyport.sync.v1.Sync',
  methods: {
    follow: { name: 'Follow', kind: 'bidi', request: agentMessageType, response: serverMessageType },
    reportDecisions: {
      name: 'ReportDecisions',
      kind: 'unary',
      request: decisionBatchType,
      response: decisionBatchReceiptType,
    },
  },
} as const satisfies Service
