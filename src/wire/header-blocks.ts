import { HpackDecoder, type HeaderField } from './hpack.ts'
import { blockOf, frameFlag, frameType, invalidFrame, type FrameHeader } from './http2-frames.ts'

/** SE-17: of one block, over all of its frames. */
export const BLOCK_MAX_BYTES = 16 * 1024
export const CONTINUATIONS_MAX = 4

/** A complete list of headers that a client sent. */
export interface HeaderBlock {
  readonly stream: number
  readonly endStream: boolean
  readonly fields: readonly HeaderField[]
}

/** Collects HEADERS and CONTINUATION frames into decoded blocks. */
export class HeaderBlocks {
  readonly #decoder = new HpackDecoder()
  #open: { readonly stream: number; readonly endStream: boolean; readonly parts: Buffer[] } | undefined

  /** Is this frame a part of headers? Between the frames of one block there may be no others. */
  concerns({ type }: FrameHeader): boolean {
    const isPart = type === frameType.headers || type === frameType.continuation
    if (this.#open !== undefined && type !== frameType.continuation) throw invalidFrame('a header block is interrupted')
    return isPart
  }

  /** @throws {@link SallyportError} `PROTOCOL_INVALID` */
  push(header: FrameHeader, payload: Buffer): HeaderBlock | undefined {
    if (header.type === frameType.headers) {
      const endStream = (header.flags & frameFlag.endStream) !== 0
      this.#open = { stream: header.stream, endStream, parts: [blockOf(header, payload)] }
    } else {
      if (this.#open?.stream !== header.stream) throw invalidFrame('a continuation belongs to nothing')
      this.#open.parts.push(payload)
    }
    const { parts, stream, endStream } = this.#open
    if (parts.length > CONTINUATIONS_MAX + 1) throw invalidFrame('a header block has too many parts')
    if (parts.reduce((sum, part) => sum + part.length, 0) > BLOCK_MAX_BYTES)
      throw invalidFrame('a header block is too long')
    if ((header.flags & frameFlag.endHeaders) === 0) return undefined
    this.#open = undefined
    return { stream, endStream, fields: this.#decoder.decode(Buffer.concat(parts)) }
  }
}
