import type { JsonObject, JsonValue } from '../jws/strict-json.ts'
import type { Struct, Value } from '../wire/messages/google-protobuf.ts'

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
