// Written by proto/generate-types.ts from the .proto files. Do not edit.
import { type EnumNumbers, type MessageType, NO_BYTES, NO_ENTRIES, NO_ITEMS } from '../message-type.ts'

export type NullValue = 'NULL_VALUE'

export const nullValueNumbers: EnumNumbers = {
  NULL_VALUE: 0,
}

export interface Any {
  readonly type_url: string
  readonly value: Buffer
}

export const anyType: MessageType<Any> = {
  name: 'google.protobuf.Any',
  create: () => ({ type_url: '', value: NO_BYTES }),
  fields: [
    { number: 1, name: 'type_url', kind: 'string' },
    { number: 2, name: 'value', kind: 'bytes' },
  ],
}

export interface Struct {
  readonly fields: Readonly<Record<string, Value>>
}

export const structType: MessageType<Struct> = {
  name: 'google.protobuf.Struct',
  create: () => ({ fields: NO_ENTRIES }),
  fields: [
    {
      number: 1,
      name: 'fields',
      kind: 'map',
      entry: {
        name: 'google.protobuf.Struct.fields',
        create: () => ({ key: '', value: valueType.create() }),
        fields: [
          { number: 1, name: 'key', kind: 'string', presence: 'always' },
          { number: 2, name: 'value', kind: 'message', type: () => valueType, presence: 'always' },
        ],
      },
    },
  ],
}

export interface Value {
  readonly nullValue?: NullValue | undefined
  readonly numberValue?: number | undefined
  readonly stringValue?: string | undefined
  readonly boolValue?: boolean | undefined
  readonly structValue?: Struct | null | undefined
  readonly listValue?: ListValue | null | undefined
  readonly kind?: 'nullValue' | 'numberValue' | 'stringValue' | 'boolValue' | 'structValue' | 'listValue' | undefined
}

export const valueType: MessageType<Value> = {
  name: 'google.protobuf.Value',
  create: () => ({}),
  fields: [
    { number: 1, name: 'nullValue', kind: 'enum', values: nullValueNumbers, presence: 'always', oneof: 'kind' },
    { number: 2, name: 'numberValue', kind: 'double', presence: 'always', oneof: 'kind' },
    { number: 3, name: 'stringValue', kind: 'string', presence: 'always', oneof: 'kind' },
    { number: 4, name: 'boolValue', kind: 'bool', presence: 'always', oneof: 'kind' },
    { number: 5, name: 'structValue', kind: 'message', type: () => structType, presence: 'always', oneof: 'kind' },
    { number: 6, name: 'listValue', kind: 'message', type: () => listValueType, presence: 'always', oneof: 'kind' },
  ],
}

export interface ListValue {
  readonly values: readonly Value[]
}

export const listValueType: MessageType<ListValue> = {
  name: 'google.protobuf.ListValue',
  create: () => ({ values: NO_ITEMS }),
  fields: [{ number: 1, name: 'values', kind: 'message', type: () => valueType, repeated: true }],
}

export interface Empty {}

export const emptyType: MessageType<Empty> = {
  name: 'google.protobuf.Empty',
  create: () => ({}),
  fields: [],
}

export interface DoubleValue {
  readonly value: number
}

export const doubleValueType: MessageType<DoubleValue> = {
  name: 'google.protobuf.DoubleValue',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'double' }],
}

export interface FloatValue {
  readonly value: number
}

export const floatValueType: MessageType<FloatValue> = {
  name: 'google.protobuf.FloatValue',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'float' }],
}

export interface Int64Value {
  readonly value: number
}

export const int64ValueType: MessageType<Int64Value> = {
  name: 'google.protobuf.Int64Value',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'int64' }],
}

export interface UInt64Value {
  readonly value: number
}

export const uInt64ValueType: MessageType<UInt64Value> = {
  name: 'google.protobuf.UInt64Value',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'uint64' }],
}

export interface Int32Value {
  readonly value: number
}

export const int32ValueType: MessageType<Int32Value> = {
  name: 'google.protobuf.Int32Value',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'int32' }],
}

export interface UInt32Value {
  readonly value: number
}

export const uInt32ValueType: MessageType<UInt32Value> = {
  name: 'google.protobuf.UInt32Value',
  create: () => ({ value: 0 }),
  fields: [{ number: 1, name: 'value', kind: 'uint32' }],
}

export interface BoolValue {
  readonly value: boolean
}

export const boolValueType: MessageType<BoolValue> = {
  name: 'google.protobuf.BoolValue',
  create: () => ({ value: false }),
  fields: [{ number: 1, name: 'value', kind: 'bool' }],
}

export interface StringValue {
  readonly value: string
}

export const stringValueType: MessageType<StringValue> = {
  name: 'google.protobuf.StringValue',
  create: () => ({ value: '' }),
  fields: [{ number: 1, name: 'value', kind: 'string' }],
}

export interface BytesValue {
  readonly value: Buffer
}

export const bytesValueType: MessageType<BytesValue> = {
  name: 'google.protobuf.BytesValue',
  create: () => ({ value: NO_BYTES }),
  fields: [{ number: 1, name: 'value', kind: 'bytes' }],
}
