import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { DecisionNotes } from '../../../src/enforce/decision-notes.ts'
import { EnforcedConnection } from '../../../src/enforce/enforced-connection.ts'
import { OpenConnections } from '../../../src/enforce/open-connections.ts'
import { PolicyPoint } from '../../../src/enforce/policy-point.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import type { ConnectionFacts, HttpFacts, JwtFacts } from '../../../src/policy/request.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { bearsConnection } from '../../../src/tls/peer-of.ts'
import type { PolicySource } from '../../../src/workload/policy-source.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { PolicyAgent } from '../../fakes/policy-agent.ts'
import { StandInSocket } from '../../fakes/stand-in-socket.ts'
import { heldSvid, TestSource } from '../../fakes/test-source.ts'
import {
  acme,
  bastionGrant,
  conduit,
  HOUR,
  idOf,
  MINUTE,
  NOW,
  opsSession,
  quarantineOf,
  rowsOf,
  withMore,
  withZone,
} from '../policy/acme.ts'

const own = { orders: '/ns/shop/sa/orders', 'orders-db': '/ns/data/sa/pg-orders', ledger: '/ns/pay/sa/ledger' }
const listeners: Readonly<Record<keyof typeof own, ConnectionFacts>> = {
  orders: { port: 8443, protocol: 'http', alpn: 'h2', ip: '10.0.0.1' },
  'orders-db': { port: 5432, protocol: 'tcp', alpn: 'postgresql', ip: '10.0.0.1' },
  ledger: { port: 9443, protocol: 'grpc', alpn: 'h2', ip: '10.0.0.1' },
}
const svids = new Map<string, X509Svid>()
let bundle: Bundle
beforeAll(async () => {
  const authority = await TestAuthority.create({ trustDomain: acme.trustDomain, now: new Date(NOW) })
  bundle = authority.bundle()
  for (const path of Object.values(own)) svids.set(path, await heldSvid(authority, path))
})

interface Come {
  readonly notAfter?: number
  /** The request that makes a stream of it. */
  readonly stream?: HttpFacts
  readonly jwt?: JwtFacts
}

/** A service whose clock, agent and connections are the test's. */
class Watched {
  readonly clock = new FakeClock(new Date(NOW))
  readonly agent = new PolicyAgent()
  readonly told: { readonly code: string | null }[] = []
  readonly #service: keyof typeof own
  readonly source: TestSource
  policy!: PolicySource
  open!: OpenConnections
  #point!: PolicyPoint

  constructor(service: keyof typeof own) {
    this.#service = service
    this.source = new TestSource(svids.get(own[service]) as X509Svid, bundle)
  }

