import { constants } from 'node:crypto'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { SallyportError } from '../errors.ts'
import { pemOf, presentedChain, type TlsIdentity } from './tls-identity.ts'

/** Answers bigger than this stop a client that reads nothing; several may be under way. */
const WINDOW_BYTES = 1024 * 1024

export interface SessionOptions {
  readonly address: { readonly unix: string } | { readonly host: string; readonly port: number }
  /** Called before the connection; throws where nobody may connect, such as below a folder that others can write. */
  readonly beforeConnect?: (() => Promise<void> | void) | undefined
  readonly tls?: SessionTls | undefined
}

export interface SessionTls {
  /**
   * Accepts the server or throws. Gets what the server presented (DER, leaf first), whose key the server has proven to hold;
   * everything else is for this function to check: chain, time, purpose, SPIFFE ID. It runs once for each connection, before
   * any request is sent.
   *
   * SPIRE's servers present leaf and intermediates; ours append their CA certificate, so that a client that knows only the
   * hash of the CA (a join file) finds it in the chain, compares the hash, and verifies the rest with it.
   */
  verify(presentedChain: readonly Buffer[]): Promise<void> | void
  /** What we present. */
  readonly identity?: TlsIdentity | undefined
}

/**
 * Opens HTTP/2 to a server. Over TLS, `verify` has accepted the server before this resolves, so that no byte of a request
 * reaches anybody else.
 *
 * @throws {@link SallyportError} `UNREACHABLE`, and what `beforeConnect` and `verify` throw
 */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<ClientHttp2Session> {
  const socket = await openSocket(options, signal)
  if (signal.aborted) {
    socket.destroy()
    throw signal.reason
  }
  const session = connectHttp2('http://localhost', {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: WINDOW_BYTES, maxHeaderListSize: 16 * 1024 },
    maxSessionMemory: 64,
  })
  session.on('error', () => session.destroy())
  session.on('connect', () => session.setLocalWindowSize(4 * WINDOW_BYTES))
  return session
}

async function openSocket({ address, tls, beforeConnect }: SessionOptions, signal: AbortSignal): Promise<Socket> {
  await beforeConnect?.()
  const name = 'unix' in address ? address.unix : `${address.host}:${address.port}`
  const target = 'unix' in address ? { path: address.unix } : address
  if (tls === undefined) return established(connectSocket(target), 'connect', name, signal)
  const socket = connectTls({
    ...target,
    ...('host' in target && isIP(target.host) === 0 ? { servername: target.host } : {}),
    secureContext: contextOf(tls.identity),
    // The name of a server is its SPIFFE ID, which `verify` looks at; a DNS name says nothing here.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  await established(socket, 'secureConnect', name, signal)
  try {
    await verify(socket, tls, name)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function verify(socket: TLSSocket, tls: SessionTls, name: string): Promise<void> {
  if (socket.alpnProtocol !== 'h2') throw unreachable(name, 'it does not speak HTTP/2')
  const chain = presentedChain(socket)
  if (chain === undefined) throw unreachable(name, 'it presented no certificate')
  await tls.verify(chain)
}

async function established<S extends Socket>(socket: S, event: string, name: string, signal: AbortSignal): Promise<S> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal.reason as Error)
  socket.once(event, resolve)
  socket.on('error', (error) => reject(unreachable(name, causeOf(error), error)))
  socket.once('close', () => reject(unreachable(name, 'it closed the connection')))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

const contexts = new WeakMap<TlsIdentity, SecureContext>()
let anonymous: SecureContext | undefined

/** One context for all connections of one identity: making it costs more than half a millisecond. */
function contextOf(identity: TlsIdentity | undefined): SecureContext {
  const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION
  if (identity === undefined) return (anonymous ??= createSecureContext({ minVersion: 'TLSv1.2', secureOptions }))
  let context = contexts.get(identity)
  if (context === undefined) {
    context = createSecureContext({ minVersion: 'TLSv1.2', secureOptions, ...pemOf(identity) })
    contexts.set(identity, context)
  }
  return context
}

function causeOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'there is no such socket'
  if (error.code === 'ECONNREFUSED') return 'nobody listens there'
  if (error.code === 'EACCES') return 'this user may not open it'
  return error.code ?? error.message
}

const unreachable = (name: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('UNREACHABLE', `Cannot connect to ${name}: ${why}`, { cause })
