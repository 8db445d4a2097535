import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { HeaderBlocks, type HeaderBlock } from './header-blocks.ts'
import { encodeFields, type HeaderField } from './hpack.ts'
import {
  encodeHttp2Frame,
  FRAME_HEADER_BYTES,
  FRAME_MAX_BYTES,
  frameFlag,
  frameType,
  PREFACE,
  readFrameHeader,
  type FrameHeader,
} from './http2-frames.ts'

const ACCEPTED = Buffer.from('localhost')

/**
 * Rewrites what a client sends, so that every `:authority` is `localhost`. Frames other than headers pass as they are.
 * A failure is for the caller to end this connection with.
 */
export class AuthorityRewriter {
  readonly #blocks = new HeaderBlocks()
  #prefaceLeft = PREFACE.length
  #held: Buffer = Buffer.alloc(0)
  /** Bytes of a frame that passes as it is and has not arrived yet. */
  #passing = 0

  /** @throws {@link SallyportError} `PROTOCOL_INVALID` */
  push(chunk: Buffer): Buffer {
    const out: Buffer[] = []
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const pass = (length: number): void => {
      out.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    if (this.#prefaceLeft > 0) {
      const length = Math.min(this.#prefaceLeft, rest.length)
      this.#prefaceLeft -= length
      pass(length)
    }
    for (;;) {
      if (this.#passing > 0) {
        const length = Math.min(this.#passing, rest.length)
        this.#passing -= length
        pass(length)
      }
      if (rest.length < FRAME_HEADER_BYTES) break
      const header = readFrameHeader(rest)
      if (!this.#blocks.concerns(header)) {
        this.#passing = FRAME_HEADER_BYTES + header.length
        continue
      }
      const end = FRAME_HEADER_BYTES + header.length
      if (rest.length < end) break
      out.push(this.#rewrite(header, rest.subarray(FRAME_HEADER_BYTES, end)))
      rest = rest.subarray(end)
    }
    this.#held = rest.length === 0 ? Buffer.alloc(0) : Buffer.from(rest)
    return out.length === 1 ? out[0]! : Buffer.concat(out)
  }

  #rewrite(header: FrameHeader, payload: Buffer): Buffer {
    const block = this.#blocks.push(header, payload)
    return block === undefined ? Buffer.alloc(0) : encodeBlock(block)
  }
}

function encodeBlock({ stream, endStream, fields }: HeaderBlock): Buffer {
  const block = encodeFields(withAuthority(fields))
  const frames: Buffer[] = []
  for (let at = 0; at === 0 || at < block.length; at += FRAME_MAX_BYTES) {
    const isLast = at + FRAME_MAX_BYTES >= block.length
    const flags = (isLast ? frameFlag.endHeaders : 0) | (at === 0 && endStream ? frameFlag.endStream : 0)
    const type = at === 0 ? frameType.headers : frameType.continuation
    frames.push(encodeHttp2Frame(type, flags, stream, block.subarray(at, at + FRAME_MAX_BYTES)))
  }
  return Buffer.concat(frames)
}

/** Trailers have no pseudo-headers and get none. */
function withAuthority(fields: readonly HeaderField[]): readonly HeaderField[] {
  const names = fields.map(({ name }) => name.toString('latin1'))
  if (!names.includes(':method')) return fields
  const authority: HeaderField = { name: Buffer.from(':authority'), value: ACCEPTED, sensitive: false }
  return [authority, ...fields.filter((_field, index) => names[index] !== ':authority' && names[index] !== 'host')]
}

/** The socket as Node's HTTP/2 may see it: what comes in is rewritten, what goes out passes. */
export function filterAuthority(socket: Socket): Duplex {
  const rewriter = new AuthorityRewriter()
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      if (socket.write(chunk)) done()
      else socket.once('drain', () => done())
    },
    final: (done) => {
      socket.end()
      done()
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  // Bytes may be refused before HTTP/2 has put its own handler here.
  duplex.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    try {
      if (!duplex.push(rewriter.push(chunk))) socket.pause()
    } catch (error) {
      duplex.destroy(error as Error)
    }
  })
  socket.once('end', () => duplex.push(null))
  socket.once('close', () => duplex.destroy())
  return duplex
}
