import protobuf from 'protobufjs'
import type { References } from './references.ts'

/** The table of a message, by which src/wire reads and writes it. */
export function typeSource(type: protobuf.Type, references: References): string {
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
