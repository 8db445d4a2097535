import type { FileDescriptor } from './file-descriptor.ts'
import { implement, type Implementation } from './implementation.ts'
import {
  serverReflectionService,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from './messages/grpc-reflection-v1.ts'
import { serverReflectionService as alphaService } from './messages/grpc-reflection-v1alpha.ts'
import type { Sent } from './service.ts'

type Answer = Sent<ServerReflectionResponse>
type Files = Readonly<Record<string, FileDescriptor>>

const NOT_FOUND = 5
/** The longest part of a question that an answer repeats in words. */
const QUOTED_LENGTH = 200

/**
 * Server reflection: tells which services an endpoint offers and what their messages look like, so that a client such as grpcurl needs
 * no .proto file. Both packages, which say the same.
 *
 * @param offered what else the endpoint serves
 * @see WE-25, RF-01, RF-02
 */
export function reflection(offered: readonly Implementation[]): Implementation[] {
  const services = [...offered.map(({ service }) => service), serverReflectionService, alphaService]
  const names = services.map(({ name }) => name).toSorted()
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>): AsyncGenerator<Answer> {
    // Read when somebody asks: most agents never are.
    const { fileDescriptors } = await import('./messages/file-descriptors.ts')
    for await (const request of requests)
      yield { validHost: request.host, originalRequest: request, ...answerTo(request, names, fileDescriptors) }
  }
  return [
    implement(serverReflectionService, { serverReflectionInfo }),
    implement(alphaService, { serverReflectionInfo }),
  ]
}

function answerTo(request: ServerReflectionRequest, services: readonly string[], files: Files): Answer {
  switch (request.messageRequest) {
    case 'listServices':
      return { listServicesResponse: { service: services.map((name) => ({ name })) } }
    case 'fileByFilename':
      return filesFrom(request.fileByFilename ?? '', request.fileByFilename ?? '', files)
    case 'fileContainingSymbol':
      return filesFrom(fileWith(request.fileContainingSymbol ?? '', files), request.fileContainingSymbol ?? '', files)
    case 'allExtensionNumbersOfType':
      return notFound(request.allExtensionNumbersOfType ?? '')
    default:
      // Nothing here has extensions.
      return notFound(request.fileContainingExtension?.containingType ?? '')
  }
}

/** Where a symbol is defined; methods, fields and nested messages are where what they belong to is. */
function fileWith(symbol: string, files: Files): string {
  for (let name = symbol; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const found = Object.entries(files).find(([, { symbols }]) => symbols.includes(name))
    if (found !== undefined) return found[0]
  }
  return ''
}

/** A file and everything that it imports, the file first. */
function filesFrom(name: string, asked: string, files: Files): Answer {
  const named = new Set([name])
  for (const one of named) for (const other of fileOf(one, files)?.dependencies ?? []) named.add(other)
  const found = [...named].flatMap((one) => fileOf(one, files) ?? [])
  if (found.length === 0) return notFound(asked)
  return { fileDescriptorResponse: { fileDescriptorProto: found.map(({ base64 }) => Buffer.from(base64, 'base64')) } }
}

const fileOf = (name: string, files: Files): FileDescriptor | undefined =>
  Object.hasOwn(files, name) ? files[name] : undefined

const notFound = (asked: string): Answer => ({
  errorResponse: { errorCode: NOT_FOUND, errorMessage: `Cannot find "${asked.slice(0, QUOTED_LENGTH)}"` },
})
