// Writes src/wire/messages/*.ts from the .proto files: one file a package, an interface a message, a definition a service.
// Run `npm run proto` after a change of proto/; a test fails when the two differ.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { format } from 'prettier'

const protoFolder = import.meta.dirname
const targetFolder = join(protoFolder, '../src/wire/messages')

/** The generated sources by file name. */
export async function generateTypes(): Promise<Map<string, string>> {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoFolder, target))
  const files = readdirSync(protoFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.proto'),
  )
  root.loadSync(files, { keepCase: false })
  root.resolveAll()
  const packages = new Map<string, protobuf.ReflectionObject[]>()
  collect(root, packages)
  const prettierOptions = JSON.parse(readFileSync(join(protoFolder, '../.prettierrc.json'), 'utf8')) as object
  const sources = new Map<string, string>()
  for (const [name, members] of packages) {
    sources.set(fileOf(name), await format(sourceOf(name, members), { ...prettierOptions, parser: 'typescript' }))
  }
  return sources
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
const lowerFirst = (name: string): string => name[0]!.toLowerCase() + name.slice(1)

function sourceOf(packageName: string, members: readonly protobuf.ReflectionObject[]): string {
  const imports = new Set<string>()
  const reference = (member: protobuf.ReflectionObject): string => {
    const other = packageOf(member)
    if (other === packageName) return localName(member)
    imports.add(other)
    return `${alias(other)}.${localName(member)}`
  }
  const body = members.map((member) => {
    if (member instanceof protobuf.Type) return messageSource(member, reference)
    if (member instanceof protobuf.Enum) {
      return `export type ${localName(member)} = ${Object.keys(member.values)
        .map((value) => `'${value}'`)
        .join(' | ')}\n`
    }
    return serviceSource(member as protobuf.Service, reference)
  })
  const hasService = members.some((member) => member instanceof protobuf.Service)
  return [
    '// Written by proto/generate-types.ts from the .proto files. Do not edit.',
    ...(hasService ? [`import { defineService, type Method } from '../service.ts'`] : []),
    ...[...imports].toSorted().map((name) => `import type * as ${alias(name)} from './${fileOf(name)}'`),
    '',
    ...body,
  ].join('\n')
}

const alias = (packageName: string): string =>
  packageName.replace(/\W(\w)/g, (_all, letter: string) => letter.toUpperCase())

function messageSource(type: protobuf.Type, reference: (member: protobuf.ReflectionObject) => string): string {
  const fields = type.fieldsArray.map((field) => {
    const inOneof = field.partOf !== null && !field.partOf.isProto3Optional
    const optional = inOneof || field.partOf?.isProto3Optional === true
    return `  readonly ${field.name}${optional ? '?' : ''}: ${fieldType(field, reference)}${optional ? ' | undefined' : ''}`
  })
  const oneofs = type.oneofsArray.filter((oneof) => !oneof.isProto3Optional)
  const choices = oneofs.map(
    (oneof) =>
      `  readonly ${oneof.name}?: ${oneof.fieldsArray.map((field) => `'${field.name}'`).join(' | ')} | undefined`,
  )
  return `export interface ${localName(type)} {\n${[...fields, ...choices].join('\n')}\n}\n`
}

function fieldType(field: protobuf.Field, reference: (member: protobuf.ReflectionObject) => string): string {
  const single = scalarType(field.type) ?? reference(field.resolvedType!)
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

function serviceSource(service: protobuf.Service, reference: (member: protobuf.ReflectionObject) => string): string {
  const fullName = service.fullName.replace(/^\./, '')
  const methods = service.methodsArray.map((method) => {
    const kind = method.requestStream
      ? method.responseStream
        ? 'bidi'
        : 'clientStream'
      : method.responseStream
        ? 'serverStream'
        : 'unary'
    const types = `${reference(method.resolvedRequestType!)}, ${reference(method.resolvedResponseType!)}`
    return `  ${lowerFirst(wordCase(method.name))}: { name: '${method.name}', kind: '${kind}' } as Method<'${kind}', ${types}>,`
  })
  const protoFile = service.filename!.slice(protoFolder.length + 1)
  return `export const ${lowerFirst(wordCase(service.name))}Service = defineService('${fullName}', '${protoFile}', {\n${methods.join('\n')}\n})\n`
}

if (import.meta.main) {
  rmSync(targetFolder, { recursive: true, force: true })
  mkdirSync(targetFolder, { recursive: true })
  for (const [file, source] of await generateTypes()) writeFileSync(join(targetFolder, file), source)
}
