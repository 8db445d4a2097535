// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType } from '../message-type.ts'
import type { Service } from '../service.ts'

export interface GetJwtAuthorityStateRequest {}

export const getJwtAuthorityStateRequestType: MessageType<GetJwtAuthorityStateRequest> = {
  name: 'spire.api.server.localauthority.v1.GetJWTAuthorityStateRequest',
  create: () => ({}),
  fields: [],
}

export interface GetJwtAuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export const getJwtAuthorityStateResponseType: MessageType<GetJwtAuthorityStateResponse> = {
  name: 'spire.api.server.localauthority.v1.GetJWTAuthorityStateResponse',
  create: () => ({ active: null, prepared: null, old: null }),
  fields: [
    { number: 1, name: 'active', kind: 'message', type: () => authorityStateType },
    { number: 2, name: 'prepared', kind: 'message', type: () => authorityStateType },
    { number: 3, name: 'old', kind: 'message', type: () => authorityStateType },
  ],
}

export interface PrepareJwtAuthorityRequest {}

export const prepareJwtAuthorityRequestType: MessageType<PrepareJwtAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.PrepareJWTAuthorityRequest',
  create: () => ({}),
  fields: [],
}

export interface PrepareJwtAuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export const prepareJwtAuthorityResponseType: MessageType<PrepareJwtAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.PrepareJWTAuthorityResponse',
  create: () => ({ preparedAuthority: null }),
  fields: [{ number: 1, name: 'preparedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface ActivateJwtAuthorityRequest {
  readonly authorityId: string
}

export const activateJwtAuthorityRequestType: MessageType<ActivateJwtAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.ActivateJWTAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface ActivateJwtAuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export const activateJwtAuthorityResponseType: MessageType<ActivateJwtAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.ActivateJWTAuthorityResponse',
  create: () => ({ activatedAuthority: null }),
  fields: [{ number: 1, name: 'activatedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface TaintJwtAuthorityRequest {
  readonly authorityId: string
}

export const taintJwtAuthorityRequestType: MessageType<TaintJwtAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.TaintJWTAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface TaintJwtAuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export const taintJwtAuthorityResponseType: MessageType<TaintJwtAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.TaintJWTAuthorityResponse',
  create: () => ({ taintedAuthority: null }),
  fields: [{ number: 1, name: 'taintedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface RevokeJwtAuthorityRequest {
  readonly authorityId: string
}

export const revokeJwtAuthorityRequestType: MessageType<RevokeJwtAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.RevokeJWTAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface RevokeJwtAuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export const revokeJwtAuthorityResponseType: MessageType<RevokeJwtAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.RevokeJWTAuthorityResponse',
  create: () => ({ revokedAuthority: null }),
  fields: [{ number: 1, name: 'revokedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface GetX509AuthorityStateRequest {}

export const getX509AuthorityStateRequestType: MessageType<GetX509AuthorityStateRequest> = {
  name: 'spire.api.server.localauthority.v1.GetX509AuthorityStateRequest',
  create: () => ({}),
  fields: [],
}

export interface GetX509AuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export const getX509AuthorityStateResponseType: MessageType<GetX509AuthorityStateResponse> = {
  name: 'spire.api.server.localauthority.v1.GetX509AuthorityStateResponse',
  create: () => ({ active: null, prepared: null, old: null }),
  fields: [
    { number: 1, name: 'active', kind: 'message', type: () => authorityStateType },
    { number: 2, name: 'prepared', kind: 'message', type: () => authorityStateType },
    { number: 3, name: 'old', kind: 'message', type: () => authorityStateType },
  ],
}

export interface PrepareX509AuthorityRequest {}

export const prepareX509AuthorityRequestType: MessageType<PrepareX509AuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.PrepareX509AuthorityRequest',
  create: () => ({}),
  fields: [],
}

export interface PrepareX509AuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export const prepareX509AuthorityResponseType: MessageType<PrepareX509AuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.PrepareX509AuthorityResponse',
  create: () => ({ preparedAuthority: null }),
  fields: [{ number: 1, name: 'preparedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface ActivateX509AuthorityRequest {
  readonly authorityId: string
}

export const activateX509AuthorityRequestType: MessageType<ActivateX509AuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.ActivateX509AuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface ActivateX509AuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export const activateX509AuthorityResponseType: MessageType<ActivateX509AuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.ActivateX509AuthorityResponse',
  create: () => ({ activatedAuthority: null }),
  fields: [{ number: 1, name: 'activatedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface TaintX509AuthorityRequest {
  readonly authorityId: string
}

export const taintX509AuthorityRequestType: MessageType<TaintX509AuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.TaintX509AuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface TaintX509AuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export const taintX509AuthorityResponseType: MessageType<TaintX509AuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.TaintX509AuthorityResponse',
  create: () => ({ taintedAuthority: null }),
  fields: [{ number: 1, name: 'taintedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface TaintX509UpstreamAuthorityRequest {
  readonly subjectKeyId: string
}

export const taintX509UpstreamAuthorityRequestType: MessageType<TaintX509UpstreamAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.TaintX509UpstreamAuthorityRequest',
  create: () => ({ subjectKeyId: '' }),
  fields: [{ number: 1, name: 'subjectKeyId', kind: 'string' }],
}

export interface TaintX509UpstreamAuthorityResponse {
  readonly upstreamAuthoritySubjectKeyId: string
}

export const taintX509UpstreamAuthorityResponseType: MessageType<TaintX509UpstreamAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.TaintX509UpstreamAuthorityResponse',
  create: () => ({ upstreamAuthoritySubjectKeyId: '' }),
  fields: [{ number: 1, name: 'upstreamAuthoritySubjectKeyId', kind: 'string' }],
}

export interface RevokeX509UpstreamAuthorityRequest {
  readonly subjectKeyId: string
}

export const revokeX509UpstreamAuthorityRequestType: MessageType<RevokeX509UpstreamAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.RevokeX509UpstreamAuthorityRequest',
  create: () => ({ subjectKeyId: '' }),
  fields: [{ number: 1, name: 'subjectKeyId', kind: 'string' }],
}

export interface RevokeX509UpstreamAuthorityResponse {
  readonly upstreamAuthoritySubjectKeyId: string
}

export const revokeX509UpstreamAuthorityResponseType: MessageType<RevokeX509UpstreamAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.RevokeX509UpstreamAuthorityResponse',
  create: () => ({ upstreamAuthoritySubjectKeyId: '' }),
  fields: [{ number: 1, name: 'upstreamAuthoritySubjectKeyId', kind: 'string' }],
}

export interface RevokeX509AuthorityRequest {
  readonly authorityId: string
}

export const revokeX509AuthorityRequestType: MessageType<RevokeX509AuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.RevokeX509AuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface RevokeX509AuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export const revokeX509AuthorityResponseType: MessageType<RevokeX509AuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.RevokeX509AuthorityResponse',
  create: () => ({ revokedAuthority: null }),
  fields: [{ number: 1, name: 'revokedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface GetWitAuthorityStateRequest {}

export const getWitAuthorityStateRequestType: MessageType<GetWitAuthorityStateRequest> = {
  name: 'spire.api.server.localauthority.v1.GetWITAuthorityStateRequest',
  create: () => ({}),
  fields: [],
}

export interface GetWitAuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export const getWitAuthorityStateResponseType: MessageType<GetWitAuthorityStateResponse> = {
  name: 'spire.api.server.localauthority.v1.GetWITAuthorityStateResponse',
  create: () => ({ active: null, prepared: null, old: null }),
  fields: [
    { number: 1, name: 'active', kind: 'message', type: () => authorityStateType },
    { number: 2, name: 'prepared', kind: 'message', type: () => authorityStateType },
    { number: 3, name: 'old', kind: 'message', type: () => authorityStateType },
  ],
}

export interface PrepareWitAuthorityRequest {}

export const prepareWitAuthorityRequestType: MessageType<PrepareWitAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.PrepareWITAuthorityRequest',
  create: () => ({}),
  fields: [],
}

export interface PrepareWitAuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export const prepareWitAuthorityResponseType: MessageType<PrepareWitAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.PrepareWITAuthorityResponse',
  create: () => ({ preparedAuthority: null }),
  fields: [{ number: 1, name: 'preparedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface ActivateWitAuthorityRequest {
  readonly authorityId: string
}

export const activateWitAuthorityRequestType: MessageType<ActivateWitAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.ActivateWITAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface ActivateWitAuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export const activateWitAuthorityResponseType: MessageType<ActivateWitAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.ActivateWITAuthorityResponse',
  create: () => ({ activatedAuthority: null }),
  fields: [{ number: 1, name: 'activatedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface TaintWitAuthorityRequest {
  readonly authorityId: string
}

export const taintWitAuthorityRequestType: MessageType<TaintWitAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.TaintWITAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface TaintWitAuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export const taintWitAuthorityResponseType: MessageType<TaintWitAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.TaintWITAuthorityResponse',
  create: () => ({ taintedAuthority: null }),
  fields: [{ number: 1, name: 'taintedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface RevokeWitAuthorityRequest {
  readonly authorityId: string
}

export const revokeWitAuthorityRequestType: MessageType<RevokeWitAuthorityRequest> = {
  name: 'spire.api.server.localauthority.v1.RevokeWITAuthorityRequest',
  create: () => ({ authorityId: '' }),
  fields: [{ number: 1, name: 'authorityId', kind: 'string' }],
}

export interface RevokeWitAuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export const revokeWitAuthorityResponseType: MessageType<RevokeWitAuthorityResponse> = {
  name: 'spire.api.server.localauthority.v1.RevokeWITAuthorityResponse',
  create: () => ({ revokedAuthority: null }),
  fields: [{ number: 1, name: 'revokedAuthority', kind: 'message', type: () => authorityStateType }],
}

export interface AuthorityState {
  readonly authorityId: string
  readonly expiresAt: number
  readonly upstreamAuthoritySubjectKeyId: string
}

export const authorityStateType: MessageType<AuthorityState> = {
  name: 'spire.api.server.localauthority.v1.AuthorityState',
  create: () => ({ authorityId: '', expiresAt: 0, upstreamAuthoritySubjectKeyId: '' }),
  fields: [
    { number: 1, name: 'authorityId', kind: 'string' },
    { number: 2, name: 'expiresAt', kind: 'int64' },
    { number: 3, name: 'upstreamAuthoritySubjectKeyId', kind: 'string' },
  ],
}

export const localAuthorityService = {
  name: 'spire.api.server.localauthority.v1.LocalAuthority',
  methods: {
    getJwtAuthorityState: {
      name: 'GetJWTAuthorityState',
      kind: 'unary',
      request: getJwtAuthorityStateRequestType,
      response: getJwtAuthorityStateResponseType,
    },
    prepareJwtAuthority: {
      name: 'PrepareJWTAuthority',
      kind: 'unary',
      request: prepareJwtAuthorityRequestType,
      response: prepareJwtAuthorityResponseType,
    },
    activateJwtAuthority: {
      name: 'ActivateJWTAuthority',
      kind: 'unary',
      request: activateJwtAuthorityRequestType,
      response: activateJwtAuthorityResponseType,
    },
    taintJwtAuthority: {
      name: 'TaintJWTAuthority',
      kind: 'unary',
      request: taintJwtAuthorityRequestType,
      response: taintJwtAuthorityResponseType,
    },
    revokeJwtAuthority: {
      name: 'RevokeJWTAuthority',
      kind: 'unary',
      request: revokeJwtAuthorityRequestType,
      response: revokeJwtAuthorityResponseType,
    },
    getX509AuthorityState: {
      name: 'GetX509AuthorityState',
      kind: 'unary',
      request: getX509AuthorityStateRequestType,
      response: getX509AuthorityStateResponseType,
    },
    prepareX509Authority: {
      name: 'PrepareX509Authority',
      kind: 'unary',
      request: prepareX509AuthorityRequestType,
      response: prepareX509AuthorityResponseType,
    },
    activateX509Authority: {
      name: 'ActivateX509Authority',
      kind: 'unary',
      request: activateX509AuthorityRequestType,
      response: activateX509AuthorityResponseType,
    },
    taintX509Authority: {
      name: 'TaintX509Authority',
      kind: 'unary',
      request: taintX509AuthorityRequestType,
      response: taintX509AuthorityResponseType,
    },
    taintX509UpstreamAuthority: {
      name: 'TaintX509UpstreamAuthority',
      kind: 'unary',
      request: taintX509UpstreamAuthorityRequestType,
      response: taintX509UpstreamAuthorityResponseType,
    },
    revokeX509Authority: {
      name: 'RevokeX509Authority',
      kind: 'unary',
      request: revokeX509AuthorityRequestType,
      response: revokeX509AuthorityResponseType,
    },
    revokeX509UpstreamAuthority: {
      name: 'RevokeX509UpstreamAuthority',
      kind: 'unary',
      request: revokeX509UpstreamAuthorityRequestType,
      response: revokeX509UpstreamAuthorityResponseType,
    },
    getWitAuthorityState: {
      name: 'GetWITAuthorityState',
      kind: 'unary',
      request: getWitAuthorityStateRequestType,
      response: getWitAuthorityStateResponseType,
    },
    prepareWitAuthority: {
      name: 'PrepareWITAuthority',
      kind: 'unary',
      request: prepareWitAuthorityRequestType,
      response: prepareWitAuthorityResponseType,
    },
    activateWitAuthority: {
      name: 'ActivateWITAuthority',
      kind: 'unary',
      request: activateWitAuthorityRequestType,
      response: activateWitAuthorityResponseType,
    },
    taintWitAuthority: {
      name: 'TaintWITAuthority',
      kind: 'unary',
      request: taintWitAuthorityRequestType,
      response: taintWitAuthorityResponseType,
    },
    revokeWitAuthority: {
      name: 'RevokeWITAuthority',
      kind: 'unary',
      request: revokeWitAuthorityRequestType,
      response: revokeWitAuthorityResponseType,
    },
  },
} as const satisfies Service
