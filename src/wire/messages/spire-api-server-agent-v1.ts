// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as googleProtobuf from './google-protobuf.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface CountAgentsRequest {
  readonly filter: CountAgentsRequestFilter | null
}

export interface CountAgentsRequestFilter {
  readonly byAttestationType: string
  readonly bySelectorMatch: spireApiTypes.SelectorMatch | null
  readonly byBanned: googleProtobuf.BoolValue | null
  readonly byCanReattest: googleProtobuf.BoolValue | null
  readonly byExpiresBefore: string
}

export interface CountAgentsResponse {
  readonly count: number
}

export interface ListAgentsRequest {
  readonly filter: ListAgentsRequestFilter | null
  readonly outputMask: spireApiTypes.AgentMask | null
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListAgentsRequestFilter {
  readonly byAttestationType: string
  readonly bySelectorMatch: spireApiTypes.SelectorMatch | null
  readonly byBanned: googleProtobuf.BoolValue | null
  readonly byCanReattest: googleProtobuf.BoolValue | null
  readonly byExpiresBefore: string
}

export interface ListAgentsResponse {
  readonly agents: readonly spireApiTypes.Agent[]
  readonly nextPageToken: string
}

export interface GetAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
  readonly outputMask: spireApiTypes.AgentMask | null
}

export interface DeleteAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
}

export interface BanAgentRequest {
  readonly id: spireApiTypes.SpiffeId | null
}

export interface AttestAgentRequest {
  readonly params?: AttestAgentRequestParams | null | undefined
  readonly challengeResponse?: Buffer | undefined
  readonly step?: 'params' | 'challengeResponse' | undefined
}

export interface AttestAgentRequestParams {
  readonly data: spireApiTypes.AttestationData | null
  readonly params: AgentX509SvidParams | null
}

export interface AttestAgentResponse {
  readonly result?: AttestAgentResponseResult | null | undefined
  readonly challenge?: Buffer | undefined
  readonly step?: 'result' | 'challenge' | undefined
}

export interface AttestAgentResponseResult {
  readonly svid: spireApiTypes.X509Svid | null
  readonly reattestable: boolean
}

export interface RenewAgentRequest {
  readonly params: AgentX509SvidParams | null
}

export interface RenewAgentResponse {
  readonly svid: spireApiTypes.X509Svid | null
}

export interface CreateJoinTokenRequest {
  readonly ttl: number
  readonly token: string
  readonly agentId: spireApiTypes.SpiffeId | null
}

export interface AgentX509SvidParams {
  readonly csr: Buffer
}

export interface PostStatusRequest {
  readonly currentBundleSerial: number
  readonly agentVersion: string
}

export interface PostStatusResponse {}

export const agentService = defineService('spire.api.server.agent.v1.Agent', 'spire/api/server/agent/v1/agent.proto', {
  countAgents: { name: 'CountAgents', kind: 'unary' } as Method<'unary', CountAgentsRequest, CountAgentsResponse>,
  listAgents: { name: 'ListAgents', kind: 'unary' } as Method<'unary', ListAgentsRequest, ListAgentsResponse>,
  getAgent: { name: 'GetAgent', kind: 'unary' } as Method<'unary', GetAgentRequest, spireApiTypes.Agent>,
  deleteAgent: { name: 'DeleteAgent', kind: 'unary' } as Method<'unary', DeleteAgentRequest, googleProtobuf.Empty>,
  banAgent: { name: 'BanAgent', kind: 'unary' } as Method<'unary', BanAgentRequest, googleProtobuf.Empty>,
  attestAgent: { name: 'AttestAgent', kind: 'bidi' } as Method<'bidi', AttestAgentRequest, AttestAgentResponse>,
  renewAgent: { name: 'RenewAgent', kind: 'unary' } as Method<'unary', RenewAgentRequest, RenewAgentResponse>,
  createJoinToken: { name: 'CreateJoinToken', kind: 'unary' } as Method<
    'unary',
    CreateJoinTokenRequest,
    spireApiTypes.JoinToken
  >,
  postStatus: { name: 'PostStatus', kind: 'unary' } as Method<'unary', PostStatusRequest, PostStatusResponse>,
})
