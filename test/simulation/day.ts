import { advance } from './simulate.ts'
import { Invariants } from './invariants.ts'
import { SimulatedSystem } from './system.ts'

const HOUR_MS = 3_600_000
const TICK_MS = 60_000

export interface Day {
  readonly failure: string | undefined
  readonly events: number
  /** X509-SVIDs that workloads were given. */
  readonly updates: number
}

/** A day in which nothing goes wrong: a server, 10 agents, 50 workloads, SVIDs of an hour, a heartbeat every 5 s. */
export async function simulateDay(seed = 1, hours = 24): Promise<Day> {
  const system = new SimulatedSystem(
    { seed, keep: 200 },
    {
      agents: 10,
      workloadsPerAgent: 5,
      heartbeat: '5s',
      witSvid: false,
      times: { caTtl: '7d', x509Ttl: '1h', jwtTtl: '5m', agentTtl: '1h' },
    },
  )
  const invariants = new Invariants(system)
  const { world, agents, workloads, admin } = system
  system.start()
  await advance(system, invariants, TICK_MS)
  for (const [index, { alias }] of agents.entries()) {
    for (const { uid } of workloads.filter(({ agent }) => agent.alias === alias)) {
      const id = `entry-${index}-${uid}`
      const spiffeId = `spiffe://example.org/day/${index}/${uid}`
      void admin
        .createEntry({
          id,
          spiffeId,
          parentId: alias,
          selectors: [`uid:${uid}`],
          dnsName: `${id}.internal`,
          ttlSeconds: 0,
        })
        .catch((error: unknown) => world.violation(String(error)))
    }
  }
  let updates = 0
  const seen = new Map<string, bigint | undefined>()
  const count = (): void => {
    for (const { name, current } of workloads) {
      const serial = current?.svids[0]?.chain[0]?.serialNumber
      if (serial === seen.get(name)) continue
      seen.set(name, serial)
      updates++
    }
  }
  await advance(system, invariants, hours * HOUR_MS, count, TICK_MS)
  return { failure: world.failure, events: world.time.count, updates }
}
