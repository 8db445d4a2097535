// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType } from '../message-type.ts'
import type { Service } from '../service.ts'
import * as spireApiTypes from './spire-api-types.ts'

export interface GetLoggerRequest {}

export const getLoggerRequestType: MessageType<GetLoggerRequest> = {
  name: 'spire.api.agent.logger.v1.GetLoggerRequest',
  create: () => ({}),
  fields: [],
}

export interface SetLogLevelRequest {
  readonly newLevel: spireApiTypes.LogLevel
}

export const setLogLevelRequestType: MessageType<SetLogLevelRequest> = {
  name: 'spire.api.agent.logger.v1.SetLogLevelRequest',
  create: () => ({ newLevel: 'UNSPECIFIED' }),
  fields: [{ number: 1, name: 'newLevel', kind: 'enum', values: spireApiTypes.logLevelNumbers }],
}

export interface ResetLogLevelRequest {}

export const resetLogLevelRequestType: MessageType<ResetLogLevelRequest> = {
  name: 'spire.api.agent.logger.v1.ResetLogLevelRequest',
  create: () => ({}),
  fields: [],
}

export const loggerService = {
  name: 'spire.api.agent.logger.v1.Logger',
  methods: {
    getLogger: { name: 'GetLogger', kind: 'unary', request: getLoggerRequestType, response: spireApiTypes.loggerType },
    setLogLevel: {
      name: 'SetLogLevel',
      kind: 'unary',
      request: setLogLevelRequestType,
      response: spireApiTypes.loggerType,
    },
    resetLogLevel: {
      name: 'ResetLogLevel',
      kind: 'unary',
      request: resetLogLevelRequestType,
      response: spireApiTypes.loggerType,
    },
  },
} as const satisfies Service
