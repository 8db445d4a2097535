import protobuf from 'protobufjs'
import { typeSource } from './message-table.ts'
import { alias, fileOf, localName, lowerFirst, packageOf, valueName, wordCase } from './names.ts'
import type { References } from './references.ts'

/** The source of one package. */
export function sourceOf(packageName: string, members: readonly protobuf.ReflectionObject[]): string {
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
