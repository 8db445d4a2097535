import { randomBytes } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { ConnectionFacts, HttpFacts, PeerFacts } from '../policy/request.ts'
import type { Connection } from '../tls/connection.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import { peerFacts } from './peer-facts.ts'

/** A connection that policy has let in, with what it is asked about again. */
export class EnforcedConnection {
  readonly id = `c-${randomBytes(6).toString('hex')}`
  readonly peer: VerifiedPeer
  readonly peerFacts: PeerFacts
  readonly facts: ConnectionFacts
  readonly openedAtMs: number
  /** Of the handshake, for the record. */
  readonly tls: string | null
  readonly peerPort: number | null
  /** Undefined until the server has announced it. */
  connection: Connection | undefined
  /** The request that made a stream of it: from then on the connection is that request (§3.6, 11). */
  stream: HttpFacts | undefined
  /** When it is looked at again by itself. */
  deadline: Disposable | undefined

  constructor(peer: VerifiedPeer, socket: TLSSocket, facts: ConnectionFacts, openedAtMs: number) {
    this.peer = peer
    this.peerFacts = peerFacts(peer)
    this.facts = facts
    this.openedAtMs = openedAtMs
    this.tls = socket.getProtocol()
    this.peerPort = socket.remotePort ?? null
  }
}
