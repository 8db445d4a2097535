import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { generateTypes } from '../../../proto/generate-types.ts'
import { protoFolder } from '../../../proto/proto-folder.ts'

interface FieldRow {
  readonly number: number
  readonly name: string
  readonly type: string
  readonly repeated?: boolean
  readonly optional?: boolean
  readonly oneof?: string
}
interface MethodRow {
  readonly request: string
  readonly response: string
  readonly requestStream?: boolean
  readonly responseStream?: boolean
}
interface Tables {
  readonly messages: Readonly<Record<string, readonly FieldRow[]>>
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly services: Readonly<Record<string, Readonly<Record<string, MethodRow>>>>
}

const vectors = join(import.meta.dirname, '../../vectors/wire')
const readTables = (name: string): Tables => JSON.parse(readFileSync(join(vectors, name), 'utf8')) as Tables

const root = new protobuf.Root()
root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoFolder, target))
const protoFiles = readdirSync(protoFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.proto'),
)
root.loadSync(protoFiles, { keepCase: true })
root.resolveAll()

const nameOf = (member: protobuf.ReflectionObject | null): string => member?.fullName.replace(/^\./, '') ?? ''

function rowOf(field: protobuf.Field): FieldRow {
  const single = field.resolvedType === null ? field.type : nameOf(field.resolvedType)
  const isOptional = field.partOf?.isProto3Optional === true
  return {
    number: field.id,
    name: field.name,
    type: field instanceof protobuf.MapField ? `map<${field.keyType},${single}>` : single,
    ...(field.repeated ? { repeated: true } : {}),
    ...(isOptional ? { optional: true } : {}),
    ...(field.partOf === null || isOptional ? {} : { oneof: field.partOf.name }),
  }
}

function methodOf(method: protobuf.Method): MethodRow {
  return {
    request: nameOf(method.resolvedRequestType),
    response: nameOf(method.resolvedResponseType),
    ...(method.requestStream === true ? { requestStream: true } : {}),
    ...(method.responseStream === true ? { responseStream: true } : {}),
  }
}

const withoutNotes = ({ number, name, type, repeated, optional, oneof }: FieldRow): FieldRow => ({
  number,
  name,
  type,
  ...(repeated === true ? { repeated } : {}),
  ...(optional === true ? { optional } : {}),
  ...(oneof === undefined ? {} : { oneof }),
})

const byNumber = (a: FieldRow, b: FieldRow): number => a.number - b.number
const isOurs = (name: string): boolean => !name.startsWith('google.')

describe.for(['spiffe-workload-api.json', 'spiffe-broker-api.json', 'spire-api.json'])('the wire as in %s', (file) => {
  const tables = readTables(file)

  test.for(Object.entries(tables.messages).filter(([name]) => isOurs(name)))('message %s', ([name, rows]) => {
    const fields = root.lookupType(name).fieldsArray.map(rowOf).toSorted(byNumber)
    expect(fields).toEqual(rows.map(withoutNotes).toSorted(byNumber))
  })

  test.for(Object.entries(tables.enums))('enum %s', ([name, values]) => {
    expect(root.lookupEnum(name).values).toEqual(values)
  })

  test.for(Object.entries(tables.services))('WE-24 WE-23 BE-13 BA-11 service %s', ([name, methods]) => {
    const service = root.lookupService(name)
    expect(Object.fromEntries(service.methodsArray.map((method) => [method.name, methodOf(method)]))).toEqual(methods)
  })
})

test('src/wire/messages is what proto/generate-types.ts writes', async () => {
  const folder = join(import.meta.dirname, '../../../src/wire/messages')
  const written = await generateTypes()
  expect(readdirSync(folder).toSorted()).toEqual([...written.keys()].toSorted())
  for (const [name, source] of written) expect(readFileSync(join(folder, name), 'utf8')).toBe(source)
})
