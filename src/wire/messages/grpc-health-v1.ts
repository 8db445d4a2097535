// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'

export interface HealthCheckRequest {
  readonly service: string
}

export interface HealthCheckResponse {
  readonly status: HealthCheckResponseServingStatus
}

export type HealthCheckResponseServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

export interface HealthListRequest {}

export interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthCheckResponse>>
}

export const healthService = defineService('grpc.health.v1.Health', 'grpc/health/v1/health.proto', {
  check: { name: 'Check', kind: 'unary' } as Method<'unary', HealthCheckRequest, HealthCheckResponse>,
  list: { name: 'List', kind: 'unary' } as Method<'unary', HealthListRequest, HealthListResponse>,
  watch: { name: 'Watch', kind: 'serverStream' } as Method<'serverStream', HealthCheckRequest, HealthCheckResponse>,
})
