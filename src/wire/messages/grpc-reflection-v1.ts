// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_ITEMS } from '../message-type.ts'
import type { Service } from '../service.ts'

export interface ServerReflectionRequest {
  readonly host: string
  readonly fileByFilename?: string | undefined
  readonly fileContainingSymbol?: string | undefined
  readonly fileContainingExtension?: ExtensionRequest | null | undefined
  readonly allExtensionNumbersOfType?: string | undefined
  readonly listServices?: string | undefined
  readonly messageRequest?:
    | 'fileByFilename'
    | 'fileContainingSymbol'
    | 'fileContainingExtension'
    | 'allExtensionNumbersOfType'
    | 'listServices'
    | undefined
}

export const serverReflectionRequestType: MessageType<ServerReflectionRequest> = {
  name: 'grpc.reflection.v1.ServerReflectionRequest',
  create: () => ({ host: '' }),
  fields: [
    { number: 1, name: 'host', kind: 'string' },
    { number: 3, name: 'fileByFilename', kind: 'string', presence: 'always', oneof: 'messageRequest' },
    { number: 4, name: 'fileContainingSymbol', kind: 'string', presence: 'always', oneof: 'messageRequest' },
    {
      number: 5,
      name: 'fileContainingExtension',
      kind: 'message',
      type: () => extensionRequestType,
      presence: 'always',
      oneof: 'messageRequest',
    },
    { number: 6, name: 'allExtensionNumbersOfType', kind: 'string', presence: 'always', oneof: 'messageRequest' },
    { number: 7, name: 'listServices', kind: 'string', presence: 'always', oneof: 'messageRequest' },
  ],
}

export interface ExtensionRequest {
  readonly containingType: string
  readonly extensionNumber: number
}

export const extensionRequestType: MessageType<ExtensionRequest> = {
  name: 'grpc.reflection.v1.ExtensionRequest',
  create: () => ({ containingType: '', extensionNumber: 0 }),
  fields: [
    { number: 1, name: 'containingType', kind: 'string' },
    { number: 2, name: 'extensionNumber', kind: 'int32' },
  ],
}

export interface ServerReflectionResponse {
  readonly validHost: string
  readonly originalRequest: ServerReflectionRequest | null
  readonly fileDescriptorResponse?: FileDescriptorResponse | null | undefined
  readonly allExtensionNumbersResponse?: ExtensionNumberResponse | null | undefined
  readonly listServicesResponse?: ListServiceResponse | null | undefined
  readonly errorResponse?: ErrorResponse | null | undefined
  readonly messageResponse?:
    'fileDescriptorResponse' | 'allExtensionNumbersResponse' | 'listServicesResponse' | 'errorResponse' | undefined
}

export const serverReflectionResponseType: MessageType<ServerReflectionResponse> = {
  name: 'grpc.reflection.v1.ServerReflectionResponse',
  create: () => ({ validHost: '', originalRequest: null }),
  fields: [
    { number: 1, name: 'validHost', kind: 'string' },
    { number: 2, name: 'originalRequest', kind: 'message', type: () => serverReflectionRequestType },
    {
      number: 4,
      name: 'fileDescriptorResponse',
      kind: 'message',
      type: () => fileDescriptorResponseType,
      presence: 'always',
      oneof: 'messageResponse',
    },
    {
      number: 5,
      name: 'allExtensionNumbersResponse',
      kind: 'message',
      type: () => extensionNumberResponseType,
      presence: 'always',
      oneof: 'messageResponse',
    },
    {
      number: 6,
      name: 'listServicesResponse',
      kind: 'message',
      type: () => listServiceResponseType,
      presence: 'always',
      oneof: 'messageResponse',
    },
    {
      number: 7,
      name: 'errorResponse',
      kind: 'message',
      type: () => errorResponseType,
      presence: 'always',
      oneof: 'messageResponse',
    },
  ],
}

export interface FileDescriptorResponse {
  readonly fileDescriptorProto: readonly Buffer[]
}

export const fileDescriptorResponseType: MessageType<FileDescriptorResponse> = {
  name: 'grpc.reflection.v1.FileDescriptorResponse',
  create: () => ({ fileDescriptorProto: NO_ITEMS }),
  fields: [{ number: 1, name: 'fileDescriptorProto', kind: 'bytes', repeated: true }],
}

export interface ExtensionNumberResponse {
  readonly baseTypeName: string
  readonly extensionNumber: readonly number[]
}

export const extensionNumberResponseType: MessageType<ExtensionNumberResponse> = {
  name: 'grpc.reflection.v1.ExtensionNumberResponse',
  create: () => ({ baseTypeName: '', extensionNumber: NO_ITEMS }),
  fields: [
    { number: 1, name: 'baseTypeName', kind: 'string' },
    { number: 2, name: 'extensionNumber', kind: 'int32', repeated: true },
  ],
}

export interface ListServiceResponse {
  readonly service: readonly ServiceResponse[]
}

export const listServiceResponseType: MessageType<ListServiceResponse> = {
  name: 'grpc.reflection.v1.ListServiceResponse',
  create: () => ({ service: NO_ITEMS }),
  fields: [{ number: 1, name: 'service', kind: 'message', type: () => serviceResponseType, repeated: true }],
}

export interface ServiceResponse {
  readonly name: string
}

export const serviceResponseType: MessageType<ServiceResponse> = {
  name: 'grpc.reflection.v1.ServiceResponse',
  create: () => ({ name: '' }),
  fields: [{ number: 1, name: 'name', kind: 'string' }],
}

export interface ErrorResponse {
  readonly errorCode: number
  readonly errorMessage: string
}

export const errorResponseType: MessageType<ErrorResponse> = {
  name: 'grpc.reflection.v1.ErrorResponse',
  create: () => ({ errorCode: 0, errorMessage: '' }),
  fields: [
    { number: 1, name: 'errorCode', kind: 'int32' },
    { number: 2, name: 'errorMessage', kind: 'string' },
  ],
}

export const serverReflectionService = {
  name: 'grpc.reflection.v1.ServerReflection',
  methods: {
    serverReflectionInfo: {
      name: 'ServerReflectionInfo',
      kind: 'bidi',
      request: serverReflectionRequestType,
      response: serverReflectionResponseType,
    },
  },
} as const satisfies Service