  async start(set: PolicySet): Promise<this> {
    this.apply(set)
    this.policy = await this.agent.open(this.clock)
    const { policy } = this
    const service = this.#service
    this.#point = new PolicyPoint({ source: this.source, policy, service, clock: this.clock })
    const onDecision = ({ code }: Decision): void => void this.told.push({ code })
    const notes = new DecisionNotes('server', this.#point, { service, policy, onDecision })
    this.open = new OpenConnections({ source: this.source, policy, service, point: this.#point, notes })
    return this
  }

  apply(set: PolicySet): void {
    this.agent.apply(set, rowsOf(set), idOf(own[this.#service]))
  }

  /** Lets a peer in, and makes a stream of the connection where the test says so. */
  comes(path: string, { notAfter = NOW + 24 * HOUR, stream, jwt }: Come = {}): StandInSocket {
    const socket = StandInSocket.open()
    const svid = svids.get(own[this.#service]) as X509Svid
    const peer = { id: SpiffeId.parse(idOf(path)), svid, notBefore: new Date(0), notAfter: new Date(notAfter) }
    const one = new EnforcedConnection(peer, socket, listeners[this.#service], this.clock.now().getTime())
    const decision = this.#point.decide(one.asked)
    if (decision.decision === 'deny') throw new Error(`not let in: ${decision.code}`)
    this.open.add(socket, one, decision)
    bearsConnection(socket, this.open.all.add({ socket, peer, own: svid, role: 'server' }))
    this.open.announced(socket)
    if (stream === undefined) return socket
    const asked = this.#point.decide({ ...one.asked, request: stream, jwt })
    if (asked.decision === 'deny') throw new Error(`not a stream: ${asked.code}`)
    this.open.becomesStream(one, stream, jwt, asked)
    return socket
  }

  /** Lets time pass while the server proves every minute that the policy is the newest. */
  async pass(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= MINUTE) {
      this.agent.say()
      await this.clock.advance(Math.min(leftMs, MINUTE))
    }
  }

  get codes(): (string | null)[] {
    return this.told.map(({ code }) => code)
  }
}

const opened: Watched[] = []
afterEach(async () => {
  for (const watched of opened.splice(0)) {
    watched.open[Symbol.dispose]()
    await watched.policy.close()
  }
})

async function watching(service: keyof typeof own, set = acme): Promise<Watched> {
  const watched = await new Watched(service).start(set)
  opened.push(watched)
  return watched
}

const storefront = '/ns/web/sa/storefront'
const bastion = '/ns/ops/sa/bastion'

describe('time alone ends', () => {
  test('case 10: a connection whose SVID expires, at that moment', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront, { notAfter: NOW + MINUTE })
    await house.clock.advance(MINUTE - 1)
    expect(socket.destroyed).toBe(false)
    await house.clock.advance(1)
    expect([socket.destroyed, house.codes]).toEqual([true, ['SVID_EXPIRED']])
  })

  test('case 64: a connection whose grant ends', async () => {
    const house = await watching('orders-db')
    house.agent.tell({ kind: 'grant.add', body: bastionGrant })
    await house.clock.advance(0)
    const socket = house.comes(bastion)
    await house.pass(bastionGrant.until - NOW)
    expect([socket.isEnded, house.codes]).toEqual([true, ['GRANT_EXPIRED']])
    await house.clock.advance(5000)
    expect(socket.destroyed).toBe(true)
  })

  test('case 67: a connection whose break-glass session ends', async () => {
    const house = await watching('orders-db')
    house.agent.tell({ kind: 'breakGlass.start', body: opsSession })
    await house.clock.advance(0)
    const socket = house.comes(bastion)
    await house.pass(opsSession.until - NOW)
    expect([socket.isEnded, house.codes]).toEqual([true, ['BREAK_GLASS_EXPIRED']])
  })

  test('case 71: an idle connection, once the policy is older than hardStale', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront, { notAfter: NOW + 100 * HOUR })
    // Without the limit of age, which comes first here.
    house.apply({ ...acme, settings: { ...acme.settings, connection: { maxAgeMs: 1000 * HOUR, drainMs: 5000 } } })
    await house.clock.advance(24 * HOUR - 1000)
    expect(socket.destroyed).toBe(false)
    await house.clock.advance(2000)
    expect([socket.destroyed, house.codes.at(-1)]).toEqual([true, 'POLICY_STALE'])
  })

  test('case 71: at once, when an agent comes back with a policy that is too old', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    house.agent.say({}, { ageMs: 25 * HOUR, stale: true })
    await house.clock.advance(5000)
    expect([socket.destroyed, house.codes]).toEqual([true, ['POLICY_STALE']])
  })

  test('a heartbeat in time keeps it open', async () => {
    const house = await watching('orders', withZone('shop', { hardStaleMs: 10 * MINUTE }))
    const socket = house.comes(storefront)
    for (let minutes = 0; minutes < 50; minutes += 5) {
      await house.clock.advance(5 * MINUTE)
      house.agent.say()
    }
    expect([socket.destroyed, house.codes]).toEqual([false, []])
    await house.clock.advance(10 * MINUTE)
    expect(socket.destroyed).toBe(true)
  })

  test('a connection that has reached connection.maxAge, after what it is doing', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    await house.pass(HOUR - 1)
    expect(socket.isEnded).toBe(false)
    await house.pass(1)
    expect([socket.isEnded, socket.destroyed]).toEqual([true, false])
    await house.clock.advance(5000)
    expect([socket.destroyed, house.open.all.closed.get('aged'), house.codes]).toEqual([true, 1, []])
  })

  test('an aged connection that drains is still closed when its identity is quarantined', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    await house.clock.advance(HOUR)
    house.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf(storefront) }) })
    await house.clock.advance(0)
    expect(socket.destroyed).toBe(true)
  })

  test('what the wall clock says after it was set forward, within seconds', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront, { notAfter: NOW + HOUR })
    house.clock.jump(2 * HOUR)
    await house.clock.advance(5000)
    expect([socket.destroyed, house.codes]).toEqual([true, ['SVID_EXPIRED']])
  })
})

