// Writes src/wire/messages/*.ts from the .proto files: one file a package; of a message its interface and its fields, of a
// service its methods.
// Run `npm run proto` after a change of proto/; a test fails when the two differ.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { format } from 'prettier'
import { descriptorsSource } from './generate-descriptors.ts'
import { protoFolder } from './proto-folder.ts'

const targetFolder = join(protoFolder, '../src/wire/messages')

/** The generated sources by file name. */
export async function generateTypes(): Promise<Map<string, string>> {
  const root = loaded({ keepCase: false })
  const packages = new Map<string, protobuf.ReflectionObject[]>()
  collect(root, packages)
  const prettierOptions = JSON.parse(readFileSync(join(protoFolder, '../.prettierrc.json'), 'utf8')) as object
  const formatted = (source: string): Promise<string> => format(source, { ...prettierOptions, parser: 'typescript' })
  const sources = new Map<string, string>()
  for (const [name, members] of packages) {
    const source = sourceOf(
      name,
      members.toSorted((a, b) => rank(a) - rank(b)),
    )
    sources.set(fileOf(name), await formatted(source))
  }
  sources.set('file-descriptors.ts', await formatted(descriptorsSource(loaded({ keepCase: true }))))
  return sources
}

function loaded(options: { readonly keepCase: boolean }): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoFolder, target))
  const files = readdirSync(protoFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.proto'),
  )
  root.loadSync(files, options)
  root.resolveAll()
  return root
}

function collect(space: protobuf.NamespaceBase, packages: Map<string, protobuf.ReflectionObject[]>): void {
  for (const member of space.nestedArray) {
    if (member instanceof protobuf.Type || member instanceof protobuf.Enum || member instanceof protobuf.Service) {
      const name = packageOf(member)
      packages.set(name, [...(packages.get(name) ?? []), member])
      if (member instanceof protobuf.Type) collect(member, packages)
    } else if (member instanceof protobuf.Namespace) collect(member, packages)
  }
}

function packageOf(member: protobuf.ReflectionObject): string {
  let parent = member.parent
  while (parent instanceof protobuf.Type) parent = parent.parent
  return parent?.fullName.replace(/^\./, '') ?? ''
}

const fileOf = (packageName: string): string =>
  `${packageName === '' ? 'spiffe-workload' : packageName.replaceAll('.', '-')}.ts`

function localName(member: protobuf.ReflectionObject): string {
  const names = [member.name]
  for (let parent = member.parent; parent instanceof protobuf.Type; parent = parent.parent) names.unshift(parent.name)
  return names.map(wordCase).join('')
}

/** `FetchX509SVID` → `FetchX509Svid`: acronyms are words. */
const wordCase = (name: string): string =>
  name.replace(
    /SPIFFE|HTTPS|SVID|JWT|WIT|API|CA(?![a-z])|ID(?![a-z])/g,
    (acronym) => acronym[0] + acronym.slice(1).toLowerCase(),
  )
/** What others refer to comes first: enums, then messages, then services. */
const rank = (member: protobuf.ReflectionObject): number =>
  member instanceof protobuf.Enum ? 0 : member instanceof protobuf.Type ? 1 : 2
const lowerFirst = (name: string): string => name[0]!.toLowerCase() + name.slice(1)

/** What a source refers to in other files: types by their package, values by their name. */
interface References {
  /** The type of a message or enum. */
  type(member: protobuf.ReflectionObject): string
  /** The constant that describes it. */
  value(member: protobuf.ReflectionObject): string
  /** A constant of `message-type.ts`. */
  constant(name: string): string
}

