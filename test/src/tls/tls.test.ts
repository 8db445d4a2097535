import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect as connectPlain, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { exactly, type IdMatcher, memberOf } from '../../../src/id/matcher.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { connectTls } from '../../../src/tls/connect-tls.ts'
import { connectionOf, peerOf } from '../../../src/tls/peer-of.ts'
import { contextOptions, secureContextOf } from '../../../src/tls/tls-options.ts'
import { tlsServer } from '../../../src/tls/tls-server.ts'
import type { TlsSource } from '../../../src/tls/tls-source.ts'
import type { VerifiedPeer } from '../../../src/tls/verified-peer.ts'
import { issueBad } from '../../../src/testing/bad-svids.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'

let home: TestAuthority
let other: TestAuthority
let web: X509Svid
let db: X509Svid

const svidOf = ({ chain, keyPair }: TestSvid, id = chain[0].uriSans[0]!): X509Svid => ({
  spiffeId: { toString: () => id } as X509Svid['spiffeId'],
  chain,
  privateKey: keyPair.privateKey,
  hint: '',
})
const sourceOf = (svid: X509Svid, ...bundles: readonly Bundle[]): TlsSource => ({
  current: () => ({ svid, bundles: bundleSetOf(bundles) }),
})

beforeAll(async () => {
  ;[home, other] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'other.test' })])
  web = svidOf(await (await home.intermediate()).issue('/web'))
  db = svidOf(await home.issue('/db'))
})

interface Side {
  readonly source: TlsSource
  readonly wants: IdMatcher
}

const folder = mkdtempSync(join(tmpdir(), 'tls-'))
const listeners: Server[] = []
afterAll(async () => {
  for (const listener of listeners) listener.close()
  await rm(folder, { recursive: true, force: true })
})

/** A connection to this server over a unix socket. */
async function dial(listener: Server): Promise<Socket> {
  if (!listener.listening) {
    listeners.push(listener)
    listener.listen(join(folder, `${listeners.length}.sock`))
    await once(listener, 'listening')
  }
  const socket = connectPlain(listener.address() as string)
  await once(socket, 'connect')
  return socket
}

/** What became of a connection between two sides, over a unix socket: no port is opened. */
async function meet(server: Side, client: Side) {
  const refused = Promise.withResolvers<Error>()
  const accepted = Promise.withResolvers<{ socket: TLSSocket; peer: VerifiedPeer }>()
  const listener = createTlsServer(
    tlsServer(server.source, { allow: server.wants, onRefused: (error) => refused.resolve(error) }),
    (socket) => accepted.resolve({ socket, peer: peerOf(socket) }),
  )
  const near = await dial(listener)
  const dialled = connectTls(client.source, { to: { connection: near }, server: client.wants })
  dialled.catch(() => {})
  return { dialled, accepted: accepted.promise, refused: refused.promise, listener }
}

const good = (): [Side, Side] => [
  { source: sourceOf(db, home.bundle()), wants: exactly('spiffe://example.org/web') },
  { source: sourceOf(web, home.bundle()), wants: exactly('spiffe://example.org/db') },
]

