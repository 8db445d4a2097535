// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type MessageType, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'
import * as googleProtobuf from './google-protobuf.ts'

export interface Status {
  readonly code: number
  readonly message: string
  readonly details: readonly googleProtobuf.Any[]
}

export const statusType: MessageType<Status> = {
  name: 'google.rpc.Status',
  create: () => ({ code: 0, message: '', details: NO_ITEMS }),
  fields: [
    { number: 1, name: 'code', kind: 'int32' },
    { number: 2, name: 'message', kind: 'string' },
    { number: 3, name: 'details', kind: 'message', type: () => googleProtobuf.anyType, repeated: true },
  ],
}

export interface ErrorInfo {
  readonly reason: string
  readonly domain: string
  readonly metadata: Readonly<Record<string, string>>
}

export const errorInfoType: MessageType<ErrorInfo> = {
  name: 'google.rpc.ErrorInfo',
  create: () => ({ reason: '', domain: '', metadata: NO_ENTRIES }),
  fields: [
    { number: 1, name: 'reason', kind: 'string' },
    { number: 2, name: 'domain', kind: 'string' },
    {
      number: 3,
      name: 'metadata',
      kind: 'map',
      entry: {
        name: 'google.rpc.ErrorInfo.metadata',
        create: () => ({ key: '', value: '' }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'string', presence: 'always' },
        ],
      },
    },
  ],
}