function sourceOf(packageName: string, members: readonly protobuf.ReflectionObject[]): string {
  const imports = new Set<string>()
  const constants = new Set<string>()
  const of = (name: string, member: protobuf.ReflectionObject): string => {
    const other = packageOf(member)
    if (other === packageName) return name
    imports.add(other)
    return `${alias(other)}.${name}`
  }
  const references: References = {
    type: (member) => of(localName(member), member),
    value: (member) => of(valueName(member), member),
    constant: (name) => (constants.add(name), name),
  }
  const body = members.flatMap((member) => {
    if (member instanceof protobuf.Type) return [interfaceSource(member, references), typeSource(member, references)]
    if (member instanceof protobuf.Enum) return enumSource(member, references)
    return serviceSource(member as protobuf.Service, references)
  })
  const types = [
    ...(members.some((member) => member instanceof protobuf.Enum) ? ['type EnumNumbers'] : []),
    ...(members.some((member) => member instanceof protobuf.Type) ? ['type MessageType'] : []),
  ]
  const hasService = members.some((member) => member instanceof protobuf.Service)
  return [
    '// Written by proto/generate-types.ts from the .proto files. Do not edit.',
    `import { ${[...types, ...[...constants].toSorted()].join(', ')} } from '../message-type.ts'`,
    ...(hasService ? [`import type { Service } from '../service.ts'`] : []),
    ...[...imports].toSorted().map((name) => `import * as ${alias(name)} from './${fileOf(name)}'`),
    '',
    ...body,
  ].join('\n')
}

const valueName = (member: protobuf.ReflectionObject): string =>
  `${lowerFirst(localName(member))}${member instanceof protobuf.Enum ? 'Numbers' : 'Type'}`

const alias = (packageName: string): string =>
  packageName.replace(/\W(\w)/g, (_all, letter: string) => letter.toUpperCase())

function interfaceSource(type: protobuf.Type, references: References): string {
  const fields = type.fieldsArray.map((field) => {
    const inOneof = field.partOf !== null && !field.partOf.isProto3Optional
    const optional = inOneof || field.partOf?.isProto3Optional === true
    return `  readonly ${field.name}${optional ? '?' : ''}: ${fieldType(field, references)}${optional ? ' | undefined' : ''}`
  })
  const oneofs = type.oneofsArray.filter((oneof) => !oneof.isProto3Optional)
  const choices = oneofs.map(
    (oneof) =>
      `  readonly ${oneof.name}?: ${oneof.fieldsArray.map((field) => `'${field.name}'`).join(' | ')} | undefined`,
  )
  return `export interface ${localName(type)} {\n${[...fields, ...choices].join('\n')}\n}\n`
}

function fieldType(field: protobuf.Field, references: References): string {
  const single = scalarType(field.type) ?? references.type(field.resolvedType!)
  if (field instanceof protobuf.MapField) return `Readonly<Record<string, ${single}>>`
  if (field.repeated) return `readonly ${single}[]`
  return field.resolvedType instanceof protobuf.Type ? `${single} | null` : single
}

function scalarType(type: string): string | undefined {
  if (type === 'string') return 'string'
  if (type === 'bytes') return 'Buffer'
  if (type === 'bool') return 'boolean'
  return /^(u?int|s?fixed|sint|float|double)/.test(type) ? 'number' : undefined
}

const enumSource = (member: protobuf.Enum, references: References): string => {
  const names = Object.keys(member.values).map((name) => `'${name}'`)
  const numbers = Object.entries(member.values).map(([name, value]) => `  ${name}: ${value},`)
  return [
    `export type ${references.type(member)} = ${names.join(' | ')}\n`,
    `export const ${references.value(member)}: EnumNumbers = {\n${numbers.join('\n')}\n}\n`,
  ].join('\n')
}

function typeSource(type: protobuf.Type, references: References): string {
  const fields = type.fieldsArray.toSorted((a, b) => a.id - b.id)
  const initial = fields.filter((field) => field.partOf === null).map((field) => initialSource(field, references))
  return [
    `export const ${references.value(type)}: MessageType<${references.type(type)}> = {`,
    `  name: '${type.fullName.replace(/^\./, '')}',`,
    `  create: () => ({ ${initial.join(', ')} }),`,
    `  fields: [${fields.map((field) => fieldSource(field, references)).join(', ')}],`,
    `}\n`,
  ].join('\n')
}

