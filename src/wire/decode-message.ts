import { ByteReader, NESTING_MAX } from './byte-reader.ts'
import {
  type EnumNumbers,
  type Field,
  type MapEntry,
  type MessageType,
  NO_ENTRIES,
  NO_ITEMS,
  wireTypeOf,
  wireTypes,
} from './message-type.ts'

/** A message while it is read. */
type Draft = Record<string, unknown>

/**
 * Reads a message. What was not sent has its default value: `null` for a message, the first name for an enum; members of a oneof
 * are there only when they were sent, and the oneof's own name then says which. An enum's number without a name stays a number.
 *
 * @throws {RangeError} for whoever reads to turn into its own error
 */
export function decodeMessage<T>(type: MessageType<T>, bytes: Uint8Array): T {
  const reader = new ByteReader(bytes)
  const message = type.create()
  readInto(reader, type, message as Draft, reader.size, 0)
  return message
}

function readInto(reader: ByteReader, type: MessageType<unknown>, draft: Draft, end: number, depth: number): void {
  if (depth > NESTING_MAX) throw new RangeError('Messages are nested too deeply')
  const { fields } = type
  // Fields mostly arrive in order: the next one is here or right after.
  let place = 0
  while (reader.at < end) {
    const tag = reader.uint32()
    const number = tag >>> 3
    if (number === 0) throw new RangeError('A field has the number 0')
    if (fields[place]?.number !== number) {
      place = fields[place + 1]?.number === number ? place + 1 : fields.findIndex((one) => one.number === number)
    }
    const field = fields[place]
    if (field === undefined) {
      place = 0
      reader.skip(tag & 7, end)
    } else readField(reader, field, tag & 7, draft, end, depth)
  }
  if (reader.at !== end) throw new RangeError('A part goes past the end of what holds it')
}

function readField(reader: ByteReader, field: Field, wireType: number, draft: Draft, end: number, depth: number): void {
  const expected = wireTypeOf(field)
  if (field.repeated === true && wireType === wireTypes.bytes && expected !== wireTypes.bytes) {
    const packedEnd = reader.delimitedEnd(end)
    const list = ownList(draft, field.name)
    while (reader.at < packedEnd) list.push(readValue(reader, field, packedEnd, depth))
    if (reader.at !== packedEnd) throw new RangeError('A list goes past its end')
  } else if (wireType !== expected) reader.skip(wireType, end)
  else if (field.repeated === true) ownList(draft, field.name).push(readValue(reader, field, end, depth))
  else if (field.kind === 'map') readEntry(reader, field, draft, end, depth)
  else if (field.oneof === undefined) draft[field.name] = readValue(reader, field, end, depth, draft[field.name])
  else {
    const before = draft[field.oneof] as string | undefined
    if (before !== undefined && before !== field.name) Reflect.deleteProperty(draft, before)
    draft[field.name] = readValue(reader, field, end, depth, draft[field.name])
    draft[field.oneof] = field.name
  }
}

/** One value; a message that was begun before is continued, as Protocol Buffers ask. */
function readValue(reader: ByteReader, field: Field, end: number, depth: number, before?: unknown): unknown {
  switch (field.kind) {
    case 'string':
      return reader.string(end)
    case 'bytes':
      return reader.bytes(end)
    case 'message':
      return readNested(reader, field.type(), end, depth, before)
    case 'enum':
      return nameOf(field.values, reader.int32())
    case 'map':
      throw new TypeError(`${field.name} is a map`)
    default:
      return reader[field.kind]()
  }
}

function readNested(
  reader: ByteReader,
  type: MessageType<unknown>,
  end: number,
  depth: number,
  before: unknown,
): unknown {
  const message = before ?? type.create()
  readInto(reader, type, message as Draft, reader.delimitedEnd(end), depth + 1)
  return message
}

function readEntry(
  reader: ByteReader,
  field: Field & { readonly kind: 'map' },
  draft: Draft,
  end: number,
  depth: number,
): void {
  const { key, value } = readNested(reader, field.entry, end, depth, undefined) as MapEntry
  if (draft[field.name] === NO_ENTRIES) draft[field.name] = {}
  // Assigned, a key of `__proto__` would not become a property.
  const property = { value, writable: true, enumerable: true, configurable: true }
  Object.defineProperty(draft[field.name], key, property)
}

/** The list of a field, which until its first item is the one that all messages share. */
function ownList(draft: Draft, name: string): unknown[] {
  const known = draft[name]
  if (known !== NO_ITEMS) return known as unknown[]
  const list: unknown[] = []
  draft[name] = list
  return list
}

const names = new WeakMap<EnumNumbers, ReadonlyMap<number, string>>()

function nameOf(values: EnumNumbers, number: number): string | number {
  let known = names.get(values)
  if (known === undefined) {
    known = new Map(Object.entries(values).map(([name, value]) => [value, name]))
    names.set(values, known)
  }
  return known.get(number) ?? number
}
