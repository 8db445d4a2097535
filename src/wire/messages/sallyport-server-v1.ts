// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as sallyportPolicyV1 from './sallyport-policy-v1.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface GetStatusRequest {}

export const getStatusRequestType: MessageType<GetStatusRequest> = {
  name: 'sallyport.server.v1.GetStatusRequest',
  create: () => ({}),
  fields: [],
}

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

export const getStatusResponseType: MessageType<GetStatusResponse> = {
  name: 'sallyport.server.v1.GetStatusResponse',
  create: () => ({
    trustDomain: '',
    version: '',
    revision: 0,
    epoch: '',
    startedAt: 0,
    entries: 0,
    agents: 0,
    connectedAgents: 0,
    federatedBundles: 0,
    authorities: NO_ITEMS,
    agentStatuses: NO_ITEMS,
    privilegedEntries: NO_ITEMS,
    warnings: NO_ITEMS,
    address: '',
  }),
  fields: [
    { number: 1, name: 'trustDomain', kind: 'string' },
    { number: 2, name: 'version', kind: 'string' },
    { number: 3, name: 'revision', kind: 'int64' },
    { number: 4, name: 'epoch', kind: 'string' },
    { number: 5, name: 'startedAt', kind: 'int64' },
    { number: 6, name: 'entries', kind: 'int32' },
    { number: 7, name: 'agents', kind: 'int32' },
    { number: 8, name: 'connectedAgents', kind: 'int32' },
    { number: 9, name: 'federatedBundles', kind: 'int32' },
    { number: 10, name: 'authorities', kind: 'message', type: () => authorityType, repeated: true },
    { number: 11, name: 'agentStatuses', kind: 'message', type: () => agentStatusType, repeated: true },
    { number: 12, name: 'privilegedEntries', kind: 'message', type: () => privilegedEntryType, repeated: true },
    { number: 13, name: 'warnings', kind: 'string', repeated: true },
    { number: 14, name: 'address', kind: 'string' },
  ],
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

export const authorityType: MessageType<Authority> = {
  name: 'sallyport.server.v1.Authority',
  create: () => ({
    kind: '',
    id: '',
    state: '',
    notBefore: 0,
    expiresAt: 0,
    tainted: false,
    waitingFor: '',
    keyType: '',
  }),
  fields: [
    { number: 1, name: 'kind', kind: 'string' },
    { number: 2, name: 'id', kind: 'string' },
    { number: 3, name: 'state', kind: 'string' },
    { number: 4, name: 'notBefore', kind: 'int64' },
    { number: 5, name: 'expiresAt', kind: 'int64' },
    { number: 6, name: 'tainted', kind: 'bool' },
    { number: 7, name: 'waitingFor', kind: 'string' },
    { number: 8, name: 'keyType', kind: 'string' },
  ],
}

export interface AgentStatus {
  readonly spiffeId: string
  readonly connected: boolean
  readonly acknowledgedRevision: number
  readonly lastSeen: number
  readonly transport: string
  readonly policy: AgentPolicy | null
}

export const agentStatusType: MessageType<AgentStatus> = {
  name: 'sallyport.server.v1.AgentStatus',
  create: () => ({ spiffeId: '', connected: false, acknowledgedRevision: 0, lastSeen: 0, transport: '', policy: null }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'connected', kind: 'bool' },
    { number: 3, name: 'acknowledgedRevision', kind: 'int64' },
    { number: 4, name: 'lastSeen', kind: 'int64' },
    { number: 5, name: 'transport', kind: 'string' },
    { number: 6, name: 'policy', kind: 'message', type: () => agentPolicyType },
  ],
}

export interface AgentPolicy {
  readonly epoch: number
  readonly revision: number
  readonly fastLaneSequence: number
  readonly keysVersion: number
  readonly refused: string
}

export const agentPolicyType: MessageType<AgentPolicy> = {
  name: 'sallyport.server.v1.AgentPolicy',
  create: () => ({ epoch: 0, revision: 0, fastLaneSequence: 0, keysVersion: 0, refused: '' }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'fastLaneSequence', kind: 'int64' },
    { number: 4, name: 'keysVersion', kind: 'int64' },
    { number: 5, name: 'refused', kind: 'string' },
  ],
}

export interface PrivilegedEntry {
  readonly entryId: string
  readonly spiffeId: string
  readonly parentId: string
  readonly admin: boolean
  readonly downstream: boolean
}

export const privilegedEntryType: MessageType<PrivilegedEntry> = {
  name: 'sallyport.server.v1.PrivilegedEntry',
  create: () => ({ entryId: '', spiffeId: '', parentId: '', admin: false, downstream: false }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'spiffeId', kind: 'string' },
    { number: 3, name: 'parentId', kind: 'string' },
    { number: 4, name: 'admin', kind: 'bool' },
    { number: 5, name: 'downstream', kind: 'bool' },
  ],
}

export interface CreateTokenRequest {
  readonly ttlSeconds: number
  readonly spiffeId: string
  readonly addressRange: string
}

export const createTokenRequestType: MessageType<CreateTokenRequest> = {
  name: 'sallyport.server.v1.CreateTokenRequest',
  create: () => ({ ttlSeconds: 0, spiffeId: '', addressRange: '' }),
  fields: [
    { number: 1, name: 'ttlSeconds', kind: 'int32' },
    { number: 2, name: 'spiffeId', kind: 'string' },
    { number: 3, name: 'addressRange', kind: 'string' },
  ],
}

export interface CreateTokenResponse {
  readonly token: string
  readonly expiresAt: number
  readonly serverAddress: string
  readonly trustDomain: string
  readonly authorityHashes: readonly Buffer[]
}

