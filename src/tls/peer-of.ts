import { SallyportError } from '../errors.ts'
import type { Connection } from './connection.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/** Sockets, HTTP/2 sessions and streams, and certificates as gRPC hands them out, with the verified connection they are of. */
const connections = new WeakMap<object, Connection>()

/** From here on `bearer` leads to this connection. */
export function bearsConnection(bearer: object, connection: Connection): void {
  connections.set(bearer, connection)
}

/** What leads from a request to its connection, in the APIs of Node and of grpc-js. */
interface Bearer {
  readonly stream?: unknown
  readonly session?: unknown
  readonly socket?: unknown
  readonly getAuthContext?: unknown
}

/**
 * Who is at the other end: of a request or response of `node:http`, `node:https` or `node:http2` (and so of Express; Fastify's
 * `request.raw`, Hono's `c.env.incoming`), a TLS socket, an HTTP/2 session or stream, or a call of grpc-js.
 *
 * @throws {@link SallyportError} `PEER_NOT_VERIFIED`: it does not belong to a connection that was verified here
 */
export function peerOf(bearer: object): VerifiedPeer {
  return connectionOf(bearer).peer
}

/**
 * The registered connection of what {@link peerOf} takes.
 *
 * @throws {@link SallyportError} `PEER_NOT_VERIFIED`
 */
export function connectionOf(bearer: object): Connection {
  const connection = findConnection(bearer)
  if (connection !== undefined) return connection
  throw new SallyportError('PEER_NOT_VERIFIED', 'Cannot say who the peer is: its connection was not verified here')
}

/** Asked for every request, so the likely ways come first. */
export function findConnection(bearer: object): Connection | undefined {
  const known = connections.get(bearer)
  if (known !== undefined) return known
  const { socket, stream, session, getAuthContext } = bearer as Bearer
  return (
    ofPart(stream) ??
    ofPart(socket) ??
    ofPart(session) ??
    ofPart((stream as Bearer | undefined)?.session) ??
    (typeof getAuthContext === 'function' ? ofPart(certificateOf(bearer as GrpcCall)) : undefined)
  )
}

const ofPart = (part: unknown): Connection | undefined =>
  typeof part === 'object' && part !== null ? connections.get(part) : undefined

interface GrpcCall {
  getAuthContext(): { readonly sslPeerCertificate?: object | undefined }
}

const certificateOf = (call: GrpcCall): object | undefined => call.getAuthContext().sslPeerCertificate