describe('mutual TLS', () => {
  test('WA-13 both sides learn who the other is, and data flows', async () => {
    const { dialled, accepted } = await meet(...good())
    const [client, server] = await Promise.all([dialled, accepted])
    expect([client.peer.id.toString(), server.peer.id.toString()]).toEqual([
      'spiffe://example.org/db',
      'spiffe://example.org/web',
    ])
    client.socket.write('hello')
    const [data] = (await once(server.socket, 'data')) as [Buffer]
    expect(data.toString()).toBe('hello')
    expect(client.socket.getProtocol()).toBe('TLSv1.3')
    client.socket.destroy()
  })

  test('NT-09 X5-30 the client refuses a server of the wrong id before it writes a byte', async () => {
    const [server, client] = good()
    const { dialled, accepted, listener } = await meet(server, {
      ...client,
      wants: exactly('spiffe://example.org/orders'),
    })
    await expect(dialled).rejects.toThrowCode('PEER_REFUSED', 'spiffe://example.org/orders')
    const received: Buffer[] = []
    void accepted.then(({ socket }) => socket.on('data', (data: Buffer) => received.push(data)))
    listener.close()
    await once(listener, 'close') // when its last connection has ended
    expect(received).toEqual([])
  })

  test('the server refuses a client of the wrong id before its handler sees it', async () => {
    const [server, client] = good()
    const { dialled, refused } = await meet({ ...server, wants: exactly('spiffe://example.org/admin') }, client)
    expect(await refused).toThrowCode('PEER_REFUSED', 'spiffe://example.org/web')
    const { socket } = await dialled
    socket.resume()
    if (!socket.destroyed) await once(socket, 'close')
  })

  test('NT-10 SV-01 FE-08 an authority vouches for its own trust domain only, in both directions', async () => {
    const thief = svidOf(await other.issue('/x', { uriSans: ['spiffe://example.org/web'] }))
    const bundles = [home.bundle(), other.bundle()]
    const anyone = memberOf('example.org')
    const asClient = await meet(
      { source: sourceOf(db, ...bundles), wants: anyone },
      { source: sourceOf(thief, ...bundles), wants: anyone },
    )
    expect(await asClient.refused).toThrowCode('CERTIFICATE_UNTRUSTED')
    const asServer = await meet(
      { source: sourceOf(thief, ...bundles), wants: anyone },
      { source: sourceOf(db, ...bundles), wants: anyone },
    )
    await expect(asServer.dialled).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('NT-08 X5-36 an anchor that is not self-signed is one, in both directions', async () => {
    const anchor = await home.intermediate()
    const below = async (path: string): Promise<X509Svid> => {
      const svid = await anchor.issue(path)
      return svidOf({ ...svid, chain: [svid.certificate] })
    }
    const side = async (path: string, peer: string): Promise<Side> => ({
      source: sourceOf(await below(path), home.bundle(anchor)),
      wants: exactly(`spiffe://example.org${peer}`),
    })
    const { dialled, accepted } = await meet(await side('/db', '/web'), await side('/web', '/db'))
    expect((await accepted).peer.id.toString()).toBe('spiffe://example.org/web')
    expect((await dialled).peer.id.toString()).toBe('spiffe://example.org/db')
  })

  test('a peer of a federated trust domain is verified with the bundle of that one', async () => {
    const foreign = svidOf(await other.issue('/partner'))
    const bundles = [home.bundle(), other.bundle()]
    const { dialled } = await meet(
      { source: sourceOf(foreign, ...bundles), wants: memberOf('example.org') },
      { source: sourceOf(web, ...bundles), wants: exactly('spiffe://other.test/partner') },
    )
    expect((await dialled).peer.id.toString()).toBe('spiffe://other.test/partner')
  })

  test.for(['expired', 'caLeaf', 'missingKeyUsage', 'forged', 'ownRootInChain'] as const)(
    'X5-23 X5-29 X5-35 neither side accepts a certificate that is %s',
    async (name) => {
      const bad = svidOf(await issueBad(home, name), 'spiffe://example.org/workload')
      const side = (svid: X509Svid): Side => ({ source: sourceOf(svid, home.bundle()), wants: memberOf('example.org') })
      const asServer = await meet(side(bad), side(web))
      await expect(asServer.dialled).rejects.toThrow()
      const asClient = await meet(side(web), side(bad))
      expect(await asClient.refused).toBeInstanceOf(Error)
    },
  )

  test('X5-38 NT-17 a client without certificate is refused', async () => {
    const [server] = good()
    const refused = Promise.withResolvers<Error>()
    const listener = createTlsServer(
      tlsServer(server.source, { allow: memberOf('example.org'), onRefused: (error) => refused.resolve(error) }),
      () => refused.reject(new Error('accepted')),
    )
    const near = await dial(listener)
    const socket = connect({ socket: near, rejectUnauthorized: false })
    socket.on('error', () => {})
    expect(await refused.promise).toThrowCode('PEER_CERTIFICATE_MISSING')
  })

  test('NT-11 no session is resumed, so that no certificate is skipped', async () => {
    const { dialled, accepted, listener } = await meet(...good())
    const { socket: first } = await dialled
    const sessions: Buffer[] = []
    first.on('session', (session: Buffer) => sessions.push(session))
    ;(await accepted).socket.write('x')
    await once(first, 'data')
    const near = await dial(listener)
    const again = connect({
      socket: near,
      secureContext: secureContextOf(web),
      session: sessions.at(-1)!,
      rejectUnauthorized: false,
    })
    await once(again, 'secureConnect')
    expect(sessions.length).toBeGreaterThan(0)
    expect(again.isSessionReused()).toBe(false)
    again.destroy()
    first.destroy()
  })

  test('refuses TLS 1.2', async () => {
    const [server] = good()
    const refused = Promise.withResolvers<Error>()
    const listener = createTlsServer(
      tlsServer(server.source, { allow: memberOf('example.org'), onRefused: (error) => refused.resolve(error) }),
    )
    const near = await dial(listener)
    const { minVersion: _, ...context } = contextOptions(web)
    const socket = connect({ socket: near, ...context, maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error.message).toMatch(/protocol version/i)
    expect((await refused.promise).message).toMatch(/unsupported protocol|protocol/i)
  })

  test('FS-09 the next connection presents the SVID of that moment', async () => {
    const renewed = svidOf(await home.issue('/db'))
    let held = db
    const source: TlsSource = { current: () => ({ svid: held, bundles: bundleSetOf([home.bundle()]) }) }
    const peers: VerifiedPeer[] = []
    const listener = createTlsServer(tlsServer(source, { allow: memberOf('example.org') }))
    for (const svid of [db, renewed]) {
      held = svid
      const near = await dial(listener)
      const { socket, peer } = await connectTls(sourceOf(web, home.bundle()), {
        to: { connection: near },
        server: exactly('spiffe://example.org/db'),
      })
      peers.push(peer)
      socket.destroy()
    }
    expect(peers.map(({ svid: { chain } }) => chain[0].serialNumber)).toEqual(
      [db, renewed].map(({ chain }) => chain[0].serialNumber),
    )
  })

  test('a connection knows the SVID that was presented on it, whatever came while its handshake was under way', async () => {
    let held = db
    const source: TlsSource = { current: () => ({ svid: held, bundles: bundleSetOf([home.bundle()]) }) }
    const listener = createTlsServer(tlsServer(source, { allow: memberOf('example.org') }))
    const arrived = async (): Promise<Socket> => (await Promise.all([dial(listener), once(listener, 'connection')]))[0]
    const early = await arrived()
    held = svidOf(await home.issue('/db'))
    ;(await arrived()).destroy()
    const accepted = once(listener, 'secureConnection')
    const { socket, peer } = await connectTls(sourceOf(web, home.bundle()), {
      to: { connection: early },
      server: memberOf('example.org'),
    })
    const [served] = (await accepted) as [TLSSocket]
    expect(peer.svid.chain[0].der).toEqual(db.chain[0].der)
    expect(connectionOf(served).own).toBe(db)
    expect([socket, served].map(({ authorized, authorizationError }) => [authorized, authorizationError])).toEqual([
      [true, null],
      [true, null],
    ])
    socket.destroy()
  })

  test('TB-21 a bundle that lost an authority refuses its SVIDs at once', async () => {
    const [server, client] = good()
    const next = await TestAuthority.create()
    const { dialled } = await meet(server, { ...client, source: sourceOf(web, next.bundle()) })
    await expect(dialled).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('a server whose SVID was withdrawn refuses connections and lives', async () => {
    let held: X509Svid | undefined = db
    const refusals: Error[] = []
    const source: TlsSource = {
      current() {
        if (held === undefined) throw new Error('no SVID')
        return { svid: held, bundles: bundleSetOf([home.bundle()]) }
      },
    }
    const listener = createTlsServer(
      tlsServer(source, { allow: memberOf('example.org'), onRefused: (error) => refusals.push(error) }),
    )
    held = undefined
    const near = await dial(listener)
    await expect(
      connectTls(sourceOf(web, home.bundle()), { to: { connection: near }, server: memberOf('example.org') }),
    ).rejects.toThrowCode('TLS_FAILED')
    expect(refusals[0]?.message).toBe('no SVID')
  })

  test('says so where the other side speaks something else', async () => {
    const near = await dial(createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    const dialled = connectTls(sourceOf(web, home.bundle()), {
      to: { connection: near },
      server: memberOf('example.org'),
    }).catch((error: unknown) => error)
    expect(await dialled).toThrowCode('TLS_FAILED', 'the answer is not TLS')
    expect(await dialled).toMatchObject({ hint: expect.stringContaining('not of node:http') })
  })

  test('dialling stops when it is aborted', async () => {
    const near = await dial(createServer(() => {}))
    const stop = new AbortController()
    const dialled = connectTls(sourceOf(web, home.bundle()), {
      to: { connection: near },
      server: memberOf('example.org'),
      signal: stop.signal,
    })
    stop.abort(new Error('enough'))
    await expect(dialled).rejects.toThrow('enough')
  })
})

describe('TLS options', () => {
  test('both sides agree on TLS 1.3 and a hybrid key exchange, because nobody has turned it off', async () => {
    const { dialled } = await meet(...good())
    const { socket } = await dialled
    expect([socket.getProtocol(), socket.getEphemeralKeyInfo()]).toMatchObject(['TLSv1.3', { name: 'X25519MLKEM768' }])
    socket.destroy()
  })

  test('one context for each SVID', () => {
    expect(secureContextOf(web)).toBe(secureContextOf(web))
    expect(secureContextOf(web)).not.toBe(secureContextOf(db))
  })

  test('an SVID without its key cannot be presented', () => {
    expect(() => contextOptions({ ...web, privateKey: undefined })).toThrowCode('X509_SVID_INVALID', 'private key')
  })
})