export const createTokenResponseType: MessageType<CreateTokenResponse> = {
  name: 'sallyport.server.v1.CreateTokenResponse',
  create: () => ({ token: '', expiresAt: 0, serverAddress: '', trustDomain: '', authorityHashes: NO_ITEMS }),
  fields: [
    { number: 1, name: 'token', kind: 'string' },
    { number: 2, name: 'expiresAt', kind: 'int64' },
    { number: 3, name: 'serverAddress', kind: 'string' },
    { number: 4, name: 'trustDomain', kind: 'string' },
    { number: 5, name: 'authorityHashes', kind: 'bytes', repeated: true },
  ],
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

export const listAuditRequestType: MessageType<ListAuditRequest> = {
  name: 'sallyport.server.v1.ListAuditRequest',
  create: () => ({
    afterSequence: 0,
    limit: 0,
    type: '',
    spiffeId: '',
    serialNumber: '',
    since: 0,
    until: 0,
    follow: false,
    newest: false,
  }),
  fields: [
    { number: 1, name: 'afterSequence', kind: 'int64' },
    { number: 2, name: 'limit', kind: 'int32' },
    { number: 3, name: 'type', kind: 'string' },
    { number: 4, name: 'spiffeId', kind: 'string' },
    { number: 5, name: 'serialNumber', kind: 'string' },
    { number: 6, name: 'since', kind: 'int64' },
    { number: 7, name: 'until', kind: 'int64' },
    { number: 8, name: 'follow', kind: 'bool' },
    { number: 9, name: 'newest', kind: 'bool' },
  ],
}

export interface AuditRecord {
  readonly sequence: number
  readonly timeMs: number
  readonly type: string
  readonly facts: string
  readonly hash: Buffer
}

export const auditRecordType: MessageType<AuditRecord> = {
  name: 'sallyport.server.v1.AuditRecord',
  create: () => ({ sequence: 0, timeMs: 0, type: '', facts: '', hash: NO_BYTES }),
  fields: [
    { number: 1, name: 'sequence', kind: 'int64' },
    { number: 2, name: 'timeMs', kind: 'int64' },
    { number: 3, name: 'type', kind: 'string' },
    { number: 4, name: 'facts', kind: 'string' },
    { number: 5, name: 'hash', kind: 'bytes' },
  ],
}

export interface VerifyAuditRequest {
  readonly checkpoints: readonly VerifyAuditRequestCheckpoint[]
}

export const verifyAuditRequestType: MessageType<VerifyAuditRequest> = {
  name: 'sallyport.server.v1.VerifyAuditRequest',
  create: () => ({ checkpoints: NO_ITEMS }),
  fields: [
    { number: 1, name: 'checkpoints', kind: 'message', type: () => verifyAuditRequestCheckpointType, repeated: true },
  ],
}

export interface VerifyAuditRequestCheckpoint {
  readonly sequence: number
  readonly hash: Buffer
  readonly heldBy: string
}

export const verifyAuditRequestCheckpointType: MessageType<VerifyAuditRequestCheckpoint> = {
  name: 'sallyport.server.v1.VerifyAuditRequest.Checkpoint',
  create: () => ({ sequence: 0, hash: NO_BYTES, heldBy: '' }),
  fields: [
    { number: 1, name: 'sequence', kind: 'int64' },
    { number: 2, name: 'hash', kind: 'bytes' },
    { number: 3, name: 'heldBy', kind: 'string' },
  ],
}

export interface VerifyAuditResponse {
  readonly intact: boolean
  readonly firstSequence: number
  readonly lastSequence: number
  readonly checked: number
  readonly problem: string
}

export const verifyAuditResponseType: MessageType<VerifyAuditResponse> = {
  name: 'sallyport.server.v1.VerifyAuditResponse',
  create: () => ({ intact: false, firstSequence: 0, lastSequence: 0, checked: 0, problem: '' }),
  fields: [
    { number: 1, name: 'intact', kind: 'bool' },
    { number: 2, name: 'firstSequence', kind: 'int64' },
    { number: 3, name: 'lastSequence', kind: 'int64' },
    { number: 4, name: 'checked', kind: 'int64' },
    { number: 5, name: 'problem', kind: 'string' },
  ],
}

export interface DecisionFilter {
  readonly decision: string
  readonly wouldDeny: boolean
  readonly deniedBy: string
  readonly code: string
  readonly source: string
  readonly sourceZone: string
  readonly service: string
  readonly destinationZone: string
  readonly agent: string
  readonly sinceMs: number
  readonly untilMs: number
}

export const decisionFilterType: MessageType<DecisionFilter> = {
  name: 'sallyport.server.v1.DecisionFilter',
  create: () => ({
    decision: '',
    wouldDeny: false,
    deniedBy: '',
    code: '',
    source: '',
    sourceZone: '',
    service: '',
    destinationZone: '',
    agent: '',
    sinceMs: 0,
    untilMs: 0,
  }),
  fields: [
    { number: 1, name: 'decision', kind: 'string' },
    { number: 2, name: 'wouldDeny', kind: 'bool' },
    { number: 3, name: 'deniedBy', kind: 'string' },
    { number: 4, name: 'code', kind: 'string' },
    { number: 5, name: 'source', kind: 'string' },
    { number: 6, name: 'sourceZone', kind: 'string' },
    { number: 7, name: 'service', kind: 'string' },
    { number: 8, name: 'destinationZone', kind: 'string' },
    { number: 9, name: 'agent', kind: 'string' },
    { number: 10, name: 'sinceMs', kind: 'int64' },
    { number: 11, name: 'untilMs', kind: 'int64' },
  ],
}

export interface StoredDecision {
  readonly id: string
  readonly agent: string
  readonly logId: string
  readonly sequence: number
  readonly receivedMs: number
  readonly content: Buffer
  readonly position: number
}

export const storedDecisionType: MessageType<StoredDecision> = {
  name: 'sallyport.server.v1.StoredDecision',
  create: () => ({ id: '', agent: '', logId: '', sequence: 0, receivedMs: 0, content: NO_BYTES, position: 0 }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'agent', kind: 'string' },
    { number: 3, name: 'logId', kind: 'string' },
    { number: 4, name: 'sequence', kind: 'int64' },
    { number: 5, name: 'receivedMs', kind: 'int64' },
    { number: 6, name: 'content', kind: 'bytes' },
    { number: 7, name: 'position', kind: 'int64' },
  ],
}

export interface ListDecisionsRequest {
  readonly filter: DecisionFilter | null
  readonly limit: number
  readonly beforePosition: number
}

export const listDecisionsRequestType: MessageType<ListDecisionsRequest> = {
  name: 'sallyport.server.v1.ListDecisionsRequest',
  create: () => ({ filter: null, limit: 0, beforePosition: 0 }),
  fields: [
    { number: 1, name: 'filter', kind: 'message', type: () => decisionFilterType },
    { number: 2, name: 'limit', kind: 'int32' },
    { number: 3, name: 'beforePosition', kind: 'int64' },
  ],
}

export interface ListDecisionsResponse {
  readonly decisions: readonly StoredDecision[]
  readonly nextPosition: number
}

export const listDecisionsResponseType: MessageType<ListDecisionsResponse> = {
  name: 'sallyport.server.v1.ListDecisionsResponse',
  create: () => ({ decisions: NO_ITEMS, nextPosition: 0 }),
  fields: [
    { number: 1, name: 'decisions', kind: 'message', type: () => storedDecisionType, repeated: true },
    { number: 2, name: 'nextPosition', kind: 'int64' },
  ],
}

export interface GetDecisionRequest {
  readonly id: string
}

export const getDecisionRequestType: MessageType<GetDecisionRequest> = {
  name: 'sallyport.server.v1.GetDecisionRequest',
  create: () => ({ id: '' }),
  fields: [{ number: 1, name: 'id', kind: 'string' }],
}

export interface TailDecisionsRequest {
  readonly filter: DecisionFilter | null
  readonly limit: number
}

export const tailDecisionsRequestType: MessageType<TailDecisionsRequest> = {
  name: 'sallyport.server.v1.TailDecisionsRequest',
  create: () => ({ filter: null, limit: 0 }),
  fields: [
    { number: 1, name: 'filter', kind: 'message', type: () => decisionFilterType },
    { number: 2, name: 'limit', kind: 'int32' },
  ],
}

export interface ListDecisionCountersRequest {
  readonly filter: DecisionFilter | null
}

export const listDecisionCountersRequestType: MessageType<ListDecisionCountersRequest> = {
  name: 'sallyport.server.v1.ListDecisionCountersRequest',
  create: () => ({ filter: null }),
  fields: [{ number: 1, name: 'filter', kind: 'message', type: () => decisionFilterType }],
}

export interface ListDecisionCountersResponse {
  readonly counters: readonly StoredDecisionCounter[]
}

export const listDecisionCountersResponseType: MessageType<ListDecisionCountersResponse> = {
  name: 'sallyport.server.v1.ListDecisionCountersResponse',
  create: () => ({ counters: NO_ITEMS }),
  fields: [{ number: 1, name: 'counters', kind: 'message', type: () => storedDecisionCounterType, repeated: true }],
}

export interface StoredDecisionCounter {
  readonly agent: string
  readonly day: number
  readonly counter: sallyportPolicyV1.DecisionCounter | null
}

export const storedDecisionCounterType: MessageType<StoredDecisionCounter> = {
  name: 'sallyport.server.v1.StoredDecisionCounter',
  create: () => ({ agent: '', day: 0, counter: null }),
  fields: [
    { number: 1, name: 'agent', kind: 'string' },
    { number: 2, name: 'day', kind: 'int32' },
    { number: 3, name: 'counter', kind: 'message', type: () => sallyportPolicyV1.decisionCounterType },
  ],
}

export interface QuarantineItem {
  readonly id: string
  readonly kind: string
  readonly target: string
  readonly identities: readonly string[]
  readonly forensics: readonly string[]
  readonly reason: string
  readonly by: string
  readonly sinceMs: number
  readonly endedMs: number
  readonly endedBy: string
  readonly proposed: boolean
}