const initialSource = (field: protobuf.Field, references: References): string =>
  `${field.name}: ${field instanceof protobuf.MapField ? references.constant('NO_ENTRIES') : field.repeated ? references.constant('NO_ITEMS') : initialValue(field, references)}`

/** What a single value is when it was not sent. */
function initialValue(field: protobuf.Field | protobuf.MapField, references: References): string {
  if (field.resolvedType instanceof protobuf.Type) return 'null'
  if (field.resolvedType instanceof protobuf.Enum) return `'${Object.keys(field.resolvedType.values)[0]}'`
  if (field.type === 'string') return `''`
  if (field.type === 'bytes') return references.constant('NO_BYTES')
  return field.type === 'bool' ? 'false' : '0'
}

function fieldSource(field: protobuf.Field, references: References): string {
  const inOneof = field.partOf !== null && !field.partOf.isProto3Optional
  const parts = [
    `number: ${field.id}`,
    `name: '${field.name}'`,
    field instanceof protobuf.MapField ? entrySource(field, references) : kindSource(field, references),
    ...(field.repeated ? ['repeated: true'] : []),
    ...(field.partOf === null ? [] : [`presence: 'always'`]),
    ...(inOneof ? [`oneof: '${field.partOf!.name}'`] : []),
  ]
  return `{ ${parts.join(', ')} }`
}

const entrySource = (field: protobuf.MapField, references: References): string => {
  if (field.keyType !== 'string') throw new TypeError(`${field.fullName}: only strings are keys`)
  const value = `{ number: 2, name: 'value', ${kindSource(field, references)}, presence: 'always' }`
  return `kind: 'map', entry: {
    name: '${field.fullName.replace(/^\./, '')}',
    create: () => ({ key: '', value: ${entryInitialValue(field, references)} }),
    fields: [{ number: 1, name: 'key', kind: 'string', presence: 'always' }, ${value}],
  }`
}

/** A message that was left out of a map's entry is an empty one. */
const entryInitialValue = (field: protobuf.MapField, references: References): string =>
  field.resolvedType instanceof protobuf.Type
    ? `${references.value(field.resolvedType)}.create()`
    : initialValue(field, references)

const kinds = new Set(['string', 'bytes', 'bool', 'int32', 'uint32', 'int64', 'uint64', 'double', 'float'])

function kindSource(field: protobuf.Field | protobuf.MapField, references: References): string {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Enum) return `kind: 'enum', values: ${references.value(resolvedType)}`
  if (resolvedType instanceof protobuf.Type) return `kind: 'message', type: () => ${references.value(resolvedType)}`
  if (!kinds.has(field.type)) throw new TypeError(`${field.fullName}: src/wire reads no ${field.type}`)
  return `kind: '${field.type}'`
}

function serviceSource(service: protobuf.Service, references: References): string {
  const methods = service.methodsArray.map((method) => {
    const kind = method.requestStream
      ? method.responseStream
        ? 'bidi'
        : 'clientStream'
      : method.responseStream
        ? 'serverStream'
        : 'unary'
    const request = references.value(method.resolvedRequestType!)
    const response = references.value(method.resolvedResponseType!)
    return `${lowerFirst(wordCase(method.name))}: { name: '${method.name}', kind: '${kind}', request: ${request}, response: ${response} },`
  })
  const name = service.fullName.replace(/^\./, '')
  return `export const ${lowerFirst(wordCase(service.name))}Service = {
    name: '${name}',
    methods: { ${methods.join('\n')} },
  } as const satisfies Service\n`
}

if (import.meta.main) {
  rmSync(targetFolder, { recursive: true, force: true })
  mkdirSync(targetFolder, { recursive: true })
  for (const [file, source] of await generateTypes()) writeFileSync(join(targetFolder, file), source)
}
