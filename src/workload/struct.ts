import type { JsonObject, JsonValue } from '../jws/strict-json.ts'
import type { Struct, Value } from '../wire/messages/google-protobuf.ts'
import type { Sent } from '../wire/service.ts'

/** The JSON object that a `google.protobuf.Struct` stands for. */
export function jsonOfStruct(struct: Struct): JsonObject {
  return Object.fromEntries(Object.entries(struct.fields).map(([name, value]) => [name, jsonOfValue(value)]))
}

function jsonOfValue(value: Value): JsonValue {
  switch (value.kind) {
    case 'numberValue':
      return value.numberValue ?? 0
    case 'stringValue':
      return value.stringValue ?? ''
    case 'boolValue':
      return value.boolValue ?? false
    case 'structValue':
      return jsonOfStruct(value.structValue ?? { fields: {} })
    case 'listValue':
      return (value.listValue?.values ?? []).map(jsonOfValue)
    default:
      return null
  }
}

/** JSON as `google.protobuf.Struct`. */
export function structOf(object: JsonObject): Sent<Struct> {
  const fields = Object.entries(object).map(([name, value]) => [name, valueOf(value ?? null)] as const)
  return { fields: Object.fromEntries(fields) }
}

function valueOf(value: JsonValue): Sent<Value> {
  if (value === null) return { nullValue: 'NULL_VALUE' }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (Array.isArray(value)) return { listValue: { values: (value as readonly JsonValue[]).map(valueOf) } }
  return { structValue: structOf(value as JsonObject) }
}
