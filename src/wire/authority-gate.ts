import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { filterAuthority } from './authority-filter.ts'
import { HeaderBlocks } from './header-blocks.ts'
import {
  encodeHttp2Frame,
  FRAME_HEADER_BYTES,
  frameFlag,
  frameType,
  invalidFrame,
  PREFACE,
  readFrameHeader,
} from './http2-frames.ts'

/** What a client may send until its first call can be handed on: a window of data may come right behind the headers. */
const FIRST_FLIGHT_MAX_BYTES = 256 * 1024
/**
 * How long a connection may be without a call before Node's HTTP/2 gets it, behind a filter. Until then nobody acknowledges the
 * client's SETTINGS, and clients on gRPC's C core (C++, Python, Ruby) that ask for keepalive hang up after a minute of that.
 */
const FIRST_CALL_WAIT_MS = 1000

/**
 * Looks at the first headers of a connection before Node's HTTP/2 does. Clients built on grpc-java send the path of the socket
 * as `:authority`, and Node resets every such call with no way to allow it. An acceptable authority, which all other clients
 * send, costs nothing further: the bytes are put back and the socket itself is handed on. Otherwise, and where no call comes for a
 * while, a filter rewrites them.
 *
 * @throws {@link SallyportError} `PROTOCOL_INVALID`, `CALL_CANCELLED` when the client leaves
 */
export async function acceptAuthority(socket: Socket, clock: Clock): Promise<Duplex> {
  const flight = await firstFlight(socket, clock)
  socket.unshift(flight.bytes)
  return isAcceptable(flight.authority) ? socket : filterAuthority(socket)
}

/** The characters that nghttp2 allows; it also wants an authority to be there. */
export const isAcceptable = (authority: string | undefined): boolean =>
  authority !== undefined && /^[A-Za-z0-9\-._~!$&'()*+,;=:@%[\]]+$/.test(authority)

interface Flight {
  readonly bytes: Buffer
  readonly authority: string | undefined
}

function firstFlight(socket: Socket, clock: Clock): Promise<Flight> {
  const { promise, resolve, reject } = Promise.withResolvers<Flight>()
  const reader = new FlightReader((bytes) => socket.write(bytes))
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    try {
      const flight = reader.push(chunk)
      if (flight !== undefined) finish(() => resolve(flight))
    } catch (error) {
      finish(() => reject(error as Error))
    }
  }
  const onClose = (): void =>
    finish(() => reject(new SallyportError('CALL_CANCELLED', 'The client left before its first call')))
  const finish = (settle: () => void): void => {
    timer[Symbol.dispose]()
    socket.off('readable', onReadable).off('end', onClose).off('close', onClose)
    settle()
  }
  const timer = clock.timer(FIRST_CALL_WAIT_MS, () => {
    const flight = reader.stopWaiting()
    if (flight !== undefined) finish(() => resolve(flight))
  })
  socket.on('readable', onReadable).once('end', onClose).once('close', onClose)
  return promise
}

/**
 * Reads up to the first complete header block. A client that waits for our SETTINGS before it calls (grpc-go does) gets some
 * from here; its acknowledgement is then taken out again, because Node's HTTP/2 will send its own and count one too many.
 */
export class FlightReader {
  readonly #answer: (bytes: Buffer) => void
  readonly #blocks = new HeaderBlocks()
  /** What Node's HTTP/2 will get. */
  readonly #kept: Buffer[] = []
  #rest: Buffer = Buffer.alloc(0)
  #size = 0
  #sawPreface = false
  #sawSettings = false
  #acknowledgement: 'none' | 'awaited' | 'seen' = 'none'
  #found: { readonly authority: string | undefined } | undefined
  #isPatient = true

  constructor(answer: (bytes: Buffer) => void) {
    this.#answer = answer
  }

  /** @throws {@link SallyportError} `PROTOCOL_INVALID` */
  push(chunk: Buffer): Flight | undefined {
    this.#size += chunk.length
    if (this.#size > FIRST_FLIGHT_MAX_BYTES) throw invalidFrame('the client sent too much before its first call')
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.#sawPreface && !this.#takePreface()) return undefined
    while (this.#takeFrame());
    const flight = this.#flight()
    if (flight === undefined && this.#found === undefined && this.#sawSettings && this.#acknowledgement === 'none') {
      this.#acknowledgement = 'awaited'
      this.#answer(encodeHttp2Frame(frameType.settings, 0, 0, Buffer.alloc(0)))
    }
    return flight
  }

  /** Hands on what has come, now or as soon as it can be: without a call the authority is unknown. */
  stopWaiting(): Flight | undefined {
    this.#isPatient = false
    return this.#flight()
  }

  #flight(): Flight | undefined {
    const isEnough = this.#found !== undefined || (this.#sawSettings && !this.#isPatient)
    if (!isEnough || this.#acknowledgement === 'awaited') return undefined
    return { bytes: Buffer.concat([...this.#kept, this.#rest]), authority: this.#found?.authority }
  }

  #takePreface(): boolean {
    const length = Math.min(this.#rest.length, PREFACE.length)
    if (!this.#rest.subarray(0, length).equals(PREFACE.subarray(0, length)))
      throw invalidFrame('the preface is missing')
    if (length < PREFACE.length) return false
    this.#keep(length)
    this.#sawPreface = true
    return true
  }

  #keep(length: number): void {
    this.#kept.push(this.#rest.subarray(0, length))
    this.#rest = this.#rest.subarray(length)
  }

  /** Takes one frame, if a complete one is there and still of interest. */
  #takeFrame(): boolean {
    if (this.#found !== undefined && this.#acknowledgement !== 'awaited') return false
    if (this.#rest.length < FRAME_HEADER_BYTES) return false
    const header = readFrameHeader(this.#rest)
    const end = FRAME_HEADER_BYTES + header.length
    if (this.#rest.length < end) return false
    const payload = this.#rest.subarray(FRAME_HEADER_BYTES, end)
    const isAck = (header.flags & frameFlag.ack) !== 0
    if (!this.#sawSettings && (header.type !== frameType.settings || isAck))
      throw invalidFrame('it does not start with SETTINGS')
    if (header.type === frameType.settings && isAck && this.#acknowledgement === 'awaited') {
      this.#acknowledgement = 'seen'
      this.#rest = this.#rest.subarray(end)
      return true
    }
    if (header.type === frameType.ping && !isAck && this.#found === undefined) {
      if (header.length !== 8) throw invalidFrame('a PING has no eight bytes')
      this.#answer(encodeHttp2Frame(frameType.ping, frameFlag.ack, 0, payload))
      this.#rest = this.#rest.subarray(end)
      return true
    }
    this.#sawSettings = true
    if (this.#found === undefined && this.#blocks.concerns(header)) {
      const block = this.#blocks.push(header, payload)
      if (block !== undefined) {
        const authority = block.fields.find(({ name }) => name.toString('latin1') === ':authority')
        this.#found = { authority: authority?.value.toString('latin1') }
      }
    }
    this.#keep(end)
    return true
  }
}
