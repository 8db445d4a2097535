import { DecisionNotes } from '../../src/enforce/decision-notes.ts'
import { EnforcedConnection } from '../../src/enforce/enforced-connection.ts'
import { OpenConnections } from '../../src/enforce/open-connections.ts'
import { PolicyPoint } from '../../src/enforce/policy-point.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { bearsConnection } from '../../src/tls/peer-of.ts'
import type { VerifiedPeer } from '../../src/tls/verified-peer.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { PolicySource } from '../../src/workload/policy-source.ts'
import { PolicyAgent } from '../../test/fakes/policy-agent.ts'
import { StandInSocket } from '../../test/fakes/stand-in-socket.ts'
import { heldSvid, TestSource } from '../../test/fakes/test-source.ts'
import { until } from '../../test/fakes/until.ts'
import { acme, conduit, quarantineOf, rule } from '../../test/src/policy/acme.ts'
import { ask } from '../ask.ts'

/** Sockets are made up: what is asked for is what it costs to ask again, not to shake hands. */
const CONNECTIONS = 10_000
const RULES = 5000
const SERVICE = 'orders'
const OWN = '/ns/shop/sa/orders'
const ownId = `spiffe://${acme.trustDomain}${OWN}`

const authority = await TestAuthority.create({ trustDomain: acme.trustDomain })
const svid = await heldSvid(authority, OWN)
const source = new TestSource(svid, authority.bundle())

const policyWith = (change: Partial<PolicySet> = {}): PolicySet => ({
  ...acme,
  rules: [
    ...acme.rules,
    ...Array.from({ length: RULES }, (_, index) => rule(`r${index}`, [{ pattern: `/ns/web/sa/p${index}` }], SERVICE)),
  ],
  ...change,
})

interface Measured {
  /** Of one change: milliseconds of processor time in which the connections were looked at. */
  readonly lookMs: number
  readonly left: number
}

/** Opens the connections, applies one change, and times what the connections' owner does about it. */
async function measure(identities: number, change: (agent: PolicyAgent) => void): Promise<Measured> {
  const agent = new PolicyAgent()
  agent.apply(policyWith(), [], ownId)
  await using policy = await agent.open()
  const clocked = { start: process.cpuUsage(), tookMs: 0, rounds: 0 }
  using _before = policy.onChange(() => void (clocked.start = process.cpuUsage()))
  using open = openAll(policy, identities)
  using _after = policy.onChange(() => {
    const { user, system } = process.cpuUsage(clocked.start)
    clocked.tookMs = (user + system) / 1000
    clocked.rounds++
  })
  change(agent)
  await until(() => clocked.rounds > 0)
  const left = [...open.all].filter(({ reason }) => reason === undefined).length
  for (const connection of open.all) connection.destroy('shutdown')
  return { lookMs: clocked.tookMs, left }
}

function openAll(policy: PolicySource, identities: number): OpenConnections {
  const point = new PolicyPoint({ source, policy, service: SERVICE, clock: policy.clock })
  const notes = new DecisionNotes('server', point, { service: SERVICE, policy })
  const open = new OpenConnections({ source, policy, service: SERVICE, point, notes })
  const peers = Array.from({ length: identities }, (_, index) => peerOf(`/ns/web/sa/p${index}`))
  for (let index = 0; index < CONNECTIONS; index++) {
    const peer = peers[index % identities] as VerifiedPeer
    const socket = StandInSocket.open()
    const facts = { port: 8443, protocol: 'http' as const, alpn: 'h2', ip: '10.0.0.1' }
    const one = new EnforcedConnection(peer, socket, facts, Date.now())
    const decision = point.decide(one.asked)
    if (decision.decision === 'deny') throw new Error(`Not let in: ${decision.code}`)
    open.add(socket, one, decision)
    bearsConnection(socket, open.all.add({ socket, peer, own: svid, role: 'server' }))
    open.announced(socket)
  }
  return open
}

const peerOf = (path: string): VerifiedPeer => ({
  id: SpiffeId.parse(`spiffe://${acme.trustDomain}${path}`),
  svid,
  notBefore: new Date(0),
  notAfter: new Date(Date.now() + 3_600_000),
})

const apply = (set: PolicySet) => (agent: PolicyAgent) => agent.apply(set, [], ownId)
const without = acme.conduits.filter(({ id }) => id !== 'edge-to-shop')
const changes: readonly (readonly [string, number, number, (agent: PolicyAgent) => void])[] = [
  [
    'concerns none: a conduit of another zone',
    CONNECTIONS,
    20,
    apply(policyWith({ conduits: [...acme.conduits, conduit('new', 'legacy', 'shop')] })),
  ],
  [
    'concerns none: a quarantine of somebody else',
    CONNECTIONS,
    20,
    (agent) =>
      agent.tell({
        kind: 'quarantine.add',
        body: quarantineOf({ identity: `spiffe://${acme.trustDomain}/ns/pay/sa/x` }),
      }),
  ],
  [
    'concerns all, who may stay; 10,000 identities',
    CONNECTIONS,
    100,
    apply(policyWith({ guards: acme.guards.slice(0, 1) })),
  ],
  ['concerns all, who may stay; 100 identities', 100, 100, apply(policyWith({ guards: acme.guards.slice(0, 1) }))],
  ['concerns all, who must go and are drained', CONNECTIONS, 100, apply(policyWith({ conduits: without }))],
  [
    'concerns all, who are closed: a quarantine of their zone',
    CONNECTIONS,
    100,
    (agent) => agent.tell({ kind: 'quarantine.add', body: quarantineOf({ zone: 'edge' }) }),
  ],
]

await ask(
  `Re-evaluation of ${CONNECTIONS.toLocaleString('en')} open connections on a slice of ${RULES.toLocaleString('en')} rules`,
  async ({ isQuick, add }) => {
    for (const [name, identities, atMost, change] of changes) {
      const rounds: number[] = []
      for (let round = 0; round < (isQuick ? 3 : 9); round++) {
        const { lookMs, left } = await measure(identities, change)
        const mustGo = name.includes('who must go') || name.includes('closed')
        if (left !== (mustGo ? 0 : CONNECTIONS)) throw new Error(`${name}: ${left} are left`)
        rounds.push(lookMs)
      }
      const median = rounds.toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? NaN
      add({ name, value: median, unit: 'ms CPU', atMost, scales: true })
    }
  },
  { needsPackage: false },
)
