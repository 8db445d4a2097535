/** Where the .proto files are. */
export const protoFolder = import.meta.dirname
