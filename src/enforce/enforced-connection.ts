import { randomBytes } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Decision } from '../policy/decision.ts'
import type { ConnectionFacts, HttpFacts, JwtFacts, PeerFacts } from '../policy/request.ts'
import type { Connection } from '../tls/connection.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import { peerFacts } from './peer-facts.ts'
import type { Asked } from './policy-point.ts'
import type { Concerned } from './slice-change.ts'

/** A connection that policy has let in, with what it is asked about again. */
export class EnforcedConnection implements Concerned {
  readonly id = `c-${randomBytes(6).toString('hex')}`
  readonly peer: VerifiedPeer
  readonly peerFacts: PeerFacts
  readonly peerId: string
  readonly facts: ConnectionFacts
  readonly openedAtMs: number
  /** Of the handshake, for the record. */
  readonly tls: string | null
  readonly peerPort: number | null
  /** Undefined until the server has announced it. */
  connection: Connection | undefined
  /** When it is looked at again by itself. */
  deadline: { readonly atMs: number; readonly timer: Disposable } | undefined
  /** Of the last answer. */
  zone: string | null = null
  /** The grants and break-glass sessions that the last answer rests on. */
  elevations: readonly string[] = NONE
  #stream: Pick<Asked, 'request' | 'jwt'> | undefined

  constructor(peer: VerifiedPeer, socket: TLSSocket, facts: ConnectionFacts, openedAtMs: number) {
    this.peer = peer
    this.peerFacts = peerFacts(peer)
    this.peerId = peer.id.toString()
    this.facts = facts
    this.openedAtMs = openedAtMs
    this.tls = socket.getProtocol()
    this.peerPort = socket.remotePort ?? null
  }

  /** What is asked about it when nobody asks for anything. */
  get asked(): Asked {
    return { peer: this.peerFacts, connection: this.facts, ...this.#stream }
  }

  get isStream(): boolean {
    return this.#stream !== undefined || this.facts.protocol === 'tcp'
  }

  /** The SPIFFE ID of the token that opened the stream: who acts may be another than who is connected. */
  get caller(): string | undefined {
    const jwt = this.#stream?.jwt
    return jwt === undefined || 'refused' in jwt ? undefined : jwt.spiffeId
  }

  /** From here on the connection is this request (§3.6, 11). */
  becomesStream(request: HttpFacts, jwt: JwtFacts | undefined): void {
    this.#stream = { request, jwt }
  }

  /** Whether the answer about the other is the answer about this one, too. */
  isLike(other: EnforcedConnection): boolean {
    if (this.peer !== other.peer || this.#stream !== undefined || other.#stream !== undefined) return false
    const [a, b] = [this.facts, other.facts]
    return a.port === b.port && a.protocol === b.protocol && a.alpn === b.alpn && a.ip === b.ip
  }

  /** Keeps what the next change goes by. */
  rests({ src, gates: { movement, access } }: Decision): void {
    this.zone = src.zone
    const elevated = [movement.by, access.by].filter((by) => by?.kind === 'grant' || by?.kind === 'breakGlass')
    this.elevations = elevated.length === 0 ? NONE : elevated.map((by) => by!.id)
  }
}

const NONE: readonly never[] = []