export const quarantineItemType: MessageType<QuarantineItem> = {
  name: 'sallyport.server.v1.QuarantineItem',
  create: () => ({
    id: '',
    kind: '',
    target: '',
    identities: NO_ITEMS,
    forensics: NO_ITEMS,
    reason: '',
    by: '',
    sinceMs: 0,
    endedMs: 0,
    endedBy: '',
    proposed: false,
  }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'kind', kind: 'string' },
    { number: 3, name: 'target', kind: 'string' },
    { number: 4, name: 'identities', kind: 'string', repeated: true },
    { number: 5, name: 'forensics', kind: 'string', repeated: true },
    { number: 6, name: 'reason', kind: 'string' },
    { number: 7, name: 'by', kind: 'string' },
    { number: 8, name: 'sinceMs', kind: 'int64' },
    { number: 9, name: 'endedMs', kind: 'int64' },
    { number: 10, name: 'endedBy', kind: 'string' },
    { number: 11, name: 'proposed', kind: 'bool' },
  ],
}

export interface AddQuarantineRequest {
  readonly identity?: string | undefined
  readonly entryId?: string | undefined
  readonly node?: string | undefined
  readonly zone?: string | undefined
  readonly forensics: readonly string[]
  readonly reason: string
  readonly target?: 'identity' | 'entryId' | 'node' | 'zone' | undefined
}

export const addQuarantineRequestType: MessageType<AddQuarantineRequest> = {
  name: 'sallyport.server.v1.AddQuarantineRequest',
  create: () => ({ forensics: NO_ITEMS, reason: '' }),
  fields: [
    { number: 1, name: 'identity', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 2, name: 'entryId', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 3, name: 'node', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 4, name: 'zone', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 5, name: 'forensics', kind: 'string', repeated: true },
    { number: 6, name: 'reason', kind: 'string' },
  ],
}

export interface RemoveQuarantineRequest {
  readonly id: string
  readonly reason: string
}

export const removeQuarantineRequestType: MessageType<RemoveQuarantineRequest> = {
  name: 'sallyport.server.v1.RemoveQuarantineRequest',
  create: () => ({ id: '', reason: '' }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'reason', kind: 'string' },
  ],
}

export interface ListQuarantinesRequest {
  readonly includeEnded: boolean
}

export const listQuarantinesRequestType: MessageType<ListQuarantinesRequest> = {
  name: 'sallyport.server.v1.ListQuarantinesRequest',
  create: () => ({ includeEnded: false }),
  fields: [{ number: 1, name: 'includeEnded', kind: 'bool' }],
}

export interface ListQuarantinesResponse {
  readonly quarantines: readonly QuarantineItem[]
}

export const listQuarantinesResponseType: MessageType<ListQuarantinesResponse> = {
  name: 'sallyport.server.v1.ListQuarantinesResponse',
  create: () => ({ quarantines: NO_ITEMS }),
  fields: [{ number: 1, name: 'quarantines', kind: 'message', type: () => quarantineItemType, repeated: true }],
}

export interface OffboardedItem {
  readonly spiffeId: string
  readonly entryIds: readonly string[]
  readonly complete: boolean
  readonly reason: string
  readonly by: string
  readonly sinceMs: number
}

export const offboardedItemType: MessageType<OffboardedItem> = {
  name: 'sallyport.server.v1.OffboardedItem',
  create: () => ({ spiffeId: '', entryIds: NO_ITEMS, complete: false, reason: '', by: '', sinceMs: 0 }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'entryIds', kind: 'string', repeated: true },
    { number: 3, name: 'complete', kind: 'bool' },
    { number: 4, name: 'reason', kind: 'string' },
    { number: 5, name: 'by', kind: 'string' },
    { number: 6, name: 'sinceMs', kind: 'int64' },
  ],
}

export interface OffboardRequest {
  readonly spiffeId?: string | undefined
  readonly entryId?: string | undefined
  readonly reason: string
  readonly target?: 'spiffeId' | 'entryId' | undefined
}

export const offboardRequestType: MessageType<OffboardRequest> = {
  name: 'sallyport.server.v1.OffboardRequest',
  create: () => ({ reason: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 2, name: 'entryId', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 3, name: 'reason', kind: 'string' },
  ],
}

export interface ReinstateRequest {
  readonly spiffeId?: string | undefined
  readonly entryId?: string | undefined
  readonly reason: string
  readonly target?: 'spiffeId' | 'entryId' | undefined
}

export const reinstateRequestType: MessageType<ReinstateRequest> = {
  name: 'sallyport.server.v1.ReinstateRequest',
  create: () => ({ reason: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 2, name: 'entryId', kind: 'string', presence: 'always', oneof: 'target' },
    { number: 3, name: 'reason', kind: 'string' },
  ],
}

export interface ListOffboardedRequest {}

export const listOffboardedRequestType: MessageType<ListOffboardedRequest> = {
  name: 'sallyport.server.v1.ListOffboardedRequest',
  create: () => ({}),
  fields: [],
}

export interface ListOffboardedResponse {
  readonly offboarded: readonly OffboardedItem[]
}

export const listOffboardedResponseType: MessageType<ListOffboardedResponse> = {
  name: 'sallyport.server.v1.ListOffboardedResponse',
  create: () => ({ offboarded: NO_ITEMS }),
  fields: [{ number: 1, name: 'offboarded', kind: 'message', type: () => offboardedItemType, repeated: true }],
}

export interface GrantItem {
  readonly id: string
  readonly template: string
  readonly subject: string
  readonly state: string
  readonly reason: string
  readonly ticket: string
  readonly requester: string
  readonly approvers: readonly string[]
  readonly approvalsNeeded: number
  readonly approvalsFrom: string
  readonly requestedMs: number
  readonly durationSeconds: number
  readonly fromMs: number
  readonly untilMs: number
  readonly endedBy: string
  readonly approveByMs: number
  readonly endedReason: string
}

export const grantItemType: MessageType<GrantItem> = {
  name: 'sallyport.server.v1.GrantItem',
  create: () => ({
    id: '',
    template: '',
    subject: '',
    state: '',
    reason: '',
    ticket: '',
    requester: '',
    approvers: NO_ITEMS,
    approvalsNeeded: 0,
    approvalsFrom: '',
    requestedMs: 0,
    durationSeconds: 0,
    fromMs: 0,
    untilMs: 0,
    endedBy: '',
    approveByMs: 0,
    endedReason: '',
  }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'template', kind: 'string' },
    { number: 3, name: 'subject', kind: 'string' },
    { number: 4, name: 'state', kind: 'string' },
    { number: 5, name: 'reason', kind: 'string' },
    { number: 6, name: 'ticket', kind: 'string' },
    { number: 7, name: 'requester', kind: 'string' },
    { number: 8, name: 'approvers', kind: 'string', repeated: true },
    { number: 9, name: 'approvalsNeeded', kind: 'int32' },
    { number: 10, name: 'approvalsFrom', kind: 'string' },
    { number: 11, name: 'requestedMs', kind: 'int64' },
    { number: 12, name: 'durationSeconds', kind: 'int64' },
    { number: 13, name: 'fromMs', kind: 'int64' },
    { number: 14, name: 'untilMs', kind: 'int64' },
    { number: 15, name: 'endedBy', kind: 'string' },
    { number: 16, name: 'approveByMs', kind: 'int64' },
    { number: 17, name: 'endedReason', kind: 'string' },
  ],
}

export interface RequestGrantRequest {
  readonly template: string
  readonly subject: string
  readonly durationSeconds: number
  readonly reason: string
  readonly ticket: string
}

export const requestGrantRequestType: MessageType<RequestGrantRequest> = {
  name: 'sallyport.server.v1.RequestGrantRequest',
  create: () => ({ template: '', subject: '', durationSeconds: 0, reason: '', ticket: '' }),
  fields: [
    { number: 1, name: 'template', kind: 'string' },
    { number: 2, name: 'subject', kind: 'string' },
    { number: 3, name: 'durationSeconds', kind: 'int64' },
    { number: 4, name: 'reason', kind: 'string' },
    { number: 5, name: 'ticket', kind: 'string' },
  ],
}

export interface ApproveGrantRequest {
  readonly id: string
}

