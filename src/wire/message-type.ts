/** What a field holds. Kinds that no message of ours has (sint, fixed) are left out; the generator refuses them. */
export type ScalarKind = 'string' | 'bytes' | 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'double' | 'float'

/** An enum: numbers by name. */
export type EnumNumbers = Readonly<Record<string, number>>

interface FieldBase {
  readonly number: number
  readonly name: string
  /** `always`: in proto3 terms a field with presence, written even when it has its default value. */
  readonly presence?: 'always' | undefined
  /** The oneof that it belongs to. */
  readonly oneof?: string | undefined
  readonly repeated?: true | undefined
}

export interface MapEntry {
  readonly key: string
  readonly value: unknown
}

/** One field of a message. Other messages are named by functions, because messages may hold each other. */
export type Field = FieldBase &
  (
    | { readonly kind: ScalarKind }
    | { readonly kind: 'enum'; readonly values: EnumNumbers }
    | { readonly kind: 'message'; readonly type: () => MessageType<unknown> }
    /** Its keys are strings. On the wire a map is a list of messages of a key and a value. */
    | { readonly kind: 'map'; readonly entry: MessageType<MapEntry> }
  )

/**
 * A message as proto/generate-types.ts describes it: its full name, what it is before anything is read into it, and its fields
 * by number.
 */
export interface MessageType<T> {
  readonly name: string
  readonly create: () => T
  readonly fields: readonly Field[]
}

/** What a field that was not sent holds. One object for all messages: a list that nobody fills takes no memory. */
export const NO_ITEMS: readonly never[] = Object.freeze([])
export const NO_ENTRIES: Readonly<Record<string, never>> = Object.freeze({})
export const NO_BYTES: Buffer = Buffer.alloc(0)

/** As Protocol Buffers put them in the low three bits of a tag. */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const

/** The wire type of one value of a field. */
export function wireTypeOf(field: Field): number {
  switch (field.kind) {
    case 'string':
    case 'bytes':
    case 'message':
    case 'map':
      return wireTypes.bytes
    case 'double':
      return wireTypes.fixed64
    case 'float':
      return wireTypes.fixed32
    default:
      return wireTypes.varint
  }
}
