// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type EnumNumbers, type MessageType, NO_ENTRIES } from '../message-type.ts'
import type { Service } from '../service.ts'

export type HealthCheckResponseServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

export const healthCheckResponseServingStatusNumbers: EnumNumbers = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
}

export interface HealthCheckRequest {
  readonly service: string
}

export const healthCheckRequestType: MessageType<HealthCheckRequest> = {
  name: 'grpc.health.v1.HealthCheckRequest',
  create: () => ({ service: '' }),
  fields: [{ number: 1, name: 'service', kind: 'string' }],
}

export interface HealthCheckResponse {
  readonly status: HealthCheckResponseServingStatus
}

export const healthCheckResponseType: MessageType<HealthCheckResponse> = {
  name: 'grpc.health.v1.HealthCheckResponse',
  create: () => ({ status: 'UNKNOWN' }),
  fields: [{ number: 1, name: 'status', kind: 'enum', values: healthCheckResponseServingStatusNumbers }],
}

export interface HealthListRequest {}

export const healthListRequestType: MessageType<HealthListRequest> = {
  name: 'grpc.health.v1.HealthListRequest',
  create: () => ({}),
  fields: [],
}

export interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthCheckResponse>>
}

export const healthListResponseType: MessageType<HealthListResponse> = {
  name: 'grpc.health.v1.HealthListResponse',
  create: () => ({ statuses: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'statuses',
      kind: 'map',
      entry: {
        name: 'grpc.health.v1.HealthListResponse.statuses',
        create: () => ({ key: '', value: healthCheckResponseType.create() }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'message', type: () => healthCheckResponseType, presence: 'always' },
        ],
      },
    },
  ],
}

export const healthService = {
  name: 'grpc.health.v1.Health',
  methods: {
    check: { name: 'Check', kind: 'unary', request: healthCheckRequestType, response: healthCheckResponseType },
    list: { name: 'List', kind: 'unary', request: healthListRequestType, response: healthListResponseType },
    watch: { name: 'Watch', kind: 'serverStream', request: healthCheckRequestType, response: healthCheckResponseType },
  },
} as const satisfies Service