export const approveGrantRequestType: MessageType<ApproveGrantRequest> = {
  name: 'sallyport.server.v1.ApproveGrantRequest',
  create: () => ({ id: '' }),
  fields: [{ number: 1, name: 'id', kind: 'string' }],
}

export interface RevokeGrantRequest {
  readonly id: string
  readonly reason: string
}

export const revokeGrantRequestType: MessageType<RevokeGrantRequest> = {
  name: 'sallyport.server.v1.RevokeGrantRequest',
  create: () => ({ id: '', reason: '' }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'reason', kind: 'string' },
  ],
}

export interface ListGrantsRequest {
  readonly includeEnded: boolean
}

export const listGrantsRequestType: MessageType<ListGrantsRequest> = {
  name: 'sallyport.server.v1.ListGrantsRequest',
  create: () => ({ includeEnded: false }),
  fields: [{ number: 1, name: 'includeEnded', kind: 'bool' }],
}

export interface ListGrantsResponse {
  readonly grants: readonly GrantItem[]
}

export const listGrantsResponseType: MessageType<ListGrantsResponse> = {
  name: 'sallyport.server.v1.ListGrantsResponse',
  create: () => ({ grants: NO_ITEMS }),
  fields: [{ number: 1, name: 'grants', kind: 'message', type: () => grantItemType, repeated: true }],
}

export interface BreakGlassItem {
  readonly id: string
  readonly declaration: string
  readonly subjects: readonly string[]
  readonly fromZones: readonly string[]
  readonly toZones: readonly string[]
  readonly state: string
  readonly reason: string
  readonly startedBy: readonly string[]
  readonly approvalsNeeded: number
  readonly requestedMs: number
  readonly durationSeconds: number
  readonly sinceMs: number
  readonly untilMs: number
  readonly endedBy: string
  readonly approveByMs: number
  readonly endedReason: string
}

export const breakGlassItemType: MessageType<BreakGlassItem> = {
  name: 'sallyport.server.v1.BreakGlassItem',
  create: () => ({
    id: '',
    declaration: '',
    subjects: NO_ITEMS,
    fromZones: NO_ITEMS,
    toZones: NO_ITEMS,
    state: '',
    reason: '',
    startedBy: NO_ITEMS,
    approvalsNeeded: 0,
    requestedMs: 0,
    durationSeconds: 0,
    sinceMs: 0,
    untilMs: 0,
    endedBy: '',
    approveByMs: 0,
    endedReason: '',
  }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'declaration', kind: 'string' },
    { number: 3, name: 'subjects', kind: 'string', repeated: true },
    { number: 4, name: 'fromZones', kind: 'string', repeated: true },
    { number: 5, name: 'toZones', kind: 'string', repeated: true },
    { number: 6, name: 'state', kind: 'string' },
    { number: 7, name: 'reason', kind: 'string' },
    { number: 8, name: 'startedBy', kind: 'string', repeated: true },
    { number: 9, name: 'approvalsNeeded', kind: 'int32' },
    { number: 10, name: 'requestedMs', kind: 'int64' },
    { number: 11, name: 'durationSeconds', kind: 'int64' },
    { number: 12, name: 'sinceMs', kind: 'int64' },
    { number: 13, name: 'untilMs', kind: 'int64' },
    { number: 14, name: 'endedBy', kind: 'string' },
    { number: 15, name: 'approveByMs', kind: 'int64' },
    { number: 16, name: 'endedReason', kind: 'string' },
  ],
}

export interface StartBreakGlassRequest {
  readonly declaration: string
  readonly subjects: readonly string[]
  readonly durationSeconds: number
  readonly reason: string
}

export const startBreakGlassRequestType: MessageType<StartBreakGlassRequest> = {
  name: 'sallyport.server.v1.StartBreakGlassRequest',
  create: () => ({ declaration: '', subjects: NO_ITEMS, durationSeconds: 0, reason: '' }),
  fields: [
    { number: 1, name: 'declaration', kind: 'string' },
    { number: 2, name: 'subjects', kind: 'string', repeated: true },
    { number: 3, name: 'durationSeconds', kind: 'int64' },
    { number: 4, name: 'reason', kind: 'string' },
  ],
}

export interface ApproveBreakGlassRequest {
  readonly id: string
}

export const approveBreakGlassRequestType: MessageType<ApproveBreakGlassRequest> = {
  name: 'sallyport.server.v1.ApproveBreakGlassRequest',
  create: () => ({ id: '' }),
  fields: [{ number: 1, name: 'id', kind: 'string' }],
}

export interface StopBreakGlassRequest {
  readonly id: string
  readonly reason: string
}

export const stopBreakGlassRequestType: MessageType<StopBreakGlassRequest> = {
  name: 'sallyport.server.v1.StopBreakGlassRequest',
  create: () => ({ id: '', reason: '' }),
  fields: [
    { number: 1, name: 'id', kind: 'string' },
    { number: 2, name: 'reason', kind: 'string' },
  ],
}

export interface ListBreakGlassRequest {
  readonly includeEnded: boolean
}

export const listBreakGlassRequestType: MessageType<ListBreakGlassRequest> = {
  name: 'sallyport.server.v1.ListBreakGlassRequest',
  create: () => ({ includeEnded: false }),
  fields: [{ number: 1, name: 'includeEnded', kind: 'bool' }],
}

export interface ListBreakGlassResponse {
  readonly sessions: readonly BreakGlassItem[]
}

export const listBreakGlassResponseType: MessageType<ListBreakGlassResponse> = {
  name: 'sallyport.server.v1.ListBreakGlassResponse',
  create: () => ({ sessions: NO_ITEMS }),
  fields: [{ number: 1, name: 'sessions', kind: 'message', type: () => breakGlassItemType, repeated: true }],
}

export interface RevokedSerialItem {
  readonly spiffeId: string
  readonly serialNumber: string
  readonly reason: string
  readonly by: string
  readonly sinceMs: number
  readonly expiresMs: number
}

export const revokedSerialItemType: MessageType<RevokedSerialItem> = {
  name: 'sallyport.server.v1.RevokedSerialItem',
  create: () => ({ spiffeId: '', serialNumber: '', reason: '', by: '', sinceMs: 0, expiresMs: 0 }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'serialNumber', kind: 'string' },
    { number: 3, name: 'reason', kind: 'string' },
    { number: 4, name: 'by', kind: 'string' },
    { number: 5, name: 'sinceMs', kind: 'int64' },
    { number: 6, name: 'expiresMs', kind: 'int64' },
  ],
}

export interface RevokeSerialRequest {
  readonly spiffeId: string
  readonly serialNumber: string
  readonly reason: string
}

export const revokeSerialRequestType: MessageType<RevokeSerialRequest> = {
  name: 'sallyport.server.v1.RevokeSerialRequest',
  create: () => ({ spiffeId: '', serialNumber: '', reason: '' }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'serialNumber', kind: 'string' },
    { number: 3, name: 'reason', kind: 'string' },
  ],
}

export interface ListRevokedSerialsRequest {}

export const listRevokedSerialsRequestType: MessageType<ListRevokedSerialsRequest> = {
  name: 'sallyport.server.v1.ListRevokedSerialsRequest',
  create: () => ({}),
  fields: [],
}

export interface ListRevokedSerialsResponse {
  readonly serials: readonly RevokedSerialItem[]
}

export const listRevokedSerialsResponseType: MessageType<ListRevokedSerialsResponse> = {
  name: 'sallyport.server.v1.ListRevokedSerialsResponse',
  create: () => ({ serials: NO_ITEMS }),
  fields: [{ number: 1, name: 'serials', kind: 'message', type: () => revokedSerialItemType, repeated: true }],
}

export interface GetLifecycleRequest {}

export const getLifecycleRequestType: MessageType<GetLifecycleRequest> = {
  name: 'sallyport.server.v1.GetLifecycleRequest',
  create: () => ({}),
  fields: [],
}

export interface GetLifecycleResponse {
  readonly epoch: number
  readonly sequence: number
  readonly lifecycle: sallyportPolicyV1.SignedLifecycle | null
}

