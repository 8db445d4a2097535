// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_BYTES, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as googleProtobuf from './google-protobuf.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface CountAgentsRequest {
  readonly filter: CountAgentsRequestFilter | null
}

export const countAgentsRequestType: MessageType<CountAgentsRequest> = {
  name: 'spire.api.server.agent.v1.CountAgentsRequest',
  create: () => ({ filter: null }),
  fields: [{ number: 1, name: 'filter', kind: 'message', type: () => countAgentsRequestFilterType }],
}

export interface CountAgentsRequestFilter {
  readonly byAttestationType: string
  readonly bySelectorMatch: spireApiTypes.SelectorMatch | null
  readonly byBanned: googleProtobuf.BoolValue | null
  readonly byCanReattest: googleProtobuf.BoolValue | null
  readonly byExpiresBefore: string
}

export const countAgentsRequestFilterType: MessageType<CountAgentsRequestFilter> = {
  name: 'spire.api.server.agent.v1.CountAgentsRequest.Filter',
  create: () => ({
    byAttestationType: '',
    bySelectorMatch: null,
    byBanned: null,
    byCanReattest: null,
    byExpiresBefore: '',
  }),
  fields: [
    { number: 1, name: 'byAttestationType', kind: 'string' },
    { number: 2, name: 'bySelectorMatch', kind: 'message', type: () => spireApiTypes.selectorMatchType },
    { number: 3, name: 'byBanned', kind: 'message', type: () => googleProtobuf.boolValueType },
    { number: 4, name: 'byCanReattest', kind: 'message', type: () => googleProtobuf.boolValueType },
    { number: 5, name: 'byExpiresBefore', kind: 'string' },
  ],
}

export interface CountAgentsResponse {
  readonly count: number
}

export const countAgentsResponseType: MessageType<CountAgentsResponse> = {
  name: 'spire.api.server.agent.v1.CountAgentsResponse',
  create: () => ({ count: 0 }),
  fields: [{ number: 1, name: 'count', kind: 'int32' }],
}

export interface ListAgentsRequest {
  readonly filter: ListAgentsRequestFilter | null
  readonly outputMask: spireApiTypes.AgentMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export const listAgentsRequestType: MessageType<ListAgentsRequest> = {
  name: 'spire.api.server.agent.v1.ListAgentsRequest',
  create: () => ({ filter: null, outputMask: null, pageSize: 0, pageToken: '' }),
  fields: [
    { number: 1, name: 'filter', kind: 'message', type: () => listAgentsRequestFilterType },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.agentMaskType },
    { number: 3, name: 'pageSize', kind: 'int32' },
    { number: 4, name: 'pageToken', kind: 'string' },
  ],
}

export interface ListAgentsRequestFilter {
  readonly byAttestationType: string
  readonly bySelectorMatch: spireApiTypes.SelectorMatch | null
  readonly byBanned: googleProtobuf.BoolValue | null
  readonly byCanReattest: googleProtobuf.BoolValue | null
  readonly byExpiresBefore: string
}

export const listAgentsRequestFilterType: MessageType<ListAgentsRequestFilter> = {
  name: 'spire.api.server.agent.v1.ListAgentsRequest.Filter',
  create: () => ({
    byAttestationType: '',
    bySelectorMatch: null,
    byBanned: null,
    byCanReattest: null,
    byExpiresBefore: '',
  }),
  fields: [
    { number: 1, name: 'byAttestationType', kind: 'string' },
    { number: 2, name: 'bySelectorMatch', kind: 'message', type: () => spireApiTypes.selectorMatchType },
    { number: 3, name: 'byBanned', kind: 'message', type: () => googleProtobuf.boolValueType },
    { number: 4, name: 'byCanReattest', kind: 'message', type: () => googleProtobuf.boolValueType },
    { number: 5, name: 'byExpiresBefore', kind: 'string' },
  ],
}

export interface ListAgentsResponse {
  readonly agents: readonly spireApiTypes.Agent[]
  readonly nextPageToken: string
}

