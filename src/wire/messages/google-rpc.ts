// Written by proto/generate-types.ts from the .proto files. Do not edit.
import type * as googleProtobuf from './google-protobuf.ts'

export interface Status {
  readonly code: number
  readonly message: string
  readonly details: readonly googleProtobuf.Any[]
}

export interface ErrorInfo {
  readonly reason: string
  readonly domain: string
  readonly metadata: Readonly<Record<string, string>>
}