export const getLifecycleResponseType: MessageType<GetLifecycleResponse> = {
  name: 'sallyport.server.v1.GetLifecycleResponse',
  create: () => ({ epoch: 0, sequence: 0, lifecycle: null }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'sequence', kind: 'int64' },
    { number: 3, name: 'lifecycle', kind: 'message', type: () => sallyportPolicyV1.signedLifecycleType },
  ],
}

export interface ListFastLaneRequest {
  readonly afterSequence: number
  readonly limit: number
}

export const listFastLaneRequestType: MessageType<ListFastLaneRequest> = {
  name: 'sallyport.server.v1.ListFastLaneRequest',
  create: () => ({ afterSequence: 0, limit: 0 }),
  fields: [
    { number: 1, name: 'afterSequence', kind: 'int64' },
    { number: 2, name: 'limit', kind: 'int32' },
  ],
}

export interface ListFastLaneResponse {
  readonly entries: readonly sallyportPolicyV1.SignedFastLaneEntry[]
}

export const listFastLaneResponseType: MessageType<ListFastLaneResponse> = {
  name: 'sallyport.server.v1.ListFastLaneResponse',
  create: () => ({ entries: NO_ITEMS }),
  fields: [
    {
      number: 1,
      name: 'entries',
      kind: 'message',
      type: () => sallyportPolicyV1.signedFastLaneEntryType,
      repeated: true,
    },
  ],
}

export interface PolicyFinding {
  readonly severity: string
  readonly code: string
  readonly message: string
  readonly path: string
  readonly line: number
  readonly column: number
}

export const policyFindingType: MessageType<PolicyFinding> = {
  name: 'sallyport.server.v1.PolicyFinding',
  create: () => ({ severity: '', code: '', message: '', path: '', line: 0, column: 0 }),
  fields: [
    { number: 1, name: 'severity', kind: 'string' },
    { number: 2, name: 'code', kind: 'string' },
    { number: 3, name: 'message', kind: 'string' },
    { number: 4, name: 'path', kind: 'string' },
    { number: 5, name: 'line', kind: 'uint32' },
    { number: 6, name: 'column', kind: 'uint32' },
  ],
}

export interface PolicyLoss {
  readonly kind: string
  readonly zone: string
  readonly spiffeId: string
  readonly message: string
}

export const policyLossType: MessageType<PolicyLoss> = {
  name: 'sallyport.server.v1.PolicyLoss',
  create: () => ({ kind: '', zone: '', spiffeId: '', message: '' }),
  fields: [
    { number: 1, name: 'kind', kind: 'string' },
    { number: 2, name: 'zone', kind: 'string' },
    { number: 3, name: 'spiffeId', kind: 'string' },
    { number: 4, name: 'message', kind: 'string' },
  ],
}

export interface PolicyRevision {
  readonly revision: number
  readonly epoch: number
  readonly digest: Buffer
  readonly name: string
  readonly appliedBy: string
  readonly appliedAtMs: number
  readonly note: string
  readonly rolledBackTo: number
  readonly source: string
  readonly policy: string
  readonly secondSignatures: readonly sallyportPolicyV1.Signature[]
}

export const policyRevisionType: MessageType<PolicyRevision> = {
  name: 'sallyport.server.v1.PolicyRevision',
  create: () => ({
    revision: 0,
    epoch: 0,
    digest: NO_BYTES,
    name: '',
    appliedBy: '',
    appliedAtMs: 0,
    note: '',
    rolledBackTo: 0,
    source: '',
    policy: '',
    secondSignatures: NO_ITEMS,
  }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'epoch', kind: 'int64' },
    { number: 3, name: 'digest', kind: 'bytes' },
    { number: 4, name: 'name', kind: 'string' },
    { number: 5, name: 'appliedBy', kind: 'string' },
    { number: 6, name: 'appliedAtMs', kind: 'int64' },
    { number: 7, name: 'note', kind: 'string' },
    { number: 8, name: 'rolledBackTo', kind: 'int64' },
    { number: 9, name: 'source', kind: 'string' },
    { number: 10, name: 'policy', kind: 'string' },
    {
      number: 11,
      name: 'secondSignatures',
      kind: 'message',
      type: () => sallyportPolicyV1.signatureType,
      repeated: true,
    },
  ],
}

export interface ValidatePolicyRequest {
  readonly source: string
}

export const validatePolicyRequestType: MessageType<ValidatePolicyRequest> = {
  name: 'sallyport.server.v1.ValidatePolicyRequest',
  create: () => ({ source: '' }),
  fields: [{ number: 1, name: 'source', kind: 'string' }],
}

export interface ValidatePolicyResponse {
  readonly findings: readonly PolicyFinding[]
  readonly losses: readonly PolicyLoss[]
  readonly digest: Buffer
  readonly needsSecondSignature: boolean
}

export const validatePolicyResponseType: MessageType<ValidatePolicyResponse> = {
  name: 'sallyport.server.v1.ValidatePolicyResponse',
  create: () => ({ findings: NO_ITEMS, losses: NO_ITEMS, digest: NO_BYTES, needsSecondSignature: false }),
  fields: [
    { number: 1, name: 'findings', kind: 'message', type: () => policyFindingType, repeated: true },
    { number: 2, name: 'losses', kind: 'message', type: () => policyLossType, repeated: true },
    { number: 3, name: 'digest', kind: 'bytes' },
    { number: 4, name: 'needsSecondSignature', kind: 'bool' },
  ],
}

export interface ApplyPolicyRequest {
  readonly source: string
  readonly expectedBase?: number | undefined
  readonly dryRun: boolean
  readonly acceptLoss: boolean
  readonly note: string
}

export const applyPolicyRequestType: MessageType<ApplyPolicyRequest> = {
  name: 'sallyport.server.v1.ApplyPolicyRequest',
  create: () => ({ source: '', dryRun: false, acceptLoss: false, note: '' }),
  fields: [
    { number: 1, name: 'source', kind: 'string' },
    { number: 2, name: 'expectedBase', kind: 'int64', presence: 'always' },
    { number: 3, name: 'dryRun', kind: 'bool' },
    { number: 4, name: 'acceptLoss', kind: 'bool' },
    { number: 5, name: 'note', kind: 'string' },
  ],
}

export interface RollbackPolicyRequest {
  readonly toRevision: number
  readonly expectedBase?: number | undefined
  readonly dryRun: boolean
  readonly acceptLoss: boolean
  readonly note: string
}

export const rollbackPolicyRequestType: MessageType<RollbackPolicyRequest> = {
  name: 'sallyport.server.v1.RollbackPolicyRequest',
  create: () => ({ toRevision: 0, dryRun: false, acceptLoss: false, note: '' }),
  fields: [
    { number: 1, name: 'toRevision', kind: 'int64' },
    { number: 2, name: 'expectedBase', kind: 'int64', presence: 'always' },
    { number: 3, name: 'dryRun', kind: 'bool' },
    { number: 4, name: 'acceptLoss', kind: 'bool' },
    { number: 5, name: 'note', kind: 'string' },
  ],
}

export interface ApplyPolicyResponse {
  readonly revision: PolicyRevision | null
  readonly findings: readonly PolicyFinding[]
  readonly losses: readonly PolicyLoss[]
  readonly dryRun: boolean
  readonly pending: boolean
  readonly unchanged: boolean
}

export const applyPolicyResponseType: MessageType<ApplyPolicyResponse> = {
  name: 'sallyport.server.v1.ApplyPolicyResponse',
  create: () => ({
    revision: null,
    findings: NO_ITEMS,
    losses: NO_ITEMS,
    dryRun: false,
    pending: false,
    unchanged: false,
  }),
  fields: [
    { number: 1, name: 'revision', kind: 'message', type: () => policyRevisionType },
    { number: 2, name: 'findings', kind: 'message', type: () => policyFindingType, repeated: true },
    { number: 3, name: 'losses', kind: 'message', type: () => policyLossType, repeated: true },
    { number: 4, name: 'dryRun', kind: 'bool' },
    { number: 5, name: 'pending', kind: 'bool' },
    { number: 6, name: 'unchanged', kind: 'bool' },
  ],
}

