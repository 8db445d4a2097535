import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadSync, type MessageTypeDefinition, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader'
import { checkText } from './check-text.ts'

/** How the messages of one method become bytes and back. */
export interface MethodCodec {
  /** `/service/Method` */
  readonly path: string
  encodeRequest(message: unknown): Buffer
  decodeRequest(bytes: Buffer): unknown
  encodeResponse(message: unknown): Buffer
  decodeResponse(bytes: Buffer): unknown
}

const loaderOptions = {
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: true,
} as const

const packages = new Map<string, PackageDefinition>()
const codecs = new Map<string, ReadonlyMap<string, MethodCodec>>()
let folder: string | undefined

/** Where the .proto files are: at the root of the source tree, or beside the bundle. */
export function protoFolder(): string {
  if (folder !== undefined) return folder
  const candidates = [join(import.meta.dirname, '../../proto'), join(import.meta.dirname, 'proto')]
  folder = candidates.find((candidate) => existsSync(join(candidate, 'spiffe/workload.proto')))
  if (folder === undefined) throw new TypeError(`No .proto files in ${candidates.join(' or ')}`)
  return folder
}

function load(protoFile: string): PackageDefinition {
  let definition = packages.get(protoFile)
  if (definition === undefined) {
    definition = loadSync(protoFile, { ...loaderOptions, includeDirs: [protoFolder()] })
    packages.set(protoFile, definition)
  }
  return definition
}

/** The codecs of a service by method name as on the wire. The file is read when it is first needed. */
export function codecsOf(service: {
  readonly name: string
  readonly protoFile: string
}): ReadonlyMap<string, MethodCodec> {
  const known = codecs.get(service.name)
  if (known !== undefined) return known
  const definition = load(service.protoFile)[service.name]
  if (definition === undefined) throw new TypeError(`${service.protoFile} defines no ${service.name}`)
  const methods = Object.values(definition as Record<string, MethodDefinition<object, object>>)
  const made = new Map(methods.map((method) => [method.path.slice(method.path.lastIndexOf('/') + 1), codecOf(method)]))
  codecs.set(service.name, made)
  return made
}

const codecOf = (method: MethodDefinition<object, object>): MethodCodec => ({
  path: method.path,
  encodeRequest: method.requestSerialize as (message: unknown) => Buffer,
  decodeRequest: (bytes) => checkText(method.requestDeserialize(bytes)),
  encodeResponse: method.responseSerialize as (message: unknown) => Buffer,
  decodeResponse: (bytes) => checkText(method.responseDeserialize(bytes)),
})

/** A message outside of a call: its file below `proto/`, its full name, and (for the compiler) its type. */
export interface MessageType<T> {
  readonly protoFile: string
  readonly name: string
  readonly message?: T
}

/** The bytes of a message, such as one inside of `google.protobuf.Any`. */
export function encodeMessage<T>(type: MessageType<T>, message: object): Buffer {
  return messageDefinition(type).serialize(message)
}

/** Reads a message; throws whatever the library throws on malformed bytes. */
export function decodeMessage<T>(type: MessageType<T>, bytes: Uint8Array): T {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return checkText(messageDefinition(type).deserialize(buffer)) as T
}

function messageDefinition(type: MessageType<unknown>): MessageTypeDefinition<object, object> {
  const definition = load(type.protoFile)[type.name]
  if (definition === undefined) throw new TypeError(`${type.protoFile} defines no ${type.name}`)
  return definition as MessageTypeDefinition<object, object>
}
