import { promisify } from 'node:util'
import type * as Zlib from 'node:zlib'
import { SallyportError } from '../errors.ts'

/** gRPC's default limit for a message, which every client keeps (client-quirks 5). */
export const MESSAGE_MAX_BYTES = 4 * 1024 * 1024
const PREFIX_BYTES = 5
const SLAB_BYTES = 16 * 1024

/** A message with its length in front; never compressed, which suits all clients (client-quirks 6). */
export function encodeFrame(message: Uint8Array, maxBytes = MESSAGE_MAX_BYTES): Buffer {
  if (message.byteLength > maxBytes) throw tooLarge(`Cannot send a message of ${message.byteLength} bytes`, maxBytes)
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.byteLength)
  frame[0] = 0
  frame.writeUInt32BE(message.byteLength, 1)
  frame.set(message, PREFIX_BYTES)
  return frame
}

export interface Frame {
  readonly compressed: boolean
  readonly bytes: Buffer
}

/** Cuts the bytes of a stream into messages. Holds at most one incomplete message, whose length was checked first. */
export class FrameReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #held = 0
  /** The memory behind the last chunk, while there is room in it for more. */
  #slab: Buffer | undefined
  #used = 0
  /** Bytes until something can be said: the prefix, then the message. */
  #wanted = PREFIX_BYTES

  constructor(maxBytes = MESSAGE_MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Nothing is left over. */
  get isEmpty(): boolean {
    return this.#held === 0
  }

  /** @throws {@link SallyportError} `MESSAGE_TOO_LARGE`, `PROTOCOL_INVALID` */
  push(chunk: Buffer): Frame[] {
    this.#held += chunk.length
    if (this.#held < this.#wanted) {
      this.#hold(chunk)
      return []
    }
    this.#slab = undefined
    let rest = this.#chunks.length === 0 ? chunk : Buffer.concat([...this.#chunks, chunk], this.#held)
    const frames: Frame[] = []
    while (rest.length >= PREFIX_BYTES) {
      const length = this.#checkedLength(rest)
      if (rest.length < PREFIX_BYTES + length) break
      frames.push({ compressed: rest[0] === 1, bytes: rest.subarray(PREFIX_BYTES, PREFIX_BYTES + length) })
      rest = rest.subarray(PREFIX_BYTES + length)
    }
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#held = rest.length
    this.#wanted = rest.length < PREFIX_BYTES ? PREFIX_BYTES : PREFIX_BYTES + rest.readUInt32BE(1)
    return frames
  }

  /** Small pieces are copied together: a message sent byte by byte would take a hundred times its size. */
  #hold(chunk: Buffer): void {
    if (chunk.length > SLAB_BYTES / 4) {
      this.#slab = undefined
      this.#chunks.push(chunk)
      return
    }
    if (this.#slab === undefined || this.#used + chunk.length > SLAB_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
      this.#chunks.push(this.#slab)
    }
    this.#slab.set(chunk, this.#used)
    this.#used += chunk.length
    this.#chunks[this.#chunks.length - 1] = this.#slab.subarray(0, this.#used)
  }

  #checkedLength(prefix: Buffer): number {
    if (prefix[0]! > 1) throw new SallyportError('PROTOCOL_INVALID', 'Cannot read a message: its prefix is not gRPC')
    const length = prefix.readUInt32BE(1)
    if (length > this.#maxBytes) throw tooLarge(`Cannot receive a message of ${length} bytes`, this.#maxBytes)
    return length
  }
}

/** The bytes of a message, decompressed off the loop and never beyond the limit (a bomb stops there). */
export async function contentOf(
  frame: Frame,
  encoding: string | undefined,
  maxBytes = MESSAGE_MAX_BYTES,
): Promise<Buffer> {
  if (!frame.compressed) return frame.bytes
  const decompress = decompressors.get(encoding ?? 'identity')
  if (decompress === undefined) {
    throw new SallyportError(
      'METHOD_UNIMPLEMENTED',
      `Cannot read a message compressed as "${(encoding ?? '').slice(0, 40)}"`,
      {
        hint: 'Send messages as they are, or compressed with gzip.',
      },
    )
  }
  try {
    return await decompress(frame.bytes, { maxOutputLength: maxBytes, finishFlush: zlib().constants.Z_SYNC_FLUSH })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge('Cannot receive a compressed message', maxBytes)
    }
    throw new SallyportError('PROTOCOL_INVALID', 'Cannot decompress a message: it is damaged', { cause: error })
  }
}

type Decompress = (bytes: Buffer, options: object) => Promise<Buffer>

/** Loaded with the first compressed message: hardly a client compresses, and it takes 2 MB of each process. */
const zlib = (): typeof Zlib => process.getBuiltinModule('node:zlib')

const decompressors: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['gzip', (bytes, options) => promisify<Buffer, object, Buffer>(zlib().gunzip)(bytes, options)],
  ['deflate', (bytes, options) => promisify<Buffer, object, Buffer>(zlib().inflate)(bytes, options)],
])

const tooLarge = (what: string, maxBytes: number): SallyportError =>
  new SallyportError('MESSAGE_TOO_LARGE', `${what}: the limit is ${maxBytes}`)
