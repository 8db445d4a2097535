import { errorCodes, SallyportError, type ErrorCode, type GrpcStatusName } from '../errors.ts'
import { decodeMessage } from './decode-message.ts'
import { encodeMessage } from './encode-message.ts'
import { errorInfoType, statusType } from './messages/google-rpc.ts'

/** A gRPC status as it goes over the wire. Trailer values are what HTTP/2 may carry: printable ASCII. */
export interface Status {
  readonly number: number
  readonly name: GrpcStatusName | 'OK'
  readonly message: string
  readonly trailers: Readonly<Record<string, string>>
}

type Detail = NonNullable<SallyportError['detail']>

/** An error of a process that is not ours: a status without a code. */
export class RpcError extends Error {
  readonly grpc: GrpcStatusName
  /** The message of the status, without the name in front. */
  readonly details: string
  /** The first detail that came with it, such as SPIRE's PermissionDeniedDetails. */
  readonly detail: Detail | undefined

  constructor(grpc: GrpcStatusName, details: string, detail?: RpcError['detail']) {
    super(`${grpc}: ${details}`)
    this.name = 'RpcError'
    this.grpc = grpc
    this.details = details
    this.detail = detail
  }
}

const numbers: Readonly<Record<GrpcStatusName, number>> = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
}
const names = new Map(Object.entries(numbers).map(([name, number]) => [number, name as GrpcStatusName]))

// Together with the frame around them these stay under 8 KiB, the header list limit of grpc-java (client-quirks 4).
const MESSAGE_MAX_BYTES = 1536
const HINT_MAX_BYTES = 1024
const DETAILS_MAX_BYTES = 4096

const DOMAIN = 'sallyport'
/** Reasons that the standard has named; our codes for them are the same words (Broker API, "Error details"). */
const SPIFFE_DOMAIN = 'spiffe.io'
const spiffeReasons: readonly ErrorCode[] = [
  'WORKLOAD_REFERENCE_INVALID',
  'WORKLOAD_NOT_FOUND',
  'WORKLOAD_NOT_ENTITLED',
]
const ERROR_INFO_URL = 'type.googleapis.com/google.rpc.ErrorInfo'

export const okStatus: Status = { number: 0, name: 'OK', message: '', trailers: {} }

/** The number of a status, as batch results of SPIRE's API carry it. */
export const statusNumber = (name: GrpcStatusName | 'OK'): number => (name === 'OK' ? 0 : numbers[name])

/** The name of a number; numbers that we never send (OUT_OF_RANGE, DATA_LOSS) and unknown ones are UNKNOWN. */
export const statusName = (number: number): GrpcStatusName | 'OK' =>
  number === 0 ? 'OK' : (names.get(number) ?? 'UNKNOWN')

/** The item status of SPIRE's batch calls. */
export function itemStatus(error: unknown, requestId: string): { readonly code: number; readonly message: string } {
  const { number, message } = toStatus(error, requestId)
  return { code: number, message }
}

export const itemOk = { code: 0, message: 'OK' } as const

/** Did we throw this on purpose? Otherwise its cause belongs in our log and nowhere else. */
export const isDeliberate = (error: unknown): error is SallyportError | RpcError =>
  error instanceof SallyportError || error instanceof RpcError

/** The status that an error leaves as. What was not thrown on purpose leaves as "internal error" and the request id. */
export function toStatus(error: unknown, requestId: string): Status {
  if (error instanceof SallyportError) return statusOfSallyportError(error)
  if (error instanceof RpcError) return statusOfRpcError(error)
  return statusOfSallyportError(new SallyportError('INTERNAL', `internal error (request id ${requestId})`))
}

function statusOfSallyportError(error: SallyportError): Status {
  const { grpc, remedy } = error.row
  const number = numbers[grpc]
  const message = cut(error.message, MESSAGE_MAX_BYTES)
  const hint = percentEncode(error.hint, HINT_MAX_BYTES)
  return {
    number,
    name: grpc,
    message,
    trailers: {
      'sallyport-code': error.code,
      ...(error.hint === remedy ? {} : { 'sallyport-hint': hint }),
      ...detailsTrailer(number, message, error.code, error.detail),
    },
  }
}

function statusOfRpcError(error: RpcError): Status {
  const number = numbers[error.grpc]
  const message = cut(error.details, MESSAGE_MAX_BYTES)
  return { number, name: error.grpc, message, trailers: detailsTrailer(number, message, undefined, error.detail) }
}