export interface GetPolicyRequest {
  readonly revision: number
  readonly pending: boolean
}

export const getPolicyRequestType: MessageType<GetPolicyRequest> = {
  name: 'sallyport.server.v1.GetPolicyRequest',
  create: () => ({ revision: 0, pending: false }),
  fields: [
    { number: 1, name: 'revision', kind: 'int64' },
    { number: 2, name: 'pending', kind: 'bool' },
  ],
}

export interface ListPoliciesRequest {
  readonly limit: number
  readonly beforeRevision: number
}

export const listPoliciesRequestType: MessageType<ListPoliciesRequest> = {
  name: 'sallyport.server.v1.ListPoliciesRequest',
  create: () => ({ limit: 0, beforeRevision: 0 }),
  fields: [
    { number: 1, name: 'limit', kind: 'int32' },
    { number: 2, name: 'beforeRevision', kind: 'int64' },
  ],
}

export interface ListPoliciesResponse {
  readonly revisions: readonly PolicyRevision[]
  readonly pending: PolicyRevision | null
}

export const listPoliciesResponseType: MessageType<ListPoliciesResponse> = {
  name: 'sallyport.server.v1.ListPoliciesResponse',
  create: () => ({ revisions: NO_ITEMS, pending: null }),
  fields: [
    { number: 1, name: 'revisions', kind: 'message', type: () => policyRevisionType, repeated: true },
    { number: 2, name: 'pending', kind: 'message', type: () => policyRevisionType },
  ],
}

export interface GetPolicyStatusRequest {}

export const getPolicyStatusRequestType: MessageType<GetPolicyStatusRequest> = {
  name: 'sallyport.server.v1.GetPolicyStatusRequest',
  create: () => ({}),
  fields: [],
}

export interface GetPolicyStatusResponse {
  readonly epoch: number
  readonly revision: number
  readonly digest: Buffer
  readonly name: string
  readonly appliedAtMs: number
  readonly appliedBy: string
  readonly fastLaneSequence: number
  readonly members: number
  readonly unplaced: number
  readonly ambiguous: readonly string[]
  readonly pending: boolean
  readonly agents: readonly PolicyAgentStatus[]
  readonly storeRevision: number
}

export const getPolicyStatusResponseType: MessageType<GetPolicyStatusResponse> = {
  name: 'sallyport.server.v1.GetPolicyStatusResponse',
  create: () => ({
    epoch: 0,
    revision: 0,
    digest: NO_BYTES,
    name: '',
    appliedAtMs: 0,
    appliedBy: '',
    fastLaneSequence: 0,
    members: 0,
    unplaced: 0,
    ambiguous: NO_ITEMS,
    pending: false,
    agents: NO_ITEMS,
    storeRevision: 0,
  }),
  fields: [
    { number: 1, name: 'epoch', kind: 'int64' },
    { number: 2, name: 'revision', kind: 'int64' },
    { number: 3, name: 'digest', kind: 'bytes' },
    { number: 4, name: 'name', kind: 'string' },
    { number: 5, name: 'appliedAtMs', kind: 'int64' },
    { number: 6, name: 'appliedBy', kind: 'string' },
    { number: 7, name: 'fastLaneSequence', kind: 'int64' },
    { number: 8, name: 'members', kind: 'int32' },
    { number: 9, name: 'unplaced', kind: 'int32' },
    { number: 10, name: 'ambiguous', kind: 'string', repeated: true },
    { number: 11, name: 'pending', kind: 'bool' },
    { number: 12, name: 'agents', kind: 'message', type: () => policyAgentStatusType, repeated: true },
    { number: 13, name: 'storeRevision', kind: 'int64' },
  ],
}

export interface PolicyAgentStatus {
  readonly spiffeId: string
  readonly connected: boolean
  readonly handlesPolicy: boolean
  readonly policyEpoch: number
  readonly policyRevision: number
  readonly fastLaneSequence: number
  readonly refused: string
}

export const policyAgentStatusType: MessageType<PolicyAgentStatus> = {
  name: 'sallyport.server.v1.PolicyAgentStatus',
  create: () => ({
    spiffeId: '',
    connected: false,
    handlesPolicy: false,
    policyEpoch: 0,
    policyRevision: 0,
    fastLaneSequence: 0,
    refused: '',
  }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'connected', kind: 'bool' },
    { number: 3, name: 'handlesPolicy', kind: 'bool' },
    { number: 4, name: 'policyEpoch', kind: 'int64' },
    { number: 5, name: 'policyRevision', kind: 'int64' },
    { number: 6, name: 'fastLaneSequence', kind: 'int64' },
    { number: 7, name: 'refused', kind: 'string' },
  ],
}

export interface ListMembersRequest {
  readonly spiffeIds: readonly string[]
  readonly zone: string
}

export const listMembersRequestType: MessageType<ListMembersRequest> = {
  name: 'sallyport.server.v1.ListMembersRequest',
  create: () => ({ spiffeIds: NO_ITEMS, zone: '' }),
  fields: [
    { number: 1, name: 'spiffeIds', kind: 'string', repeated: true },
    { number: 2, name: 'zone', kind: 'string' },
  ],
}

export interface ListMembersResponse {
  readonly members: readonly MemberRow[]
  readonly policyRevision: number
  readonly storeRevision: number
}

export const listMembersResponseType: MessageType<ListMembersResponse> = {
  name: 'sallyport.server.v1.ListMembersResponse',
  create: () => ({ members: NO_ITEMS, policyRevision: 0, storeRevision: 0 }),
  fields: [
    { number: 1, name: 'members', kind: 'message', type: () => memberRowType, repeated: true },
    { number: 2, name: 'policyRevision', kind: 'int64' },
    { number: 3, name: 'storeRevision', kind: 'int64' },
  ],
}

export interface MemberRow {
  readonly spiffeId: string
  readonly zones: readonly string[]
  readonly via: string
  readonly labels: Readonly<Record<string, string>>
}

