// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'

export interface Signature {
  readonly keyId: Buffer
  readonly signature: Buffer
}

export const signatureType: MessageType<Signature> = {
  name: 'sallyport.policy.v1.Signature',
  create: () => ({ keyId: NO_BYTES, signature: NO_BYTES }),
  fields: [
    { number: 1, name: 'keyId', kind: 'bytes' },
    { number: 2, name: 'signature', kind: 'bytes' },
  ],
}

export interface SignedSlice {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

export const signedSliceType: MessageType<SignedSlice> = {
  name: 'sallyport.policy.v1.SignedSlice',
  create: () => ({ content: NO_BYTES, signatures: NO_ITEMS }),
  fields: [
    { number: 1, name: 'content', kind: 'bytes' },
    { number: 2, name: 'signatures', kind: 'message', type: () => signatureType, repeated: true },
  ],
}

export interface SignedFastLaneEntry {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

export const signedFastLaneEntryType: MessageType<SignedFastLaneEntry> = {
  name: 'sallyport.policy.v1.SignedFastLaneEntry',
  create: () => ({ content: NO_BYTES, signatures: NO_ITEMS }),
  fields: [
    { number: 1, name: 'content', kind: 'bytes' },
    { number: 2, name: 'signatures', kind: 'message', type: () => signatureType, repeated: true },
  ],
}

export interface SignedLifecycle {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

export const signedLifecycleType: MessageType<SignedLifecycle> = {
  name: 'sallyport.policy.v1.SignedLifecycle',
  create: () => ({ content: NO_BYTES, signatures: NO_ITEMS }),
  fields: [
    { number: 1, name: 'content', kind: 'bytes' },
    { number: 2, name: 'signatures', kind: 'message', type: () => signatureType, repeated: true },
  ],
}

export interface SignedPolicyKeys {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

export const signedPolicyKeysType: MessageType<SignedPolicyKeys> = {
  name: 'sallyport.policy.v1.SignedPolicyKeys',
  create: () => ({ content: NO_BYTES, signatures: NO_ITEMS }),
  fields: [
    { number: 1, name: 'content', kind: 'bytes' },
    { number: 2, name: 'signatures', kind: 'message', type: () => signatureType, repeated: true },
  ],
}

export interface HeldSlice {
  readonly spiffeId: string
  readonly digest: Buffer
}

export const heldSliceType: MessageType<HeldSlice> = {
  name: 'sallyport.policy.v1.HeldSlice',
  create: () => ({ spiffeId: '', digest: NO_BYTES }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'digest', kind: 'bytes' },
  ],
}

export interface WatchPolicyRequest {
  readonly held: readonly HeldSlice[]
  readonly policyEpoch: number
  readonly fastLaneSequence: number
}

export const watchPolicyRequestType: MessageType<WatchPolicyRequest> = {
  name: 'sallyport.policy.v1.WatchPolicyRequest',
  create: () => ({ held: NO_ITEMS, policyEpoch: 0, fastLaneSequence: 0 }),
  fields: [
    { number: 1, name: 'held', kind: 'message', type: () => heldSliceType, repeated: true },
    { number: 2, name: 'policyEpoch', kind: 'int64' },
    { number: 3, name: 'fastLaneSequence', kind: 'int64' },
  ],
}

export interface PolicyUpdate {
  readonly slices: readonly SignedSlice[]
  readonly removedIdentities: readonly string[]
  readonly fastLane: readonly SignedFastLaneEntry[]
  readonly lifecycle: SignedLifecycle | null
  readonly keys: SignedPolicyKeys | null
  readonly status: PolicyStatus | null
}

export const policyUpdateType: MessageType<PolicyUpdate> = {
  name: 'sallyport.policy.v1.PolicyUpdate',
  create: () => ({
    slices: NO_ITEMS,
    removedIdentities: NO_ITEMS,
    fastLane: NO_ITEMS,
    lifecycle: null,
    keys: null,
    status: null,
  }),
  fields: [
    { number: 1, name: 'slices', kind: 'message', type: () => signedSliceType, repeated: true },
    { number: 2, name: 'removedIdentities', kind: 'string', repeated: true },
    { number: 3, name: 'fastLane', kind: 'message', type: () => signedFastLaneEntryType, repeated: true },
    { number: 4, name: 'lifecycle', kind: 'message', type: () => signedLifecycleType },
    { number: 5, name: 'keys', kind: 'message', type: () => signedPolicyKeysType },
    { number: 6, name: 'status', kind: 'message', type: () => policyStatusType },
  ],
}

export interface PolicyStatus {
  readonly hasPolicy: boolean
  readonly policyEpoch: number
  readonly policyRevision: number
  readonly fastLaneSequence: number
  readonly ageMs: number
  readonly stale: boolean
}

export const policyStatusType: MessageType<PolicyStatus> = {
  name: 'sallyport.policy.v1.PolicyStatus',
  create: () => ({ hasPolicy: false, policyEpoch: 0, policyRevision: 0, fastLaneSequence: 0, ageMs: 0, stale: false }),
  fields: [
    { number: 1, name: 'hasPolicy', kind: 'bool' },
    { number: 2, name: 'policyEpoch', kind: 'int64' },
    { number: 3, name: 'policyRevision', kind: 'int64' },
    { number: 4, name: 'fastLaneSequence', kind: 'int64' },
    { number: 5, name: 'ageMs', kind: 'int64' },
    { number: 6, name: 'stale', kind: 'bool' },
  ],
}

export interface DecisionCounter {
  readonly source: string
  readonly sourceZone: string
  readonly service: string
  readonly destination: string
  readonly destinationZone: string
  readonly action: string
  readonly movementBy: string
  readonly accessBy: string
  readonly decision: string
  readonly wouldDeny: boolean
  readonly deniedBy: string
  readonly code: string
  readonly side: string
  readonly policyRevision: number
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  readonly port: number
  readonly protocol: string
  readonly route: string
}

export const decisionCounterType: MessageType<DecisionCounter> = {
  name: 'sallyport.policy.v1.DecisionCounter',
  create: () => ({
    source: '',
    sourceZone: '',
    service: '',
    destination: '',
    destinationZone: '',
    action: '',
    movementBy: '',
    accessBy: '',
    decision: '',
    wouldDeny: false,
    deniedBy: '',
    code: '',
    side: '',
    policyRevision: 0,
    count: 0,
    firstMs: 0,
    lastMs: 0,
    port: 0,
    protocol: '',
    route: '',
  }),
  fields: [
    { number: 1, name: 'source', kind: 'string' },
    { number: 2, name: 'sourceZone', kind: 'string' },
    { number: 3, name: 'service', kind: 'string' },
    { number: 4, name: 'destination', kind: 'string' },
    { number: 5, name: 'destinationZone', kind: 'string' },
    { number: 6, name: 'action', kind: 'string' },
    { number: 7, name: 'movementBy', kind: 'string' },
    { number: 8, name: 'accessBy', kind: 'string' },
    { number: 9, name: 'decision', kind: 'string' },
    { number: 10, name: 'wouldDeny', kind: 'bool' },
    { number: 11, name: 'deniedBy', kind: 'string' },
    { number: 12, name: 'code', kind: 'string' },
    { number: 13, name: 'side', kind: 'string' },
    { number: 14, name: 'policyRevision', kind: 'int64' },
    { number: 15, name: 'count', kind: 'int64' },
    { number: 16, name: 'firstMs', kind: 'int64' },
    { number: 17, name: 'lastMs', kind: 'int64' },
    { number: 18, name: 'port', kind: 'uint32' },
    { number: 19, name: 'protocol', kind: 'string' },
    { number: 20, name: 'route', kind: 'string' },
  ],
}

export interface DecisionReport {
  readonly batch: number
  readonly records: readonly Buffer[]
  readonly counters: readonly DecisionCounter[]
  readonly droppedRecords: number
  readonly droppedCounters: number
  readonly reporter: Buffer
}

export const decisionReportType: MessageType<DecisionReport> = {
  name: 'sallyport.policy.v1.DecisionReport',
  create: () => ({
    batch: 0,
    records: NO_ITEMS,
    counters: NO_ITEMS,
    droppedRecords: 0,
    droppedCounters: 0,
    reporter: NO_BYTES,
  }),
  fields: [
    { number: 1, name: 'batch', kind: 'int64' },
    { number: 2, name: 'records', kind: 'bytes', repeated: true },
    { number: 3, name: 'counters', kind: 'message', type: () => decisionCounterType, repeated: true },
    { number: 4, name: 'droppedRecords', kind: 'int64' },
    { number: 5, name: 'droppedCounters', kind: 'int64' },
    { number: 6, name: 'reporter', kind: 'bytes' },
  ],
}

export interface DecisionReceipt {
  readonly batch: number
}

export const decisionReceiptType: MessageType<DecisionReceipt> = {
  name: 'sallyport.policy.v1.DecisionReceipt',
  create: () => ({ batch: 0 }),
  fields: [{ number: 1, name: 'batch', kind: 'int64' }],
}

export const workloadPolicyService = {
  name: 'sallyport.policy.v1.WorkloadPolicy',
  methods: {
    watchPolicy: {
      name: 'WatchPolicy',
      kind: 'serverStream',
      request: watchPolicyRequestType,
      response: policyUpdateType,
    },
    reportDecisions: {
      name: 'ReportDecisions',
      kind: 'bidi',
      request: decisionReportType,
      response: decisionReceiptType,
    },
  },
} as const satisfies Service