function detailsTrailer(
  code: number,
  message: string,
  reason: ErrorCode | undefined,
  detail: SallyportError['detail'],
): Record<string, string> {
  const info = reason === undefined ? [] : [{ type_url: ERROR_INFO_URL, value: errorInfoOf(reason) }]
  const details = [...(detail === undefined ? [] : [{ type_url: detail.typeUrl, value: detail.value }]), ...info]
  if (details.length === 0) return {}
  const encoded = encodeMessage(statusType, { code, message, details }).toString('base64').replace(/=+$/, '')
  return encoded.length > DETAILS_MAX_BYTES ? {} : { 'grpc-status-details-bin': encoded }
}

function errorInfoOf(reason: ErrorCode): Buffer {
  const domain = spiffeReasons.includes(reason) ? SPIFFE_DOMAIN : DOMAIN
  return encodeMessage(errorInfoType, { reason, domain, metadata: {} })
}

/** Rebuilds the error behind a status that is not OK. */
export function fromStatus(number: number, message: string, trailer: (name: string) => string | undefined): Error {
  const grpc = statusName(number)
  const name = grpc === 'OK' ? 'UNKNOWN' : grpc
  const details = detailsOf(trailer('grpc-status-details-bin'))
  const detail = details.find(({ typeUrl }) => typeNameOf(typeUrl) !== typeNameOf(ERROR_INFO_URL))
  const code = trailer('sallyport-code') ?? spiffeReasonOf(details, name)
  if (code === undefined || !Object.hasOwn(errorCodes, code)) return new RpcError(name, message, detail)
  const hint = trailer('sallyport-hint')
  return new SallyportError(code as ErrorCode, message, {
    ...(hint === undefined ? {} : { hint: percentDecode(hint) }),
    ...(detail === undefined ? {} : { detail }),
  })
}

/** The name of a type: what follows the last slash counts, whatever host is before it. */
export const typeNameOf = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('/') + 1)

/** A reason that the standard has named, where the status is the one that belongs to it. */
function spiffeReasonOf(details: readonly Detail[], status: GrpcStatusName): ErrorCode | undefined {
  const infos = details
    .filter(({ typeUrl }) => typeNameOf(typeUrl) === typeNameOf(ERROR_INFO_URL))
    .flatMap(({ value }) => readable(() => [decodeMessage(errorInfoType, value)]))
  const reason = infos.find(({ domain }) => domain === SPIFFE_DOMAIN)?.reason
  return spiffeReasons.find((code) => code === reason && errorCodes[code].grpc === status)
}

function detailsOf(trailer: string | undefined): readonly Detail[] {
  if (trailer === undefined) return []
  const details = readable(() => decodeMessage(statusType, Buffer.from(trailer, 'base64')).details)
  return details.map(({ type_url: typeUrl, value }) => ({ typeUrl, value }))
}

/** A detail that cannot be read is as good as none: the status itself stands. */
function readable<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read()
  } catch {
    return []
  }
}

/** At most `maxBytes` of UTF-8, cut at a character. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text
  const encoded = percentEncode(text, maxBytes - 3)
  return encoded.length < percentEncode(text, Infinity).length ? `${percentDecode(encoded)}…` : text
}

/** As gRPC encodes `grpc-message`: UTF-8, everything but printable ASCII and `%` itself as %XX; cut at a character. */
export function percentEncode(text: string, maxBytes = Infinity): string {
  let encoded = ''
  for (const character of text.toWellFormed()) {
    const piece = /^[ -$&-~]$/.test(character)
      ? character
      : [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
    if (encoded.length + piece.length > maxBytes) break
    encoded += piece
  }
  return encoded
}

/** Reads percent-encoding; what is not validly encoded stays as it is, as the gRPC protocol asks. */
export function percentDecode(text: string): string {
  const bytes: number[] = []
  const source = Buffer.from(text)
  for (let at = 0; at < source.length; at += 1) {
    const digits = source[at] === 0x25 ? source.toString('latin1', at + 1, at + 3) : ''
    if (/^[0-9a-fA-F]{2}$/.test(digits)) {
      bytes.push(Number.parseInt(digits, 16))
      at += 2
    } else bytes.push(source[at]!)
  }
  return Buffer.from(bytes).toString()
}
