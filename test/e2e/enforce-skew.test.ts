import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../src/clock.ts'
import { Enforcer } from '../../src/enforce/enforcer.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { protect } from '../../src/tls/tls-server.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { until } from '../fakes/until.ts'
import { acme, bastionGrant, idOf, MINUTE, rowsOf } from '../src/policy/acme.ts'
import { connectAs } from './enforced-service.ts'

// Grants are instants, and every peer has a clock of its own: what five minutes between clocks do at the edges of a grant.

const SKEW = 5 * MINUTE
const path = '/ns/data/sa/pg-orders'

/** A database whose clock is wrong by so much, and that says hello to whom it lets in. */
class Database implements AsyncDisposable {
  readonly agent = new PolicyAgent()
  readonly decided: Decision[] = []
  readonly #stack = new AsyncDisposableStack()
  port = 0

  static async start(skewMs: number, authority: TestAuthority): Promise<Database> {
    const database = new Database()
    await database.#listen({ ...systemClock, now: () => new Date(Date.now() + skewMs) }, authority)
    return database
  }

  async #listen(clock: Clock, authority: TestAuthority): Promise<void> {
    this.agent.apply(acme, rowsOf(acme), idOf(path))
    const policy = await this.agent.open(clock)
    const source = new TestSource(await heldSvid(authority, path), authority.bundle())
    const enforcer = new Enforcer(source, {
      ...{ service: 'orders-db', policy, port: 5432 },
      onDecision: (decision) => this.decided.push(decision),
    })
    const server = createServer({ ALPNProtocols: ['postgresql'] }, (socket) => socket.write('hello'))
    protect(server, source, enforcer.serverOptions)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#stack.defer(async () => {
      for (const connection of enforcer.connections) connection.destroy('shutdown')
      server.close()
      enforcer[Symbol.dispose]()
      await policy.close()
    })
  }

  /** Holds a grant that begins and ends so many milliseconds from now, as who has approved it counts them. */
  async grant(fromMs: number, untilMs: number): Promise<void> {
    const now = Date.now()
    this.agent.tell({ kind: 'grant.add', body: { ...bastionGrant, from: now + fromMs, until: now + untilMs } })
    await until(() => this.agent.delivered, 'the grant')
  }

  /** The connection, when it said hello; else why not. */
  async call(bastion: X509Svid): Promise<TLSSocket | Decision['code']> {
    this.decided.splice(0)
    const socket = await connectAs(bastion, this.port, ['postgresql'])
    const heard = await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)])
    if (heard) return socket
    await until(() => this.decided.length > 0, 'a decision')
    return this.decided[0]?.code ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

describe('zones.md §5 five minutes between clocks at the edges of a grant', () => {
  const skews = { behind: -SKEW, right: 0, ahead: SKEW } as const
  let databases: Record<keyof typeof skews, Database>
  let bastion: X509Svid

  beforeAll(async () => {
    // Its certificates are valid by each of the clocks.
    const authority = await TestAuthority.create({
      trustDomain: acme.trustDomain,
      now: new Date(Date.now() - 30 * MINUTE),
    })
    bastion = await heldSvid(authority, '/ns/ops/sa/bastion')
    const started = Object.entries(skews).map(async ([name, skewMs]) => [name, await Database.start(skewMs, authority)])
    databases = Object.fromEntries(await Promise.all(started)) as typeof databases
  })
  afterAll(async () => {
    for (const database of Object.values(databases)) await database[Symbol.asyncDispose]()
  })

  /** Where a grant lets the bastion in, and the codes of where not. */
  async function outcomes(fromMs: number, untilMs: number): Promise<Record<keyof typeof skews, string | null>> {
    const all = Object.entries(databases).map(async ([name, database]) => {
      await database.grant(fromMs, untilMs)
      const came = await database.call(bastion)
      if (came === null || typeof came === 'string') return [name, came]
      came.destroy()
      return [name, 'open']
    })
    return Object.fromEntries(await Promise.all(all)) as Record<keyof typeof skews, string | null>
  }

  test.for([
    ['begins now', 0, 20, { behind: 'GRANT_EXPIRED', right: 'open', ahead: 'open' }],
    ['began four minutes ago', -4, 16, { behind: 'GRANT_EXPIRED', right: 'open', ahead: 'open' }],
    ['began six minutes ago', -6, 14, { behind: 'open', right: 'open', ahead: 'open' }],
    ['ends in six minutes', -14, 6, { behind: 'open', right: 'open', ahead: 'open' }],
    ['ends in four minutes', -16, 4, { behind: 'open', right: 'open', ahead: 'GRANT_EXPIRED' }],
    ['ended four minutes ago', -24, -4, { behind: 'open', right: 'GRANT_EXPIRED', ahead: 'GRANT_EXPIRED' }],
    ['ended six minutes ago', -26, -6, { behind: 'GRANT_EXPIRED', right: 'GRANT_EXPIRED', ahead: 'GRANT_EXPIRED' }],
  ] as const)('one that %s', async ([, from, to, expected]) => {
    expect(await outcomes(from * MINUTE, to * MINUTE)).toEqual(expected)
  })

  test('an open connection ends by the clock of whoever has let it in, and is not let in again', async () => {
    const { ahead, right } = databases
    const endsMs = SKEW + 2000
    for (const database of [ahead, right]) await database.grant(-MINUTE, endsMs)
    const [early, held] = [await ahead.call(bastion), await right.call(bastion)] as [TLSSocket, TLSSocket]
    await once(early.resume(), 'close')
    expect(ahead.decided.map(({ code }) => code)).toContain('GRANT_EXPIRED')
    expect(await ahead.call(bastion)).toBe('GRANT_EXPIRED')
    expect(held.closed).toBe(false)
    held.destroy()
  })

  test('at the very instants it is half-open by that clock too', async () => {
    const { right } = databases
    await right.grant(0, 2000)
    const socket = (await right.call(bastion)) as TLSSocket
    await once(socket.resume(), 'close')
    expect(await right.call(bastion)).toBe('GRANT_EXPIRED')
  })
})