export const memberRowType: MessageType<MemberRow> = {
  name: 'sallyport.server.v1.MemberRow',
  create: () => ({ spiffeId: '', zones: NO_ITEMS, via: '', labels: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'spiffeId', kind: 'string' },
    { number: 2, name: 'zones', kind: 'string', repeated: true },
    { number: 3, name: 'via', kind: 'string' },
    {
      number: 4,
      name: 'labels',
      kind: 'map',
      entry: {
        name: 'sallyport.server.v1.MemberRow.labels',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
  ],
}

export interface GetSliceRequest {
  readonly spiffeId: string
}

export const getSliceRequestType: MessageType<GetSliceRequest> = {
  name: 'sallyport.server.v1.GetSliceRequest',
  create: () => ({ spiffeId: '' }),
  fields: [{ number: 1, name: 'spiffeId', kind: 'string' }],
}

export interface GetSliceResponse {
  readonly slice: sallyportPolicyV1.SignedSlice | null
  readonly keys: sallyportPolicyV1.SignedPolicyKeys | null
}

export const getSliceResponseType: MessageType<GetSliceResponse> = {
  name: 'sallyport.server.v1.GetSliceResponse',
  create: () => ({ slice: null, keys: null }),
  fields: [
    { number: 1, name: 'slice', kind: 'message', type: () => sallyportPolicyV1.signedSliceType },
    { number: 2, name: 'keys', kind: 'message', type: () => sallyportPolicyV1.signedPolicyKeysType },
  ],
}

export interface ListPolicyKeysRequest {}

export const listPolicyKeysRequestType: MessageType<ListPolicyKeysRequest> = {
  name: 'sallyport.server.v1.ListPolicyKeysRequest',
  create: () => ({}),
  fields: [],
}

export interface ListPolicyKeysResponse {
  readonly version: number
  readonly keys: readonly PolicyKey[]
  readonly waitingFor: readonly string[]
  readonly set: sallyportPolicyV1.SignedPolicyKeys | null
  readonly refusedBy: readonly string[]
}

export const listPolicyKeysResponseType: MessageType<ListPolicyKeysResponse> = {
  name: 'sallyport.server.v1.ListPolicyKeysResponse',
  create: () => ({ version: 0, keys: NO_ITEMS, waitingFor: NO_ITEMS, set: null, refusedBy: NO_ITEMS }),
  fields: [
    { number: 1, name: 'version', kind: 'int64' },
    { number: 2, name: 'keys', kind: 'message', type: () => policyKeyType, repeated: true },
    { number: 3, name: 'waitingFor', kind: 'string', repeated: true },
    { number: 4, name: 'set', kind: 'message', type: () => sallyportPolicyV1.signedPolicyKeysType },
    { number: 5, name: 'refusedBy', kind: 'string', repeated: true },
  ],
}

export interface PolicyKey {
  readonly keyId: Buffer
  readonly publicKey: Buffer
  readonly use: string
  readonly state: string
  readonly createdAtMs: number
}

export const policyKeyType: MessageType<PolicyKey> = {
  name: 'sallyport.server.v1.PolicyKey',
  create: () => ({ keyId: NO_BYTES, publicKey: NO_BYTES, use: '', state: '', createdAtMs: 0 }),
  fields: [
    { number: 1, name: 'keyId', kind: 'bytes' },
    { number: 2, name: 'publicKey', kind: 'bytes' },
    { number: 3, name: 'use', kind: 'string' },
    { number: 4, name: 'state', kind: 'string' },
    { number: 5, name: 'createdAtMs', kind: 'int64' },
  ],
}

export interface RotatePolicyKeyRequest {
  readonly reason: string
}

export const rotatePolicyKeyRequestType: MessageType<RotatePolicyKeyRequest> = {
  name: 'sallyport.server.v1.RotatePolicyKeyRequest',
  create: () => ({ reason: '' }),
  fields: [{ number: 1, name: 'reason', kind: 'string' }],
}

export interface RevokePolicyKeyRequest {
  readonly keyId: Buffer
  readonly reason: string
}

export const revokePolicyKeyRequestType: MessageType<RevokePolicyKeyRequest> = {
  name: 'sallyport.server.v1.RevokePolicyKeyRequest',
  create: () => ({ keyId: NO_BYTES, reason: '' }),
  fields: [
    { number: 1, name: 'keyId', kind: 'bytes' },
    { number: 2, name: 'reason', kind: 'string' },
  ],
}

export interface VouchForPolicyKeysRequest {
  readonly publicKey: Buffer
  readonly signature: Buffer
  readonly reason: string
}

export const vouchForPolicyKeysRequestType: MessageType<VouchForPolicyKeysRequest> = {
  name: 'sallyport.server.v1.VouchForPolicyKeysRequest',
  create: () => ({ publicKey: NO_BYTES, signature: NO_BYTES, reason: '' }),
  fields: [
    { number: 1, name: 'publicKey', kind: 'bytes' },
    { number: 2, name: 'signature', kind: 'bytes' },
    { number: 3, name: 'reason', kind: 'string' },
  ],
}

export interface SubmitPolicySignatureRequest {
  readonly digest: Buffer
  readonly keyId: Buffer
  readonly signature: Buffer
}

export const submitPolicySignatureRequestType: MessageType<SubmitPolicySignatureRequest> = {
  name: 'sallyport.server.v1.SubmitPolicySignatureRequest',
  create: () => ({ digest: NO_BYTES, keyId: NO_BYTES, signature: NO_BYTES }),
  fields: [
    { number: 1, name: 'digest', kind: 'bytes' },
    { number: 2, name: 'keyId', kind: 'bytes' },
    { number: 3, name: 'signature', kind: 'bytes' },
  ],
}

export interface LabelledEntry {
  readonly entry: spireApiTypes.Entry | null
  readonly labels: Readonly<Record<string, string>>
}

export const labelledEntryType: MessageType<LabelledEntry> = {
  name: 'sallyport.server.v1.LabelledEntry',
  create: () => ({ entry: null, labels: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'entry', kind: 'message', type: () => spireApiTypes.entryType },
    {
      number: 2,
      name: 'labels',
      kind: 'map',
      entry: {
        name: 'sallyport.server.v1.LabelledEntry.labels',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
  ],
}

export interface CreateLabelledEntriesRequest {
  readonly entries: readonly LabelledEntry[]
}

export const createLabelledEntriesRequestType: MessageType<CreateLabelledEntriesRequest> = {
  name: 'sallyport.server.v1.CreateLabelledEntriesRequest',
  create: () => ({ entries: NO_ITEMS }),
  fields: [{ number: 1, name: 'entries', kind: 'message', type: () => labelledEntryType, repeated: true }],
}

export interface LabelledEntryUpdate {
  readonly entry: spireApiTypes.Entry | null
  readonly mask: spireApiTypes.EntryMask | null
  readonly labels: Readonly<Record<string, string>>
  readonly removedLabels: readonly string[]
}

export const labelledEntryUpdateType: MessageType<LabelledEntryUpdate> = {
  name: 'sallyport.server.v1.LabelledEntryUpdate',
  create: () => ({ entry: null, mask: null, labels: NO_ENTRIES, removedLabels: NO_ITEMS }),
  fields: [
    { number: 1, name: 'entry', kind: 'message', type: () => spireApiTypes.entryType },
    { number: 2, name: 'mask', kind: 'message', type: () => spireApiTypes.entryMaskType },
    {
      number: 3,
      name: 'labels',
      kind: 'map',
      entry: {
        name: 'sallyport.server.v1.LabelledEntryUpdate.labels',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
    { number: 4, name: 'removedLabels', kind: 'string', repeated: true },
  ],
}

export interface UpdateLabelledEntriesRequest {
  readonly updates: readonly LabelledEntryUpdate[]
  readonly together: boolean
}

export const updateLabelledEntriesRequestType: MessageType<UpdateLabelledEntriesRequest> = {
  name: 'sallyport.server.v1.UpdateLabelledEntriesRequest',
  create: () => ({ updates: NO_ITEMS, together: false }),
  fields: [
    { number: 1, name: 'updates', kind: 'message', type: () => labelledEntryUpdateType, repeated: true },
    { number: 2, name: 'together', kind: 'bool' },
  ],
}

export interface LabelledEntriesResponse {
  readonly results: readonly LabelledEntryResult[]
}

export const labelledEntriesResponseType: MessageType<LabelledEntriesResponse> = {
  name: 'sallyport.server.v1.LabelledEntriesResponse',
  create: () => ({ results: NO_ITEMS }),
  fields: [{ number: 1, name: 'results', kind: 'message', type: () => labelledEntryResultType, repeated: true }],
}

export interface LabelledEntryResult {
  readonly status: spireApiTypes.Status | null
  readonly entry: spireApiTypes.Entry | null
  readonly labels: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
  readonly code: string
}

export const labelledEntryResultType: MessageType<LabelledEntryResult> = {
  name: 'sallyport.server.v1.LabelledEntryResult',
  create: () => ({ status: null, entry: null, labels: NO_ENTRIES, warnings: NO_ITEMS, code: '' }),
  fields: [
    { number: 1, name: 'status', kind: 'message', type: () => spireApiTypes.statusType },
    { number: 2, name: 'entry', kind: 'message', type: () => spireApiTypes.entryType },
    {
      number: 3,
      name: 'labels',
      kind: 'map',
      entry: {
        name: 'sallyport.server.v1.LabelledEntryResult.labels',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
    { number: 4, name: 'warnings', kind: 'string', repeated: true },
    { number: 5, name: 'code', kind: 'string' },
  ],
}

export interface ListLabelsRequest {
  readonly entryIds: readonly string[]
}

export const listLabelsRequestType: MessageType<ListLabelsRequest> = {
  name: 'sallyport.server.v1.ListLabelsRequest',
  create: () => ({ entryIds: NO_ITEMS }),
  fields: [{ number: 1, name: 'entryIds', kind: 'string', repeated: true }],
}

export interface ListLabelsResponse {
  readonly entries: readonly EntryLabels[]
}

export const listLabelsResponseType: MessageType<ListLabelsResponse> = {
  name: 'sallyport.server.v1.ListLabelsResponse',
  create: () => ({ entries: NO_ITEMS }),
  fields: [{ number: 1, name: 'entries', kind: 'message', type: () => entryLabelsType, repeated: true }],
}

export interface EntryLabels {
  readonly entryId: string
  readonly spiffeId: string
  readonly labels: Readonly<Record<string, string>>
}

export const entryLabelsType: MessageType<EntryLabels> = {
  name: 'sallyport.server.v1.EntryLabels',
  create: () => ({ entryId: '', spiffeId: '', labels: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'entryId', kind: 'string' },
    { number: 2, name: 'spiffeId', kind: 'string' },
    {
      number: 3,
      name: 'labels',
      kind: 'map',
      entry: {
        name: 'sallyport.server.v1.EntryLabels.labels',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
  ],
}

export const adminService = {
  name: 'sallyport.server.v1.Admin',
  methods: {
    getStatus: { name: 'GetStatus', kind: 'unary', request: getStatusRequestType, response: getStatusResponseType },
    createToken: {
      name: 'CreateToken',
      kind: 'unary',
      request: createTokenRequestType,
      response: createTokenResponseType,
    },
    listAudit: { name: 'ListAudit', kind: 'serverStream', request: listAuditRequestType, response: auditRecordType },
    verifyAudit: {
      name: 'VerifyAudit',
      kind: 'unary',
      request: verifyAuditRequestType,
      response: verifyAuditResponseType,
    },
  },
} as const satisfies Service

export const decisionsService = {
  name: 'sallyport.server.v1.Decisions',
  methods: {
    list: { name: 'List', kind: 'unary', request: listDecisionsRequestType, response: listDecisionsResponseType },
    get: { name: 'Get', kind: 'unary', request: getDecisionRequestType, response: storedDecisionType },
    tail: { name: 'Tail', kind: 'serverStream', request: tailDecisionsRequestType, response: storedDecisionType },
    listCounters: {
      name: 'ListCounters',
      kind: 'serverStream',
      request: listDecisionCountersRequestType,
      response: listDecisionCountersResponseType,
    },
  },
} as const satisfies Service

export const lifecycleService = {
  name: 'sallyport.server.v1.Lifecycle',
  methods: {
    addQuarantine: {
      name: 'AddQuarantine',
      kind: 'unary',
      request: addQuarantineRequestType,
      response: quarantineItemType,
    },
    removeQuarantine: {
      name: 'RemoveQuarantine',
      kind: 'unary',
      request: removeQuarantineRequestType,
      response: quarantineItemType,
    },
    listQuarantines: {
      name: 'ListQuarantines',
      kind: 'unary',
      request: listQuarantinesRequestType,
      response: listQuarantinesResponseType,
    },
    offboard: { name: 'Offboard', kind: 'unary', request: offboardRequestType, response: offboardedItemType },
    reinstate: { name: 'Reinstate', kind: 'unary', request: reinstateRequestType, response: offboardedItemType },
    listOffboarded: {
      name: 'ListOffboarded',
      kind: 'unary',
      request: listOffboardedRequestType,
      response: listOffboardedResponseType,
    },
    requestGrant: { name: 'RequestGrant', kind: 'unary', request: requestGrantRequestType, response: grantItemType },
    approveGrant: { name: 'ApproveGrant', kind: 'unary', request: approveGrantRequestType, response: grantItemType },
    revokeGrant: { name: 'RevokeGrant', kind: 'unary', request: revokeGrantRequestType, response: grantItemType },
    listGrants: { name: 'ListGrants', kind: 'unary', request: listGrantsRequestType, response: listGrantsResponseType },
    startBreakGlass: {
      name: 'StartBreakGlass',
      kind: 'unary',
      request: startBreakGlassRequestType,
      response: breakGlassItemType,
    },
    approveBreakGlass: {
      name: 'ApproveBreakGlass',
      kind: 'unary',
      request: approveBreakGlassRequestType,
      response: breakGlassItemType,
    },
    stopBreakGlass: {
      name: 'StopBreakGlass',
      kind: 'unary',
      request: stopBreakGlassRequestType,
      response: breakGlassItemType,
    },
    listBreakGlass: {
      name: 'ListBreakGlass',
      kind: 'unary',
      request: listBreakGlassRequestType,
      response: listBreakGlassResponseType,
    },
    revokeSerial: {
      name: 'RevokeSerial',
      kind: 'unary',
      request: revokeSerialRequestType,
      response: revokedSerialItemType,
    },
    listRevokedSerials: {
      name: 'ListRevokedSerials',
      kind: 'unary',
      request: listRevokedSerialsRequestType,
      response: listRevokedSerialsResponseType,
    },
    getLifecycle: {
      name: 'GetLifecycle',
      kind: 'unary',
      request: getLifecycleRequestType,
      response: getLifecycleResponseType,
    },
    listFastLane: {
      name: 'ListFastLane',
      kind: 'unary',
      request: listFastLaneRequestType,
      response: listFastLaneResponseType,
    },
  },
} as const satisfies Service

export const policiesService = {
  name: 'sallyport.server.v1.Policies',
  methods: {
    validate: {
      name: 'Validate',
      kind: 'unary',
      request: validatePolicyRequestType,
      response: validatePolicyResponseType,
    },
    apply: { name: 'Apply', kind: 'unary', request: applyPolicyRequestType, response: applyPolicyResponseType },
    rollback: {
      name: 'Rollback',
      kind: 'unary',
      request: rollbackPolicyRequestType,
      response: applyPolicyResponseType,
    },
    get: { name: 'Get', kind: 'unary', request: getPolicyRequestType, response: policyRevisionType },
    list: { name: 'List', kind: 'unary', request: listPoliciesRequestType, response: listPoliciesResponseType },
    getStatus: {
      name: 'GetStatus',
      kind: 'unary',
      request: getPolicyStatusRequestType,
      response: getPolicyStatusResponseType,
    },
    listMembers: {
      name: 'ListMembers',
      kind: 'serverStream',
      request: listMembersRequestType,
      response: listMembersResponseType,
    },
    getSlice: { name: 'GetSlice', kind: 'unary', request: getSliceRequestType, response: getSliceResponseType },
    listKeys: {
      name: 'ListKeys',
      kind: 'unary',
      request: listPolicyKeysRequestType,
      response: listPolicyKeysResponseType,
    },
    rotateKey: {
      name: 'RotateKey',
      kind: 'unary',
      request: rotatePolicyKeyRequestType,
      response: listPolicyKeysResponseType,
    },
    revokeKey: {
      name: 'RevokeKey',
      kind: 'unary',
      request: revokePolicyKeyRequestType,
      response: listPolicyKeysResponseType,
    },
    vouchForKeys: {
      name: 'VouchForKeys',
      kind: 'unary',
      request: vouchForPolicyKeysRequestType,
      response: listPolicyKeysResponseType,
    },
    submitSignature: {
      name: 'SubmitSignature',
      kind: 'unary',
      request: submitPolicySignatureRequestType,
      response: applyPolicyResponseType,
    },
  },
} as const satisfies Service

export const registrationsService = {
  name: 'sallyport.server.v1.Registrations',
  methods: {
    createEntries: {
      name: 'CreateEntries',
      kind: 'unary',
      request: createLabelledEntriesRequestType,
      response: labelledEntriesResponseType,
    },
    updateEntries: {
      name: 'UpdateEntries',
      kind: 'unary',
      request: updateLabelledEntriesRequestType,
      response: labelledEntriesResponseType,
    },
    listLabels: { name: 'ListLabels', kind: 'unary', request: listLabelsRequestType, response: listLabelsResponseType },
  },
} as const satisfies Service
