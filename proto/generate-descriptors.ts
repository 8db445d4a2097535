// Describes the .proto files to clients that ask for reflection: src/wire/messages/file-descriptors.ts.
import { relative } from 'node:path'
import protobuf from 'protobufjs'
import descriptor from 'protobufjs/ext/descriptor/index.js'
import { protoFolder } from './proto-folder.ts'

type Member = protobuf.Type | protobuf.Enum | protobuf.Service

/** The files whose services are offered where reflection is: on the workload socket and the broker endpoint. */
const reflected = [
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
  'sallyport/agent/v1/admin.proto',
  'sallyport/policy/v1/policy.proto',
  'spiffe/broker.proto',
  'spiffe/workload.proto',
]

/** The source of a table: by name of a file its dependencies, its symbols and its serialized FileDescriptorProto. */
export function descriptorsSource(root: protobuf.Root): string {
  const files = filesOf(root)
  const rows = [...withImports(reflected, files)].toSorted().map((name) => row(name, files.get(name) ?? []))
  return [
    '// Written by proto/generate-types.ts from the .proto files. Do not edit.',
    `import type { FileDescriptor } from '../file-descriptor.ts'`,
    '',
    'export const fileDescriptors: Readonly<Record<string, FileDescriptor>> = {',
    ...rows,
    '}',
  ].join('\n')
}

function filesOf(space: protobuf.NamespaceBase, files = new Map<string, Member[]>()): Map<string, Member[]> {
  for (const member of space.nestedArray) {
    if (member instanceof protobuf.Type || member instanceof protobuf.Enum || member instanceof protobuf.Service) {
      const name = fileName(member)
      files.set(name, [...(files.get(name) ?? []), member])
    } else if (member instanceof protobuf.Namespace) filesOf(member, files)
  }
  return files
}

/** As an import names it. */
function fileName(member: protobuf.ReflectionObject): string {
  const { filename } = member
  if (filename !== null && !filename.startsWith('google/protobuf/')) return relative(protoFolder, filename)
  const known = Object.keys(protobuf.common).find((file) => {
    const nested = protobuf.common.get(file)?.nested?.['google'] as protobuf.INamespace | undefined
    return (nested?.nested?.['protobuf'] as protobuf.INamespace | undefined)?.nested?.[member.name] !== undefined
  })
  if (known === undefined) throw new TypeError(`no file defines ${member.fullName}`)
  return known
}

function withImports(names: Iterable<string>, files: ReadonlyMap<string, readonly Member[]>): Set<string> {
  const all = new Set(names)
  for (const name of all) for (const other of dependenciesOf(name, files.get(name) ?? [])) all.add(other)
  return all
}

const dependenciesOf = (name: string, members: readonly Member[]): string[] =>
  [...new Set(members.flatMap(refersTo).map(topOf).map(fileName))].filter((other) => other !== name).toSorted()

function row(name: string, members: readonly Member[]): string {
  const dependencies = dependenciesOf(name, members)
  const symbols = members.map((member) => member.fullName.replace(/^\./, ''))
  const { FileDescriptorProto } = descriptor as unknown as { readonly FileDescriptorProto: protobuf.Type }
  const file = {
    name,
    package: members[0]?.parent?.fullName.replace(/^\./, '') ?? '',
    dependency: dependencies,
    messageType: members.filter((member) => member instanceof protobuf.Type).map(messageOf),
    enumType: members.filter((member) => member instanceof protobuf.Enum).map(enumOf),
    service: members.filter((member) => member instanceof protobuf.Service).map(serviceOf),
    syntax: 'proto3',
  }
  const bytes = Buffer.from(FileDescriptorProto.encode(FileDescriptorProto.fromObject(file)).finish())
  return `  '${name}': {
    dependencies: ${JSON.stringify(dependencies)},
    symbols: ${JSON.stringify(symbols)},
    base64: '${bytes.toString('base64')}',
  },`
}

// Not by the `toDescriptor` of protobufjs: it knows neither the names of map entries nor full names of types.

function messageOf(type: protobuf.Type): object {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField)
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => fieldOf(field, type)),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
    nestedType: [
      ...type.nestedArray.filter((member) => member instanceof protobuf.Type).map(messageOf),
      ...maps.map((field) => ({
        name: entryName(field),
        field: [
          { name: 'key', number: 1, label: OPTIONAL, type: scalars[field.keyType] },
          { name: 'value', number: 2, label: OPTIONAL, ...typeOf(field) },
        ],
        options: { mapEntry: true },
      })),
    ],
    enumType: type.nestedArray.filter((member) => member instanceof protobuf.Enum).map(enumOf),
  }
}

const OPTIONAL = 1
const REPEATED = 3
const MESSAGE = 11
const ENUM = 14
const scalars: Readonly<Record<string, number>> = {
  ...{ double: 1, float: 2, int64: 3, uint64: 4, int32: 5, fixed64: 6, fixed32: 7, bool: 8, string: 9 },
  ...{ bytes: 12, uint32: 13, sfixed32: 15, sfixed64: 16, sint32: 17, sint64: 18 },
}

function fieldOf(field: protobuf.Field, type: protobuf.Type): object {
  const { partOf } = field
  const isMap = field instanceof protobuf.MapField
  return {
    name: snakeCase(field.name),
    jsonName: protobuf.util.camelCase(field.name),
    number: field.id,
    label: isMap || field.repeated ? REPEATED : OPTIONAL,
    ...(isMap ? { type: MESSAGE, typeName: `${type.fullName}.${entryName(field)}` } : typeOf(field)),
    ...(partOf === null
      ? {}
      : { oneofIndex: type.oneofsArray.indexOf(partOf), proto3Optional: partOf.isProto3Optional }),
  }
}

function typeOf({ resolvedType, type }: protobuf.Field): object {
  if (resolvedType === null) return { type: scalars[type] }
  return { type: resolvedType instanceof protobuf.Enum ? ENUM : MESSAGE, typeName: resolvedType.fullName }
}

const enumOf = ({ name, values }: protobuf.Enum): object => ({
  name,
  value: Object.entries(values).map(([value, number]) => ({ name: value, number })),
})

const serviceOf = ({ name, methodsArray }: protobuf.Service): object => ({
  name,
  method: methodsArray.map((method) => ({
    name: method.name,
    inputType: method.resolvedRequestType?.fullName,
    outputType: method.resolvedResponseType?.fullName,
    clientStreaming: method.requestStream === true,
    serverStreaming: method.responseStream === true,
  })),
})

/** `federated_bundles` → `FederatedBundlesEntry` */
const entryName = ({ name }: protobuf.Field): string =>
  `_${snakeCase(name)}`.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase()) + 'Entry'

/** Google's own files come with names as JSON has them. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Every type that a member mentions. */
function refersTo(member: protobuf.ReflectionObject): protobuf.ReflectionObject[] {
  if (member instanceof protobuf.Service) {
    return member.methodsArray.flatMap((method) => [method.resolvedRequestType!, method.resolvedResponseType!])
  }
  if (!(member instanceof protobuf.Type)) return []
  return [
    ...member.fieldsArray.flatMap(({ resolvedType }) => resolvedType ?? []),
    ...member.nestedArray.flatMap(refersTo),
  ]
}

/** The type of a file that holds a nested one. */
function topOf(member: protobuf.ReflectionObject): protobuf.ReflectionObject {
  let top = member
  while (top.parent instanceof protobuf.Type) top = top.parent
  return top
}