const websocket: HttpFacts = {
  ...{ method: 'GET', target: '/v1/feed', authorities: ['orders.shop.svc'], upgrade: 'websocket' },
  ...{ methodOverride: null, isGrpc: false },
}
const [orders] = acme.services
const withFeed: PolicySet = {
  ...acme,
  services: acme.services.map((service) =>
    service === orders
      ? {
          ...service,
          acceptJwt: { audience: 'orders', forwarders: [storefront] },
          actions: [
            ...service.actions,
            {
              name: 'feed',
              pivot: false,
              match: [{ kind: 'http', methods: ['GET'], path: '/v1/feed', upgrade: 'websocket' }],
            },
          ],
        }
      : service,
  ),
  rules: [
    ...acme.rules,
    {
      ...acme.rules[0]!,
      id: 'feed',
      from: [{ zone: 'edge' }],
      actions: ['feed'],
      valid: { from: undefined, until: NOW + HOUR / 2 },
    },
  ],
}

describe('a stream that a request has opened', () => {
  test('is closed when the rule that opened it is gone; a connection without a stream is not', async () => {
    const house = await watching('orders', withFeed)
    const [stream, plain] = [house.comes(storefront, { stream: websocket }), house.comes(storefront)]
    house.apply({ ...withFeed, rules: acme.rules })
    await house.clock.advance(0)
    expect([stream.isEnded, plain.isEnded, house.codes]).toEqual([true, false, ['NO_RULE']])
    await house.clock.advance(5000)
    expect([stream.destroyed, plain.destroyed]).toEqual([true, false])
  })

  test('is closed when the rule that opened it ends', async () => {
    const house = await watching('orders', withFeed)
    const stream = house.comes(storefront, { stream: websocket })
    await house.clock.advance(HOUR / 2)
    expect([stream.isEnded, house.codes]).toEqual([true, ['RULE_EXPIRED']])
  })

  const jwt: JwtFacts = { spiffeId: idOf('/ns/web/sa/blog'), audience: ['orders'], expiresAt: NOW + 10 * MINUTE }

  test('is closed when the caller of the token that opened it is quarantined', async () => {
    const house = await watching('orders', withFeed)
    const stream = house.comes(storefront, { stream: websocket, jwt })
    house.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: jwt.spiffeId }) })
    await house.clock.advance(0)
    expect([stream.destroyed, house.codes]).toEqual([true, ['QUARANTINED']])
  })

  test('is closed when that token expires', async () => {
    const house = await watching('orders', withFeed)
    const stream = house.comes(storefront, { stream: websocket, jwt })
    await house.clock.advance(10 * MINUTE)
    expect([stream.isEnded, house.codes]).toEqual([true, ['JWT_EXPIRED']])
  })
})

