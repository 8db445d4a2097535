import { SallyportError } from '../errors.ts'

/** What a client sends first, before any frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const FRAME_HEADER_BYTES = 9
/** HTTP/2's default, which we never raise. */
export const FRAME_MAX_BYTES = 16_384

export const frameType = { data: 0, headers: 1, settings: 4, ping: 6, continuation: 9 } as const
export const frameFlag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export interface FrameHeader {
  readonly length: number
  readonly type: number
  readonly flags: number
  readonly stream: number
}

/** @throws {@link SallyportError} `PROTOCOL_INVALID` for a frame longer than we allow */
export function readFrameHeader(bytes: Buffer, at = 0): FrameHeader {
  const length = bytes.readUIntBE(at, 3)
  if (length > FRAME_MAX_BYTES) throw invalidFrame('a frame is too long')
  return { length, type: bytes[at + 3]!, flags: bytes[at + 4]!, stream: bytes.readUInt32BE(at + 5) & 0x7fffffff }
}

export function encodeHttp2Frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length)
  frame.writeUIntBE(payload.length, 0, 3)
  frame[3] = type
  frame[4] = flags
  frame.writeUInt32BE(stream, 5)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** The header block within a HEADERS frame: without padding and priority. */
export function blockOf({ flags }: FrameHeader, payload: Buffer): Buffer {
  const padding = (flags & frameFlag.padded) === 0 ? 0 : (payload[0] ?? 0)
  const start = ((flags & frameFlag.padded) === 0 ? 0 : 1) + ((flags & frameFlag.priority) === 0 ? 0 : 5)
  if (start + padding > payload.length) throw invalidFrame('its padding is longer than the frame')
  return payload.subarray(start, payload.length - padding)
}

export const invalidFrame = (why: string): SallyportError =>
  new SallyportError('PROTOCOL_INVALID', `Cannot read HTTP/2: ${why}`)
