// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { defineService, type Method } from '../service.ts'
import type * as spireApiTypes from './spire-api-types.ts'

export interface GetLoggerRequest {}

export interface SetLogLevelRequest {
  readonly newLevel: spireApiTypes.LogLevel
}

export interface ResetLogLevelRequest {}

export const loggerService = defineService(
  'spire.api.server.logger.v1.Logger',
  'spire/api/server/logger/v1/logger.proto',
  {
    getLogger: { name: 'GetLogger', kind: 'unary' } as Method<'unary', GetLoggerRequest, spireApiTypes.Logger>,
    setLogLevel: { name: 'SetLogLevel', kind: 'unary' } as Method<'unary', SetLogLevelRequest, spireApiTypes.Logger>,
    resetLogLevel: { name: 'ResetLogLevel', kind: 'unary' } as Method<
      'unary',
      ResetLogLevelRequest,
      spireApiTypes.Logger
    >,
  },
)