describe('the fast lane ends', () => {
  test('what rests on a grant that is taken back, and nothing else', async () => {
    const house = await watching('orders-db')
    house.agent.tell({ kind: 'grant.add', body: bastionGrant })
    await house.clock.advance(0)
    const [granted, other] = [house.comes(bastion), house.comes('/ns/shop/sa/orders')]
    house.agent.tell({ kind: 'grant.end', body: { id: bastionGrant.id } })
    await house.clock.advance(0)
    expect([granted.isEnded, other.isEnded, house.codes]).toEqual([true, false, ['NO_CONDUIT']])
  })

  test('what rests on a break-glass session that is stopped', async () => {
    const house = await watching('orders-db')
    house.agent.tell({ kind: 'breakGlass.start', body: opsSession })
    await house.clock.advance(0)
    const socket = house.comes(bastion)
    house.agent.tell({ kind: 'breakGlass.end', body: { id: opsSession.id } })
    await house.clock.advance(0)
    expect(socket.isEnded).toBe(true)
  })

  test('connections of a revoked serial at once, and not those of the serial that came after', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    const serialNumber = svids.get(own.orders)!.chain[0].serialNumber.toString(16)
    house.agent.tell({ kind: 'serial.revoke', body: { spiffeId: idOf(storefront), serialNumber: 'abc123' } })
    await house.clock.advance(0)
    expect(socket.destroyed).toBe(false)
    house.agent.tell({ kind: 'serial.revoke', body: { spiffeId: idOf(storefront), serialNumber } })
    await house.clock.advance(0)
    expect([socket.destroyed, house.codes]).toEqual([true, ['SERIAL_REVOKED']])
  })

  test('all of a zone in quarantine', async () => {
    const house = await watching('orders')
    const [edge, ops] = [house.comes(storefront), house.comes(bastion)]
    house.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ zone: 'edge' }) })
    await house.clock.advance(0)
    expect([edge.destroyed, ops.destroyed]).toEqual([true, false])
  })
})

describe('a new policy', () => {
  test('shortens what it gives a limit', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    const limited = acme.conduits.map((one) =>
      one.id === 'edge-to-shop' ? { ...one, valid: { from: undefined, until: NOW + MINUTE } } : one,
    )
    house.apply({ ...acme, conduits: limited })
    await house.clock.advance(MINUTE)
    expect([socket.isEnded, house.codes]).toEqual([true, ['CONDUIT_EXPIRED']])
  })

  test('that concerns others asks about nobody', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    house.apply(withMore({ conduits: [conduit('new', 'legacy', 'shop')] }))
    await house.clock.advance(0)
    expect([socket.isEnded, house.codes]).toEqual([false, []])
  })
})

describe('a new bundle', () => {
  test('ends connections whose chain leads to no authority any more, within seconds', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    const other = await TestAuthority.create({ trustDomain: acme.trustDomain, now: new Date(NOW) })
    house.source.use(svids.get(own.orders)!, other.bundle())
    await house.clock.advance(5000)
    expect([socket.destroyed, house.codes]).toEqual([true, ['CHAIN_INVALID']])
  })

  test('ends those of a trust domain that is gone', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    const partner = await TestAuthority.create({ trustDomain: 'partner.example', now: new Date(NOW) })
    house.source.use(svids.get(own.orders)!, partner.bundle())
    await house.clock.advance(5000)
    expect([socket.destroyed, house.codes]).toEqual([true, ['UNKNOWN_TRUST_DOMAIN']])
  })

  test('that still vouches for them leaves them open, also when it is another', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    const next = await TestAuthority.create({ trustDomain: acme.trustDomain, now: new Date(NOW) })
    const both = { ...bundle, x509Authorities: [...next.bundle().x509Authorities, ...bundle.x509Authorities] }
    house.source.use(svids.get(own.orders)!, both)
    await house.clock.advance(5000)
    expect([socket.destroyed, house.codes]).toEqual([false, []])
  })
})

describe('where this side is nobody', () => {
  test('connections end when the agent withdraws the identity', async () => {
    const house = await watching('orders')
    const socket = house.comes(storefront)
    house.agent.say({ removedIdentities: [idOf(own.orders)] })
    await house.clock.advance(0)
    expect([socket.destroyed, house.codes]).toEqual([true, ['POLICY_STALE']])
  })

  test('questions are refused, and nothing throws', async () => {
    const house = await watching('orders')
    house.source.withdraw()
    expect(() => house.comes(storefront)).toThrow('not let in: POLICY_STALE')
    const point = new PolicyPoint({ source: house.source, policy: house.policy, service: 'orders', clock: house.clock })
    const asked = {
      peer: { spiffeId: idOf(storefront), serialNumber: '1', notAfter: NOW + HOUR },
      connection: listeners.orders,
    }
    expect(point.decide(asked)).toMatchObject({ decision: 'deny', deniedBy: 'identity' })
    await house.policy.close()
    expect(point.decide(asked)).toMatchObject({ decision: 'deny', deniedBy: 'identity' })
    expect(Number.isFinite(point.ageMs)).toBe(true)
  })
})
