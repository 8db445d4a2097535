import { once } from 'node:events'
import { connect, type ClientHttp2Session } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { X509Source } from '../../src/index.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { secureContextOf } from '../../src/tls/tls-options.ts'
import { ask } from '../ask.ts'
import { cpuMsOf } from '../cost.ts'
import { Crowd } from '../crowd.ts'
import { ownSelector } from '../entries.ts'
import { percentiles } from '../load.ts'
import { EnforcedProcess } from '../service.ts'
import { NODE_ID, System } from '../system.ts'
import { CLIENT_ID, ORDERS_ID, RULES, zonePolicy, type ZonePolicyOptions } from '../zone-policy.ts'

const AGENTS = 1000
const ENTRIES_EACH = 10
const PATIENCE_MS = 20_000

/** A caller that asks about once a millisecond, on a connection that stays open. */
class Caller implements Disposable {
  readonly #session: ClientHttp2Session

  private constructor(session: ClientHttp2Session) {
    this.#session = session
  }

  static async connect(svid: X509Svid, port: number): Promise<Caller> {
    const socket = connectTls({
      ...{ host: '127.0.0.1', port, ALPNProtocols: ['h2'], secureContext: secureContextOf(svid) },
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    return new Caller(connect('https://orders.shop', { createConnection: () => socket }))
  }

  async #isServed(): Promise<boolean> {
    const request = this.#session.request({ ':path': '/v1/orders/1' })
    request.resume()
    const [headers] = (await once(request, 'response')) as [{ readonly ':status'?: number }]
    return headers[':status'] === 200
  }

  async until(served: boolean): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    while ((await this.#isServed()) !== served) {
      if (performance.now() > endMs) throw new Error(`Requests are not ${served ? 'served' : 'refused'} within 20 s`)
      await pause(1)
    }
  }

  [Symbol.dispose](): void {
    this.#session.destroy()
  }
}

const system = await System.open()

/** Milliseconds from the beginning of the call to the first answer that goes by the new policy, for each round. */
async function toggle(
  caller: Caller,
  rounds: number,
  change: (isOpen: boolean) => ZonePolicyOptions,
): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const isOpen = round % 2 === 0
    const source = zonePolicy(change(isOpen))
    // In the turn after a heartbeat or in the middle between two: at any moment.
    await pause(100 + ((round * 37) % 90))
    const startMs = performance.now()
    const applied = system.policies.apply({ source, dryRun: false, acceptLoss: false, note: '' })
    await caller.until(isOpen)
    times.push(performance.now() - startMs)
    await applied
  }
  // The first rounds compile the code.
  return times.slice(Math.floor(rounds / 10))
}

await ask(
  `From \`policy apply\` to the first request that is answered by it, at ${AGENTS.toLocaleString('en')} agents with ${ENTRIES_EACH} entries, ${RULES + 2} rules`,
  async ({ isQuick, add }) => {
    await using _system = system
    using crowd = await Crowd.connect(system, AGENTS, ENTRIES_EACH)
    // Last, so that a server that goes through its agents in their order gets to this one last.
    await system.startAgent()
    await system.register(
      [CLIENT_ID, ORDERS_ID].map((spiffeId) => ({ spiffeId, parentId: NODE_ID, selectors: [ownSelector] })),
    )
    await system.policies.apply({ source: zonePolicy({ isOpen: false }), dryRun: false, acceptLoss: true, note: '' })
    await using source = await X509Source.open({
      endpoint: `unix://${system.agentSocket}`,
      picker: { spiffeId: CLIENT_ID },
    })
    await using orders = await EnforcedProcess.start(system, 'orders')
    using caller = await Caller.connect(source.current().svid, orders.port)
    await caller.until(false)

    const rounds = isQuick ? 40 : 200
    const cpuBefore = cpuMsOf(system.serverPid)
    const few = percentiles(await toggle(caller, rounds, (isOpen) => ({ isOpen })))
    const cpuMs = (cpuMsOf(system.serverPid) - cpuBefore) / rounds
    const all = percentiles(await toggle(caller, isQuick ? 4 : 10, (isOpen) => ({ isOpen, isFleetOpen: isOpen })))
    add(
      { name: 'a rule between two identities: p50', value: few.p50Ms, unit: 'ms', atMost: 50 },
      { name: 'a rule between two identities: p99', value: few.p99Ms, unit: 'ms', atMost: 300 },
      { name: '… server CPU a round', value: cpuMs, unit: 'ms' },
      { name: 'a rule that changes all 10,000 slices: p50', value: all.p50Ms, unit: 'ms' },
      { name: 'a rule that changes all 10,000 slices: p99', value: all.p99Ms, unit: 'ms' },
      { name: 'streams of agents that ended', value: crowd.ended, unit: '', atMost: 0 },
    )
  },
)
