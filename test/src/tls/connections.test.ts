import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import type { OpenConnection } from '../../../src/tls/connection.ts'
import { Connections } from '../../../src/tls/connections.ts'
import type { Retirement } from '../../../src/tls/retirement.ts'
import type { VerifiedPeer } from '../../../src/tls/verified-peer.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { heldSvid } from '../../fakes/test-source.ts'

/** As much of a socket as a registry looks at. */
class FakeSocket extends EventEmitter {
  destroyed = false
  ended = false

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

const start = new Date('2026-06-01T12:00:00Z')
const MINUTE_MS = 60_000
let authority: TestAuthority
let long: X509Svid
let short: X509Svid
let clock: FakeClock

beforeAll(async () => {
  authority = await TestAuthority.create({ now: start })
  long = await heldSvid(authority, '/long', { notAfter: new Date(start.getTime() + 60 * MINUTE_MS) })
  short = await heldSvid(authority, '/short', { notAfter: new Date(start.getTime() + 10 * MINUTE_MS) })
})
beforeEach(() => {
  clock = new FakeClock(start)
})

const peerWith = (svid: X509Svid): VerifiedPeer => {
  const { notBefore, notAfter } = svid.chain[0]
  return { id: svid.spiffeId, svid, notBefore, notAfter }
}

function open(
  connections: Connections,
  { peer = long, own = long, role = 'server' }: { peer?: X509Svid; own?: X509Svid; role?: OpenConnection['role'] } = {},
) {
  const socket = new FakeSocket()
  const connection = connections.add({ socket: socket as unknown as TLSSocket, peer: peerWith(peer), own, role })
  return { socket, connection }
}

const registry = (retire?: Retirement): Connections => new Connections({ clock, retire, random: () => 0 })

describe('Connections', () => {
  test('finds open connections by peer, and forgets those that have closed', () => {
    const connections = registry()
    const [first, second, other] = [open(connections), open(connections), open(connections, { peer: short })]
    expect(connections.size).toBe(3)
    expect([...connections.ofPeer(SpiffeId.parse('spiffe://example.org/long'))]).toEqual([
      first.connection,
      second.connection,
    ])
    first.socket.destroy()
    other.socket.destroy()
    expect([...connections]).toEqual([second.connection])
    expect([...connections.peers.keys()]).toEqual(['spiffe://example.org/long'])
    expect(connections.ofPeer(SpiffeId.parse('spiffe://example.org/short')).size).toBe(0)
  })

  test('counts why connections have closed', () => {
    const connections = registry()
    open(connections).socket.destroy()
    for (const { connection } of [open(connections), open(connections)]) connection.destroy('refused')
    expect(Object.fromEntries(connections.closed)).toEqual({ ended: 1, refused: 2 })
  })

  test('the connections of one peer can be closed while they are looked at', () => {
    const connections = registry()
    for (let i = 0; i < 5; i++) open(connections)
    for (const connection of connections.ofPeer(SpiffeId.parse('spiffe://example.org/long')))
      connection.destroy('refused')
    expect(connections.size).toBe(0)
  })

  test('shutdown: all say farewell, and what is still open after the time for it is destroyed', async () => {
    const connections = registry()
    const both = [open(connections), open(connections)]
    connections.drain('shutdown', 5_000)
    expect(both.map(({ socket }) => [socket.ended, socket.destroyed])).toEqual([
      [true, false],
      [true, false],
    ])
    both[0]!.socket.destroy()
    await clock.advance(5_000)
    expect(both[1]!.socket.destroyed).toBe(true)
    expect(Object.fromEntries(connections.closed)).toEqual({ shutdown: 2 })
  })

  test('a protocol says farewell in its own way, also when it comes to know of the end too late', () => {
    const { connection, socket } = open(registry())
    const said: string[] = []
    connection.farewell = () => said.push('GOAWAY')
    connection.drain('refused', 1_000)
    connection.farewell = () => said.push('close')
    connection.drain('expired', 1_000)
    expect([said, socket.ended, connection.reason]).toEqual([['GOAWAY', 'close'], false, 'refused'])
  })
})

describe('retirement', () => {
  test('never, unless it is asked for', async () => {
    const { socket } = open(registry(), { peer: short })
    await clock.advance(61 * MINUTE_MS)
    expect(socket.ended).toBe(false)
  })

  test.for([
    ['of the peer', { peer: 'short', own: 'long' }],
    ['of this side', { peer: 'long', own: 'short' }],
  ] as const)('a server ends a connection when the SVID %s has expired', async ([, sides]) => {
    const connections = registry({ onExpiry: true, drainMs: 5_000 })
    const svids = { short, long }
    const { socket } = open(connections, { peer: svids[sides.peer], own: svids[sides.own] })
    await clock.advance(10 * MINUTE_MS - 1)
    expect(socket.ended).toBe(false)
    await clock.advance(1)
    expect([socket.ended, socket.destroyed]).toEqual([true, false])
    await clock.advance(5_000)
    expect(socket.destroyed).toBe(true)
    expect(Object.fromEntries(connections.closed)).toEqual({ expired: 1 })
  })

  test('a client stops before its server does', async () => {
    const { socket } = open(registry({ drainMs: Infinity }), { peer: short, role: 'client' })
    await clock.advance(10 * MINUTE_MS - 30_001)
    expect(socket.ended).toBe(false)
    await clock.advance(1)
    expect(socket.ended).toBe(true)
    await clock.advance(60 * MINUTE_MS)
    expect(socket.destroyed).toBe(false)
  })

  test('clients that lose their proof together do not come back together', async () => {
    let drawn = 0
    const connections = new Connections({ clock, retire: { drainMs: Infinity }, random: () => drawn++ / 10 })
    const all = Array.from({ length: 10 }, () => open(connections, { peer: short, role: 'client' }))
    await clock.advance(10 * MINUTE_MS - 40_000)
    const early = all.filter(({ socket }) => socket.ended).length
    await clock.advance(10_000)
    const ended = all.filter(({ socket }) => socket.ended).length
    expect([early, ended]).toEqual([3, 10])
  })

  test('by age, where that comes first', async () => {
    const connections = registry({ maxAgeMs: 3 * MINUTE_MS, drainMs: 0 })
    const { socket } = open(connections, { peer: short })
    await clock.advance(3 * MINUTE_MS)
    expect(socket.destroyed).toBe(true)
    expect(Object.fromEntries(connections.closed)).toEqual({ aged: 1 })
  })

  test('waits on when the wall clock was set back, and is noticed at the next request when it was set forward', async () => {
    const connections = registry({ drainMs: 5_000 })
    const [back, forward] = [open(connections, { peer: short }), open(connections)]
    clock.jump(-5 * MINUTE_MS)
    await clock.advance(10 * MINUTE_MS)
    expect(back.socket.ended).toBe(false)
    await clock.advance(5 * MINUTE_MS)
    expect(back.socket.ended).toBe(true)
    clock.jump(60 * MINUTE_MS)
    connections.retireIfDue(forward.connection)
    expect(forward.socket.ended).toBe(true)
  })

  test('holds no timer for connections that have closed', async () => {
    const connections = registry({ drainMs: 5_000 })
    for (let i = 0; i < 100; i++) open(connections, { peer: short }).socket.destroy()
    await clock.advance(20 * MINUTE_MS)
    expect(Object.fromEntries(connections.closed)).toEqual({ ended: 100 })
  })
})