export const listAgentsResponseType: MessageType<ListAgentsResponse> = {
  name: 'spire.api.server.agent.v1.ListAgentsResponse',
  create: () => ({ agents: NO_ITEMS, nextPageToken: '' }),
  fields: [
    { number: 1, name: 'agents', kind: 'message', type: () => spireApiTypes.agentType, repeated: true },
    { number: 2, name: 'nextPageToken', kind: 'string' },
  ],
}

export interface GetAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly outputMask: spireApiTypes.AgentMask | null
}

export const getAgentRequestType: MessageType<GetAgentRequest> = {
  name: 'spire.api.server.agent.v1.GetAgentRequest',
  create: () => ({ id: null, outputMask: null }),
  fields: [
    { number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType },
    { number: 2, name: 'outputMask', kind: 'message', type: () => spireApiTypes.agentMaskType },
  ],
}

export interface DeleteAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
}

export const deleteAgentRequestType: MessageType<DeleteAgentRequest> = {
  name: 'spire.api.server.agent.v1.DeleteAgentRequest',
  create: () => ({ id: null }),
  fields: [{ number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType }],
}

export interface BanAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
}

export const banAgentRequestType: MessageType<BanAgentRequest> = {
  name: 'spire.api.server.agent.v1.BanAgentRequest',
  create: () => ({ id: null }),
  fields: [{ number: 1, name: 'id', kind: 'message', type: () => spireApiTypes.spiffeIdType }],
}

export interface AttestAgentRequest {
  readonly params?: AttestAgentRequestParams | null | undefined
  readonly challengeResponse?: Buffer | undefined
  readonly step?: 'params' | 'challengeResponse' | undefined
}

export const attestAgentRequestType: MessageType<AttestAgentRequest> = {
  name: 'spire.api.server.agent.v1.AttestAgentRequest',
  create: () => ({}),
  fields: [
    {
      number: 1,
      name: 'params',
      kind: 'message',
      type: () => attestAgentRequestParamsType,
      presence: 'always',
      oneof: 'step',
    },
    { number: 2, name: 'challengeResponse', kind: 'bytes', presence: 'always', oneof: 'step' },
  ],
}

export interface AttestAgentRequestParams {
  readonly data: spireApiTypes.AttestationData | null
  readonly params: AgentX509SvidParams | null
}

export const attestAgentRequestParamsType: MessageType<AttestAgentRequestParams> = {
  name: 'spire.api.server.agent.v1.AttestAgentRequest.Params',
  create: () => ({ data: null, params: null }),
  fields: [
    { number: 1, name: 'data', kind: 'message', type: () => spireApiTypes.attestationDataType },
    { number: 2, name: 'params', kind: 'message', type: () => agentX509SvidParamsType },
  ],
}

export interface AttestAgentResponse {
  readonly result?: AttestAgentResponseResult | null | undefined
  readonly challenge?: Buffer | undefined
  readonly step?: 'result' | 'challenge' | undefined
}

export const attestAgentResponseType: MessageType<AttestAgentResponse> = {
  name: 'spire.api.server.agent.v1.AttestAgentResponse',
  create: () => ({}),
  fields: [
    {
      number: 1,
      name: 'result',
      kind: 'message',
      type: () => attestAgentResponseResultType,
      presence: 'always',
      oneof: 'step',
    },
    { number: 2, name: 'challenge', kind: 'bytes', presence: 'always', oneof: 'step' },
  ],
}

export interface AttestAgentResponseResult {
  readonly svid: spireApiTypes.X509Svid | null
  readonly reattestable: boolean
}

export const attestAgentResponseResultType: MessageType<AttestAgentResponseResult> = {
  name: 'spire.api.server.agent.v1.AttestAgentResponse.Result',
  create: () => ({ svid: null, reattestable: false }),
  fields: [
    { number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.x509SvidType },
    { number: 2, name: 'reattestable', kind: 'bool' },
  ],
}

