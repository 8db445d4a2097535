import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { X509Source } from '../../src/index.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { secureContextOf } from '../../src/tls/tls-options.ts'
import { ask } from '../ask.ts'
import { cpuMsOf } from '../cost.ts'
import { ownSelector } from '../entries.ts'
import { inParallel } from '../load.ts'
import { EnforcedProcess } from '../service.ts'
import { NODE_ID, System } from '../system.ts'
import { CLIENT_ID, zonePolicy } from '../zone-policy.ts'

/** Held by two processes of the service, each on a port of its own. */
const CONNECTIONS = 10_000
const SERVICES = 2
/** No more handshakes at a time, so that none is too late. */
const AT_A_TIME = 64
const PATIENCE_MS = 60_000

/** Connections of one client, and when each of them was closed. */
class Held {
  readonly closedAtMs: number[] = []
  readonly #sockets: TLSSocket[] = []

  async open(svid: X509Svid, ports: readonly number[], count: number): Promise<void> {
    const secureContext = secureContextOf(svid)
    const numbers = Array.from({ length: count }, (_, index) => index)
    await inParallel(numbers, AT_A_TIME, async (index) => {
      const port = ports[index % ports.length] ?? 0
      const socket = connect({
        ...{ host: '127.0.0.1', port, ALPNProtocols: ['queue'], secureContext },
        rejectUnauthorized: false,
      })
      await once(socket, 'secureConnect')
      // Who is only refused after the handshake is no open connection.
      socket.write('hello')
      socket.on('error', () => undefined).on('close', () => this.closedAtMs.push(performance.now()))
      this.#sockets.push(socket.resume())
    })
    await pause(2000)
    if (this.closedAtMs.length > 0) throw new Error(`${this.closedAtMs.length} connections were not let in`)
  }

  async allClosed(): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    while (this.closedAtMs.length < this.#sockets.length) {
      if (performance.now() > endMs)
        throw new Error(`${this.#sockets.length - this.closedAtMs.length} connections are open after a minute`)
      await pause(2)
    }
  }
}

await ask(
  `From \`quarantine add\` to the last of ${CONNECTIONS.toLocaleString('en')} open connections closed, in ${SERVICES} processes`,
  async ({ isQuick, add }) => {
    await using system = await System.open({ agent: true })
    await system.register(
      [CLIENT_ID, 'spiffe://example.org/shop/queue'].map((spiffeId) => ({
        ...{ spiffeId, parentId: NODE_ID, selectors: [ownSelector] },
      })),
    )
    await system.policies.apply({ source: zonePolicy({ isOpen: true }), dryRun: false, acceptLoss: true, note: '' })
    await using source = await X509Source.open({
      endpoint: `unix://${system.agentSocket}`,
      picker: { spiffeId: CLIENT_ID },
    })
    await using services = new AsyncDisposableStack()
    const processes = await Promise.all(
      Array.from({ length: SERVICES }, async () => services.use(await EnforcedProcess.start(system, 'queue'))),
    )
    const ports = processes.map(({ port }) => port)
    const svid = source.current().svid
    const spans: number[] = []
    const firsts: number[] = []
    const openings: number[] = []
    let cpuMs = 0
    const rounds = isQuick ? 2 : 5
    for (let round = 0; round < rounds; round++) {
      const held = new Held()
      const openMs = performance.now()
      await held.open(svid, ports, CONNECTIONS)
      openings.push((performance.now() - openMs) / 1000)
      const cpuBefore = processes.map(({ pid }) => cpuMsOf(pid))
      const startMs = performance.now()
      const { id } = await system.lifecycle.addQuarantine({ identity: CLIENT_ID, forensics: [], reason: 'stolen key' })
      await held.allClosed()
      firsts.push(Math.min(...held.closedAtMs) - startMs)
      spans.push(Math.max(...held.closedAtMs) - startMs)
      cpuMs += processes.reduce((sum, { pid }, index) => sum + cpuMsOf(pid) - (cpuBefore[index] ?? 0), 0)
      await system.lifecycle.removeQuarantine({ id, reason: 'key replaced' })
      await pause(1000)
    }
    const sorted = spans.toSorted((a, b) => a - b)
    add(
      { name: 'last one closed: median', value: sorted[Math.floor(rounds / 2)] ?? NaN, unit: 'ms' },
      { name: `last one closed: worst of ${rounds}`, value: sorted.at(-1) ?? NaN, unit: 'ms', atMost: 2000 },
      { name: 'first one closed: worst', value: Math.max(...firsts), unit: 'ms' },
      { name: 'CPU of the services for one connection', value: (cpuMs * 1000) / rounds / CONNECTIONS, unit: 'µs' },
      { name: `${CONNECTIONS} handshakes`, value: Math.max(...openings), unit: 's' },
    )
  },
)
