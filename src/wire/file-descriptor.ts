/** What reflection tells of a .proto file. */
export interface FileDescriptor {
  /** Names of the files that it imports. */
  readonly dependencies: readonly string[]
  /** Full names of its messages, enums and services, without those inside of others. */
  readonly symbols: readonly string[]
  /** A serialized `FileDescriptorProto`. */
  readonly base64: string
}