export interface RenewAgentRequest {
  readonly params: AgentX509SvidParams | null
}

export const renewAgentRequestType: MessageType<RenewAgentRequest> = {
  name: 'spire.api.server.agent.v1.RenewAgentRequest',
  create: () => ({ params: null }),
  fields: [{ number: 1, name: 'params', kind: 'message', type: () => agentX509SvidParamsType }],
}

export interface RenewAgentResponse {
  readonly svid: spireApiTypes.X509Svid | null
}

export const renewAgentResponseType: MessageType<RenewAgentResponse> = {
  name: 'spire.api.server.agent.v1.RenewAgentResponse',
  create: () => ({ svid: null }),
  fields: [{ number: 1, name: 'svid', kind: 'message', type: () => spireApiTypes.x509SvidType }],
}

export interface CreateJoinTokenRequest {
  readonly ttl: number
  readonly token: string
  readonly agentId: spireApiTypes.SpiffeId | null
}

export const createJoinTokenRequestType: MessageType<CreateJoinTokenRequest> = {
  name: 'spire.api.server.agent.v1.CreateJoinTokenRequest',
  create: () => ({ ttl: 0, token: '', agentId: null }),
  fields: [
    { number: 1, name: 'ttl', kind: 'int32' },
    { number: 2, name: 'token', kind: 'string' },
    { number: 3, name: 'agentId', kind: 'message', type: () => spireApiTypes.spiffeIdType },
  ],
}

export interface AgentX509SvidParams {
  readonly csr: Buffer
}

export const agentX509SvidParamsType: MessageType<AgentX509SvidParams> = {
  name: 'spire.api.server.agent.v1.AgentX509SVIDParams',
  create: () => ({ csr: NO_BYTES }),
  fields: [{ number: 1, name: 'csr', kind: 'bytes' }],
}

export interface PostStatusRequest {
  readonly currentBundleSerial: number
  readonly agentVersion: string
}

export const postStatusRequestType: MessageType<PostStatusRequest> = {
  name: 'spire.api.server.agent.v1.PostStatusRequest',
  create: () => ({ currentBundleSerial: 0, agentVersion: '' }),
  fields: [
    { number: 1, name: 'currentBundleSerial', kind: 'uint64' },
    { number: 2, name: 'agentVersion', kind: 'string' },
  ],
}

export interface PostStatusResponse {}

export const postStatusResponseType: MessageType<PostStatusResponse> = {
  name: 'spire.api.server.agent.v1.PostStatusResponse',
  create: () => ({}),
  fields: [],
}

export const agentService = {
  name: 'spire.api.server.agent.v1.Agent',
  methods: {
    countAgents: {
      name: 'CountAgents',
      kind: 'unary',
      request: countAgentsRequestType,
      response: countAgentsResponseType,
    },
    listAgents: { name: 'ListAgents', kind: 'unary', request: listAgentsRequestType, response: listAgentsResponseType },
    getAgent: { name: 'GetAgent', kind: 'unary', request: getAgentRequestType, response: spireApiTypes.agentType },
    deleteAgent: {
      name: 'DeleteAgent',
      kind: 'unary',
      request: deleteAgentRequestType,
      response: googleProtobuf.emptyType,
    },
    banAgent: { name: 'BanAgent', kind: 'unary', request: banAgentRequestType, response: googleProtobuf.emptyType },
    attestAgent: {
      name: 'AttestAgent',
      kind: 'bidi',
      request: attestAgentRequestType,
      response: attestAgentResponseType,
    },
    renewAgent: { name: 'RenewAgent', kind: 'unary', request: renewAgentRequestType, response: renewAgentResponseType },
    createJoinToken: {
      name: 'CreateJoinToken',
      kind: 'unary',
      request: createJoinTokenRequestType,
      response: spireApiTypes.joinTokenType,
    },
    postStatus: { name: 'PostStatus', kind: 'unary', request: postStatusRequestType, response: postStatusResponseType },
  },
} as const satisfies Service
