import type { Admin } from './admin.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'

/** What people who write policy do. */
const deeds = ['apply', 'apply', 'rollback', 'quarantine', 'quarantine', 'release', 'rotate-key', 'revoke-key'] as const

/** The share of runs in which somebody does. */
const SHARE = 0.4
/** The share of quarantines that are of somebody registered. */
const REAL_SHARE = 0.6

/** Policies that come and go, and quarantines, most of them of identities that workloads have. Draws from numbers of its own. */
export class PolicyDeeds {
  readonly #system: SimulatedSystem
  readonly #random: Random
  readonly #meanMs: number
  readonly #quarantined: string[] = []
  #count = 0
  #isOver = false

  constructor(system: SimulatedSystem, random: Random, lastsMs: number) {
    this.#system = system
    this.#random = random
    this.#meanMs = lastsMs / random.pick([8, 20, 40])
  }

  start(): void {
    if (this.#random.chance(SHARE)) this.#later()
  }

  end(): void {
    this.#isOver = true
  }

  #later(): void {
    this.#system.world.time.after(-Math.log(1 - this.#random.fraction()) * this.#meanMs, () => {
      if (this.#isOver) return
      this.#perform(this.#random.pick(deeds))
      this.#later()
    })
  }

  #perform(deed: (typeof deeds)[number]): void {
    const { admin, world } = this.#system
    world.trace.add(`policy: ${deed}`)
    this.#do(deed, admin).then(
      () => world.trace.add(`policy: ${deed}: acknowledged`),
      (error: unknown) => world.trace.remark(`policy: ${deed}: ${String(error)}`),
    )
  }

  async #do(deed: (typeof deeds)[number], admin: Admin): Promise<void> {
    const { oracle } = this.#system.world
    const before = { sequence: oracle.fastLaneSequence, revision: oracle.policy?.revision ?? 0 }
    switch (deed) {
      case 'apply':
        await admin.applyPolicy(policyOf(++this.#count))
        return this.#mustBeStored('a policy', oracle.policy?.revision ?? 0, before.revision)
      case 'rollback':
        return await admin.rollbackPolicy()
      case 'quarantine': {
        const id = this.#suspect()
        this.#quarantined.push(id)
        await admin.quarantine(id)
        return this.#mustBeStored('a quarantine', oracle.fastLaneSequence, before.sequence)
      }
      case 'release': {
        const id = this.#quarantined.shift()
        if (id !== undefined) await admin.release(id)
        return
      }
      case 'rotate-key':
        return await admin.rotatePolicyKey()
      case 'revoke-key':
        return await admin.revokePolicyKey()
    }
  }

  #suspect(): string {
    const { oracle } = this.#system.world
    const ids = [...oracle.entries.values()].map(({ spiffeId }) => spiffeId.toString())
    const isReal = ids.length > 0 && this.#random.chance(REAL_SHARE)
    return isReal ? this.#random.pick(ids) : `spiffe://example.org/suspect/${++this.#count}`
  }

  #mustBeStored(what: string, now: number, before: number): void {
    if (now <= before) this.#system.world.violation(`${what} was acknowledged and is not stored`)
  }
}

/** No two say the same, so that every one changes every slice. */
const policyOf = (number: number): string => `
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: simulated, trustDomain: example.org, owner: "group:${number}" }
zones:
  - { id: work, target: 1, sensitivity: internal, admin: none, mode: enforce, owner: team-${number}, members: [ { spiffe: /w/** } ] }
services:
  - { id: web, identity: /w/1, listeners: [ { name: api, port: 8443, protocol: http, alpn: [h2] } ], actions: { read: [ { methods: [GET], path: /x } ] } }
conduits:
  - { id: inside, from: work, to: work, allow: [ { protocol: http, ports: [8443] } ], owner: team-${number}, review: 2099-01-01, justification: calls }
rules:
  - { id: all, from: [ "zone:work" ], to: web, actions: [ read ], owner: team-${number} }
`
