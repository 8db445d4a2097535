// Written by proto/generate-types.ts from the .proto files. Do not edit.

export interface Struct {
  readonly fields: Readonly<Record<string, Value>>
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

export type NullValue = 'NULL_VALUE'

export interface ListValue {
  readonly values: readonly Value[]
}

export interface Any {
  readonly type_url: string
  readonly value: Buffer
}

export interface Empty {}

export interface DoubleValue {
  readonly value: number
}

export interface FloatValue {
  readonly value: number
}

export interface Int64Value {
  readonly value: number
}

export interface UInt64Value {
  readonly value: number
}

export interface Int32Value {
  readonly value: number
}

export interface UInt32Value {
  readonly value: number
}

export interface BoolValue {
  readonly value: boolean
}

export interface StringValue {
  readonly value: string
}

export interface BytesValue {
  readonly value: Buffer
}
