import type protobuf from 'protobufjs'

/** What a source refers to in other files: types by their package, values by their name. */
export interface References {
  /** The type of a message or enum. */
  type(member: protobuf.ReflectionObject): string
  /** The constant that describes it. */
  value(member: protobuf.ReflectionObject): string
  /** A constant of `message-type.ts`. */
  constant(name: string): string
}
