// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'

export interface GetJwtAuthorityStateRequest {}

export interface GetJwtAuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export interface PrepareJwtAuthorityRequest {}

export interface PrepareJwtAuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export interface ActivateJwtAuthorityRequest {
  readonly authorityId: string
}

export interface ActivateJwtAuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export interface TaintJwtAuthorityRequest {
  readonly authorityId: string
}

export interface TaintJwtAuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export interface RevokeJwtAuthorityRequest {
  readonly authorityId: string
}

export interface RevokeJwtAuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export interface GetX509AuthorityStateRequest {}

export interface GetX509AuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export interface PrepareX509AuthorityRequest {}

export interface PrepareX509AuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export interface ActivateX509AuthorityRequest {
  readonly authorityId: string
}

export interface ActivateX509AuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export interface TaintX509AuthorityRequest {
  readonly authorityId: string
}

export interface TaintX509AuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export interface TaintX509UpstreamAuthorityRequest {
  readonly subjectKeyId: string
}

export interface TaintX509UpstreamAuthorityResponse {
  readonly upstreamAuthoritySubjectKeyId: string
}

export interface RevokeX509UpstreamAuthorityRequest {
  readonly subjectKeyId: string
}

export interface RevokeX509UpstreamAuthorityResponse {
  readonly upstreamAuthoritySubjectKeyId: string
}

export interface RevokeX509AuthorityRequest {
  readonly authorityId: string
}

export interface RevokeX509AuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export interface GetWitAuthorityStateRequest {}

export interface GetWitAuthorityStateResponse {
  readonly active: AuthorityState | null
  readonly prepared: AuthorityState | null
  readonly old: AuthorityState | null
}

export interface PrepareWitAuthorityRequest {}

export interface PrepareWitAuthorityResponse {
  readonly preparedAuthority: AuthorityState | null
}

export interface ActivateWitAuthorityRequest {
  readonly authorityId: string
}

export interface ActivateWitAuthorityResponse {
  readonly activatedAuthority: AuthorityState | null
}

export interface TaintWitAuthorityRequest {
  readonly authorityId: string
}

export interface TaintWitAuthorityResponse {
  readonly taintedAuthority: AuthorityState | null
}

export interface RevokeWitAuthorityRequest {
  readonly authorityId: string
}

export interface RevokeWitAuthorityResponse {
  readonly revokedAuthority: AuthorityState | null
}

export interface AuthorityState {
  readonly authorityId: string
  readonly expiresAt: number
  readonly upstreamAuthoritySubjectKeyId: string
}

export const localAuthorityService = defineService(
  'spire.api.server.localauthority.v1.LocalAuthority',
  'spire/api/server/localauthority/v1/localauthority.proto',
  {
    getJwtAuthorityState: { name: 'GetJWTAuthorityState', kind: 'unary' } as Method<
      'unary',
      GetJwtAuthorityStateRequest,
      GetJwtAuthorityStateResponse
    >,
    prepareJwtAuthority: { name: 'PrepareJWTAuthority', kind: 'unary' } as Method<
      'unary',
      PrepareJwtAuthorityRequest,
      PrepareJwtAuthorityResponse
    >,
    activateJwtAuthority: { name: 'ActivateJWTAuthority', kind: 'unary' } as Method<
      'unary',
      ActivateJwtAuthorityRequest,
      ActivateJwtAuthorityResponse
    >,
    taintJwtAuthority: { name: 'TaintJWTAuthority', kind: 'unary' } as Method<
      'unary',
      TaintJwtAuthorityRequest,
      TaintJwtAuthorityResponse
    >,
    revokeJwtAuthority: { name: 'RevokeJWTAuthority', kind: 'unary' } as Method<
      'unary',
      RevokeJwtAuthorityRequest,
      RevokeJwtAuthorityResponse
    >,
    getX509AuthorityState: { name: 'GetX509AuthorityState', kind: 'unary' } as Method<
      'unary',
      GetX509AuthorityStateRequest,
      GetX509AuthorityStateResponse
    >,
    prepareX509Authority: { name: 'PrepareX509Authority', kind: 'unary' } as Method<
      'unary',
      PrepareX509AuthorityRequest,
      PrepareX509AuthorityResponse
    >,
    activateX509Authority: { name: 'ActivateX509Authority', kind: 'unary' } as Method<
      'unary',
      ActivateX509AuthorityRequest,
      ActivateX509AuthorityResponse
    >,
    taintX509Authority: { name: 'TaintX509Authority', kind: 'unary' } as Method<
      'unary',
      TaintX509AuthorityRequest,
      TaintX509AuthorityResponse
    >,
    taintX509UpstreamAuthority: { name: 'TaintX509UpstreamAuthority', kind: 'unary' } as Method<
      'unary',
      TaintX509UpstreamAuthorityRequest,
      TaintX509UpstreamAuthorityResponse
    >,
    revokeX509Authority: { name: 'RevokeX509Authority', kind: 'unary' } as Method<
      'unary',
      RevokeX509AuthorityRequest,
      RevokeX509AuthorityResponse
    >,
    revokeX509UpstreamAuthority: { name: 'RevokeX509UpstreamAuthority', kind: 'unary' } as Method<
      'unary',
      RevokeX509UpstreamAuthorityRequest,
      RevokeX509UpstreamAuthorityResponse
    >,
    getWitAuthorityState: { name: 'GetWITAuthorityState', kind: 'unary' } as Method<
      'unary',
      GetWitAuthorityStateRequest,
      GetWitAuthorityStateResponse
    >,
    prepareWitAuthority: { name: 'PrepareWITAuthority', kind: 'unary' } as Method<
      'unary',
      PrepareWitAuthorityRequest,
      PrepareWitAuthorityResponse
    >,
    activateWitAuthority: { name: 'ActivateWITAuthority', kind: 'unary' } as Method<
      'unary',
      ActivateWitAuthorityRequest,
      ActivateWitAuthorityResponse
    >,
    taintWitAuthority: { name: 'TaintWITAuthority', kind: 'unary' } as Method<
      'unary',
      TaintWitAuthorityRequest,
      TaintWitAuthorityResponse
    >,
    revokeWitAuthority: { name: 'RevokeWITAuthority', kind: 'unary' } as Method<
      'unary',
      RevokeWitAuthorityRequest,
      RevokeWitAuthorityResponse
    >,
  },
)
