import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { protoFolder } from '../../../proto/proto-folder.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import type { Field, MessageType } from '../../../src/wire/message-type.ts'

type Fields = Readonly<Record<string, unknown>>

const root = new protobuf.Root()
root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoFolder, target))
root.loadSync(readdirSync(protoFolder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.proto')))

const messages = join(import.meta.dirname, '../../../src/wire/messages')
const modules = await Promise.all(
  readdirSync(messages).map((file) => import(join(messages, file)) as Promise<Readonly<Record<string, unknown>>>),
)
const types = modules
  .flatMap((module) => Object.entries(module))
  .filter(([name]) => name.endsWith('Type'))
  .map(([, type]) => type as MessageType<Fields>)

const DEPTH = 3

function valuesOf(field: Field, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 20 })
    case 'bytes':
      return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    case 'bool':
      return fc.boolean()
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.nat(2 ** 32 - 1)
    case 'int64':
      return fc.maxSafeInteger()
    case 'uint64':
      return fc.maxSafeNat()
    case 'double':
      return fc.double()
    case 'float':
      return fc.float()
    case 'enum':
      return fc.constantFrom(...Object.keys(field.values))
    case 'message':
      return messagesOf(field.type() as MessageType<Fields>, depth + 1)
    case 'map':
      return fc.dictionary(fc.string({ maxLength: 8 }), valuesOf(field.entry.fields[1]!, depth + 1), { maxKeys: 3 })
  }
}

/** Messages with any of their fields, at most one of each oneof. */
function messagesOf(type: MessageType<Fields>, depth: number): fc.Arbitrary<Fields> {
  const nested = ({ kind, repeated }: Field): boolean => kind === 'message' || kind === 'map' || repeated === true
  const usable = type.fields.filter((field) => depth < DEPTH || !nested(field))
  const model = Object.fromEntries(
    usable.map((field) => [
      field.name,
      field.repeated === true ? fc.array(valuesOf(field, depth), { maxLength: 4 }) : valuesOf(field, depth),
    ]),
  )
  return fc.record(model, { requiredKeys: [] }).map((message) => {
    const taken = new Set<string>()
    const kept = usable.filter(({ name, oneof }) => {
      if (!(name in message) || oneof === undefined) return name in message
      return taken.size < taken.add(oneof).size
    })
    return Object.fromEntries(kept.map(({ name }) => [name, message[name]]))
  })
}

/** As `decodeMessage` gives it, by a library that others wrote. */
function readByLibrary(library: protobuf.Type, bytes: Uint8Array): unknown {
  const message = library.decode(bytes)
  return library.toObject(message, { longs: Number, enums: String, defaults: true, oneofs: true })
}

describe('what we write and read is what a library of others writes and reads', () => {
  test.for(types.map((type) => [type.name, type] as const))('%s', ([name, type]) => {
    const library = root.lookupType(name)
    const property = fc.property(messagesOf(type, 0), (message) => {
      const bytes = encodeMessage(type, message)
      const read = decodeMessage(type, bytes)
      expect(read).toEqual(withoutPresence(readByLibrary(library, bytes)))
      expect(decodeMessage(type, library.encode(library.fromObject(message)).finish())).toEqual(read)
      expect(encodeMessage(type, read)).toEqual(bytes)
    })
    fc.assert(property, { numRuns: 30 })
  })
})

/** Without the library's names for the presence of single fields, `_name`. */
function withoutPresence(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPresence)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  const entries = Object.entries(value).filter(([name, item]) => item !== name.slice(1) || !name.startsWith('_'))
  return Object.fromEntries(entries.map(([name, item]) => [name, withoutPresence(item)]))
}

test('a message that comes in two parts is one message, as Protocol Buffers ask', () => {
  const type = types.find(({ name }) => name === 'spire.api.types.Entry')!
  const library = root.lookupType('spire.api.types.Entry')
  const part = (spiffeId: object): Uint8Array => library.encode(library.fromObject({ spiffeId })).finish()
  const both = Buffer.concat([part({ trustDomain: 'example.org' }), part({ path: '/a' })])
  expect(decodeMessage(type, both)['spiffeId']).toEqual({ trustDomain: 'example.org', path: '/a' })
})

test('of a oneof the last one that came counts', () => {
  const type = types.find(({ name }) => name === 'sallyport.sync.v1.AgentMessage')!
  const members = type.fields.filter(({ oneof }) => oneof !== undefined)
  const [first, second] = members.map(({ name }) => encodeMessage(type, { [name]: {} }))
  const read = decodeMessage(type, Buffer.concat([first!, second!]))
  expect(Object.keys(read).toSorted()).toEqual(['message', members[1]!.name].toSorted())
})
