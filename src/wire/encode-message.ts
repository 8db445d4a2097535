import { ByteWriter } from './byte-writer.ts'
import { type Field, type MessageType, type ScalarKind, wireTypeOf, wireTypes } from './message-type.ts'

const writer = new ByteWriter()
const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1
const UINT32_MAX = 2 ** 32 - 1

/**
 * The bytes of a message; what it does not have, or has as `null`, has its default value. The same message always gives the same bytes.
 *
 * @throws {TypeError} for a value that its field cannot hold, which is a mistake of the program
 */
export function encodeMessage<T>(type: MessageType<T>, message: object): Buffer {
  try {
    writeFields(type, message as Readonly<Record<string, unknown>>)
    return writer.finish()
  } catch (error) {
    writer.clear()
    throw error
  }
}

function writeFields(type: MessageType<unknown>, message: Readonly<Record<string, unknown>>): void {
  for (const field of type.fields) {
    const value = message[field.name]
    if (value === undefined || value === null) continue
    if (field.repeated === true) writeList(type, field, value)
    else if (field.kind === 'map') writeMap(type, field, value)
    else if (field.presence === 'always' || !isDefault(field, value)) {
      writer.tag(field.number, wireTypeOf(field))
      writeValue(type, field, value)
    }
  }
}

function writeList(type: MessageType<unknown>, field: Field, value: unknown): void {
  if (!Array.isArray(value)) throw wrong(type, field, 'is no list')
  if (value.length === 0) return
  const wireType = wireTypeOf(field)
  if (wireType === wireTypes.bytes) {
    for (const item of value) {
      writer.tag(field.number, wireType)
      writeValue(type, field, item)
    }
    return
  }
  writer.tag(field.number, wireTypes.bytes)
  writer.delimited(() => {
    for (const item of value) writeValue(type, field, item)
  })
}

function writeMap(type: MessageType<unknown>, field: Field & { readonly kind: 'map' }, value: unknown): void {
  if (typeof value !== 'object') throw wrong(type, field, 'is no object')
  for (const [key, item] of Object.entries(value as object)) {
    writer.tag(field.number, wireTypes.bytes)
    writer.delimited(() => writeFields(field.entry, { key, value: item as unknown }))
  }
}

function writeValue(type: MessageType<unknown>, field: Field, value: unknown): void {
  switch (field.kind) {
    case 'string':
      if (typeof value !== 'string') throw wrong(type, field, 'is no string')
      writer.string(value)
      return
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw wrong(type, field, 'is no Uint8Array')
      writer.bytes(value)
      return
    case 'message': {
      if (typeof value !== 'object' || value === null) throw wrong(type, field, 'is no object')
      const nested = field.type()
      writer.delimited(() => writeFields(nested, value as Readonly<Record<string, unknown>>))
      return
    }
    case 'enum': {
      const number = typeof value === 'string' ? field.values[value] : value
      if (typeof number !== 'number') throw wrong(type, field, `has no value ${String(value)}`)
      writer.varint(number)
      return
    }
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(type, field, 'is no boolean')
      writer.varint(value ? 1 : 0)
      return
    case 'map':
      throw wrong(type, field, 'is a map')
    default:
      writeNumber(type, field, field.kind, value)
  }
}

function writeNumber(type: MessageType<unknown>, field: Field, kind: ScalarKind, value: unknown): void {
  if (typeof value !== 'number' || !fits(kind, value)) throw wrong(type, field, `cannot hold ${String(value)}`)
  if (kind === 'double') writer.double(value)
  else if (kind === 'float') writer.float(value)
  else writer.varint(value)
}

function fits(kind: ScalarKind, value: number): boolean {
  switch (kind) {
    case 'int32':
      return Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX
    case 'uint32':
      return Number.isInteger(value) && value >= 0 && value <= UINT32_MAX
    case 'int64':
      return Number.isSafeInteger(value)
    case 'uint64':
      return Number.isSafeInteger(value) && value >= 0
    default:
      return true
  }
}

function isDefault(field: Field, value: unknown): boolean {
  switch (field.kind) {
    case 'message':
      return false
    case 'bytes':
      return value instanceof Uint8Array && value.length === 0
    case 'enum':
      return value === 0 || (typeof value === 'string' && field.values[value] === 0)
    default:
      // Minus zero is not the default of a double.
      return value === '' || value === false || Object.is(value, 0)
  }
}

const wrong = (type: MessageType<unknown>, field: Field, why: string): TypeError =>
  new TypeError(`Cannot encode ${type.name}: ${field.name} ${why}`)
