import type { Call, Connection } from '../../src/wire/call.ts'

type TlsConnection = Extract<Connection, { transport: 'tls' }>
type UnixConnection = Extract<Connection, { transport: 'unix' }>

let count = 0

/** A connection that nobody has to make; close it by aborting the controller. */
export function tlsConnection(
  chain: readonly { readonly der: Buffer }[] | undefined,
  { address = '10.0.0.1', closed = new AbortController() } = {},
): TlsConnection {
  const presentedChain = chain?.map(({ der }) => der)
  return { transport: 'tls', id: `tls-${++count}`, address, presentedChain, closed: closed.signal }
}

export function unixConnection(uid: number): UnixConnection {
  const { signal } = new AbortController()
  const peer = { pid: 7, uid, gid: 0, supplementaryGids: [], isAlive: () => true, exited: signal }
  return { transport: 'unix', id: `unix-${++count}`, peer, closed: signal }
}

export function fakeCall(method: string, connection: Connection, signal = new AbortController().signal): Call {
  return { connection, method, signal, metadata: new Map(), requestId: `request-${++count}` }
}
