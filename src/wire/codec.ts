import { decodeMessage } from './decode-message.ts'
import { encodeMessage } from './encode-message.ts'
import type { Method, MethodKind, Service } from './service.ts'

/** How the messages of one method become bytes and back. */
export interface MethodCodec {
  /** `/service/Method` */
  readonly path: string
  encodeRequest(message: unknown): Buffer
  decodeRequest(bytes: Buffer): unknown
  encodeResponse(message: unknown): Buffer
  decodeResponse(bytes: Buffer): unknown
}

/** The codec of a method. */
export function methodCodec(
  service: { readonly name: string },
  { name, request, response }: Method<MethodKind, unknown, unknown>,
): MethodCodec {
  return {
    path: `/${service.name}/${name}`,
    encodeRequest: (message) => encodeMessage(request, message as object),
    decodeRequest: (bytes) => decodeMessage(request, bytes),
    encodeResponse: (message) => encodeMessage(response, message as object),
    decodeResponse: (bytes) => decodeMessage(response, bytes),
  }
}

/**
 * The codec of a method by its name on the wire.
 *
 * @throws {TypeError} when the service has none of that name
 */
export function codecOf(service: Service, name: string): MethodCodec {
  const method = Object.values(service.methods).find((one) => one.name === name)
  if (method === undefined) throw new TypeError(`${service.name} has no method ${name}`)
  return methodCodec(service, method)
}
