// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'

export interface GetStatusRequest {}

export const getStatusRequestType: MessageType<GetStatusRequest> = {
  name: 'sallyport.agent.v1.GetStatusRequest',
  create: () => ({}),
  fields: [],
}

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
  readonly policy: PolicyState | null
}

export const getStatusResponseType: MessageType<GetStatusResponse> = {
  name: 'sallyport.agent.v1.GetStatusResponse',
  create: () => ({
    spiffeId: '',
    version: '',
    serverAddress: '',
    state: '',
    reason: '',
    revision: 0,
    lastHeartbeat: 0,
    svidExpiresAt: 0,
    svidRenewsAt: 0,
    entries: 0,
    x509Svids: 0,
    jwtSvids: 0,
    openStreams: 0,
    startedAt: 0,
    transport: '',
    checkpoints: NO_ITEMS,
    policy: null,
  }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'version', kind: 'string' },
    { number: 3, name: 'serverAddress', kind: 'string' },
    { number: 4, name: 'state', kind: 'string' },
    { number: 5, name: 'reason', kind: 'string' },
    { number: 6, name: 'revision', kind: 'int64' },
    { number: 7, name: 'lastHeartbeat', kind: 'int64' },
    { number: 8, name: 'svidExpiresAt', kind: 'int64' },
    { number: 9, name: 'svidRenewsAt', kind: 'int64' },
    { number: 10, name: 'entries', kind: 'int32' },
    { number: 11, name: 'x509Svids', kind: 'int32' },
    { number: 12, name: 'jwtSvids', kind: 'int32' },
    { number: 13, name: 'openStreams', kind: 'int32' },
    { number: 14, name: 'startedAt', kind: 'int64' },
    { number: 15, name: 'transport', kind: 'string' },
    { number: 16, name: 'checkpoints', kind: 'message', type: () => checkpointType, repeated: true },
    { number: 17, name: 'policy', kind: 'message', type: () => policyStateType },
  ],
}

export interface PolicyState {
  readonly revision: number
  readonly epoch: number
  readonly fastLaneSequence: number
  readonly ageMs: number
  readonly stale: boolean
  readonly slices: number
  readonly streams: number
  readonly decisionBatches: number
  readonly keyIds: readonly Buffer[]
  readonly refused: string
}

export const policyStateType: MessageType<PolicyState> = {
  name: 'sallyport.agent.v1.PolicyState',
  create: () => ({
    revision: 0,
    epoch: 0,
    fastLaneSequence: 0,
    ageMs: 0,
    stale: false,
    slices: 0,
    streams: 0,
    decisionBatches: 0,
    keyIds: NO_ITEMS,
    refused: '',
  }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'epoch', kind: 'int64' },
    { number: 3, name: 'fastLaneSequence', kind: 'int64' },
    { number: 4, name: 'ageMs', kind: 'int64' },
    { number: 5, name: 'stale', kind: 'bool' },
    { number: 6, name: 'slices', kind: 'int32' },
    { number: 7, name: 'streams', kind: 'int32' },
    { number: 8, name: 'decisionBatches', kind: 'int32' },
    { number: 9, name: 'keyIds', kind: 'bytes', repeated: true },
    { number: 10, name: 'refused', kind: 'string' },
  ],
}

export interface Checkpoint {
  readonly sequence: number
  readonly hash: Buffer
}

export const checkpointType: MessageType<Checkpoint> = {
  name: 'sallyport.agent.v1.Checkpoint',
  create: () => ({ sequence: 0, hash: NO_BYTES }),
  fields: [
    { number: 1, name: 'sequence', kind: 'int64' },
    { number: 2, name: 'hash', kind: 'bytes' },
  ],
}

export interface RepinPolicyKeysRequest {
  readonly keyId: Buffer
}

export const repinPolicyKeysRequestType: MessageType<RepinPolicyKeysRequest> = {
  name: 'sallyport.agent.v1.RepinPolicyKeysRequest',
  create: () => ({ keyId: NO_BYTES }),
  fields: [{ number: 1, name: 'keyId', kind: 'bytes' }],
}

export interface ExplainRequest {
  readonly pid: number
}

export const explainRequestType: MessageType<ExplainRequest> = {
  name: 'sallyport.agent.v1.ExplainRequest',
  create: () => ({ pid: 0 }),
  fields: [{ number: 1, name: 'pid', kind: 'int32' }],
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

export const explainResponseType: MessageType<ExplainResponse> = {
  name: 'sallyport.agent.v1.ExplainResponse',
  create: () => ({
    pid: 0,
    selectors: NO_ITEMS,
    matching: NO_ITEMS,
    nearest: NO_ITEMS,
    verdict: '',
    code: '',
    hint: '',
    warnings: NO_ITEMS,
  }),
  fields: [
    { number: 1, name: 'pid', kind: 'int32' },
    { number: 2, name: 'selectors', kind: 'string', repeated: true },
    { number: 3, name: 'matching', kind: 'message', type: () => explainedEntryType, repeated: true },
    { number: 4, name: 'nearest', kind: 'message', type: () => explainedEntryType, repeated: true },
    { number: 5, name: 'verdict', kind: 'string' },
    { number: 6, name: 'code', kind: 'string' },
    { number: 7, name: 'hint', kind: 'string' },
    { number: 8, name: 'warnings', kind: 'string', repeated: true },
  ],
}

export interface ExplainedEntry {
  readonly entryId: string
  readonly spiffeId: string
  readonly selectors: readonly string[]
  readonly missingSelectors: readonly string[]
  readonly actualValues: readonly string[]
  readonly svidExpiresAt: number
  readonly zone: string
}

export const explainedEntryType: MessageType<ExplainedEntry> = {
  name: 'sallyport.agent.v1.ExplainedEntry',
  create: () => ({
    entryId: '',
    spiffeId: '',
    selectors: NO_ITEMS,
    missingSelectors: NO_ITEMS,
    actualValues: NO_ITEMS,
    svidExpiresAt: 0,
    zone: '',
  }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'spiffeId', kind: 'string' },
    { number: 3, name: 'selectors', kind: 'string', repeated: true },
    { number: 4, name: 'missingSelectors', kind: 'string', repeated: true },
    { number: 5, name: 'actualValues', kind: 'string', repeated: true },
    { number: 6, name: 'svidExpiresAt', kind: 'int64' },
    { number: 7, name: 'zone', kind: 'string' },
  ],
}

export const adminService = {
  name: 'sallyport.agent.v1.Admin',
  methods: {
    getStatus: { name: 'GetStatus', kind: 'unary', request: getStatusRequestType, response: getStatusResponseType },
    explain: { name: 'Explain', kind: 'unary', request: explainRequestType, response: explainResponseType },
    repinPolicyKeys: {
      name: 'RepinPolicyKeys',
      kind: 'unary',
      request: repinPolicyKeysRequestType,
      response: policyStateType,
    },
  },
} as const satisfies Service
