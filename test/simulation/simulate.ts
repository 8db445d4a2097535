import type { RunningAgent } from '../../agent/agent.ts'
import { identitiesOf, Invariants, printIdentities, printWits, witIdsOf } from './invariants.ts'
import type { Oracle } from './oracle.ts'
import { Random } from './random.ts'
import { Scenario } from './scenario.ts'
import { SimulatedSystem, type SystemSize } from './system.ts'
import type { AgentMachine } from './agent-machine.ts'
import type { Workload } from './workload.ts'

export interface SimulationOptions {
  readonly seed: number
  /** At most so much virtual time before the faults end. */
  readonly mostMinutes?: number
  /** How many lines of the trace are kept for people. */
  readonly keep?: number
}

export interface SimulationResult {
  readonly seed: number
  /** What went wrong, or undefined. */
  readonly failure: string | undefined
  /** Of everything that happened. */
  readonly digest: string
  readonly lines: readonly string[]
  readonly events: number
  readonly virtualMs: number
  readonly faults: readonly string[]
}

const TICK_MS = 5_000
/** The longest pauses of product code are refused agents that ask again after five minutes. */
const SETTLES_WITHIN_MS = 15 * 60_000
const MINUTE_MS = 60_000
/** Every so many seeds WIT-SVIDs are turned on. */
const WIT_EVERY = 4

let isLoaded: Promise<unknown> | undefined

/** One run, decided by its seed. */
export async function simulate({
  seed,
  mostMinutes = Infinity,
  keep = 400,
}: SimulationOptions): Promise<SimulationResult> {
  // Loaded beforehand, so that no run is the first one that waits for it.
  isLoaded ??= import('reflect-metadata').then(() => import('@peculiar/x509'))
  await isLoaded
  const random = new Random(seed ^ 0x5a11)
  const size: SystemSize = {
    agents: 1 + random.below(3),
    workloadsPerAgent: 1 + random.below(3),
    heartbeat: '5s',
    // By the seed, so that the others stay what they were.
    witSvid: seed % WIT_EVERY === 0,
    times: random.pick([
      { caTtl: '12m', x509Ttl: '2m', jwtTtl: '1m', agentTtl: '2m' },
      { caTtl: '12m', x509Ttl: '4m', jwtTtl: '1m', agentTtl: '4m' },
      { caTtl: '1h', x509Ttl: '10m', jwtTtl: '5m', agentTtl: '5m' },
    ]),
  }
  const system = new SimulatedSystem({ seed, keep, realCryptography: random.chance(0.05) }, size)
  const invariants = new Invariants(system)
  const lastsMs = Math.min(random.pick([3, 6, 12, 30]), mostMinutes) * MINUTE_MS
  // Numbers of their own, so that runs without policy stay what they were.
  const scenario = new Scenario(system, invariants, lastsMs, new Random(seed ^ 0x9011))
  const { world } = system
  system.start()
  scenario.start()
  await advance(system, invariants, lastsMs, () => scenario.tend())
  if (world.failure === undefined) {
    scenario.end()
    await settle(system, invariants, () => scenario.tend())
  }
  if (world.failure === undefined) await checkStored(system, scenario)
  return {
    seed,
    failure: world.failure,
    digest: world.trace.digest,
    lines: world.trace.lines,
    events: world.time.count,
    virtualMs: world.time.nowMs,
    faults: scenario.faults,
  }
}

/** Lets time pass, and looks at the invariants. */
export async function advance(
  system: SimulatedSystem,
  invariants: Invariants,
  ms: number,
  onTick: () => void = () => undefined,
  tickMs = TICK_MS,
): Promise<void> {
  const { world } = system
  const endMs = world.time.nowMs + ms
  while (world.failure === undefined && world.time.nowMs < endMs) {
    const untilMs = Math.min(endMs, world.time.nowMs + tickMs)
    await world.time.runUntil(untilMs, () => {
      invariants.afterEvent()
      if (world.time.isSpinning) world.violation('something spins: time does not go on')
      return world.failure !== undefined
    })
    if (world.failure !== undefined) return
    invariants.tick()
    onTick()
  }
}

/** Once nothing goes wrong any more, everybody finds back to where they should be, and stays there. */
async function settle(system: SimulatedSystem, invariants: Invariants, onTick: () => void): Promise<void> {
  const { world } = system
  const startMs = world.time.nowMs
  for (;;) {
    await advance(system, invariants, TICK_MS, onTick)
    if (world.failure !== undefined) return
    const stuck = stuckParts(system)
    if (stuck.length === 0) break
    if (world.time.nowMs - startMs > SETTLES_WITHIN_MS) return world.violation(`stuck: ${stuck.join('; ')}`)
  }
  world.trace.add('all is well')
  await advance(system, invariants, 2 * MINUTE_MS)
}

function stuckParts(system: SimulatedSystem): string[] {
  const { server, agents, workloads } = system
  if (server.running?.isReady() !== true) return ['the server is not ready']
  return [
    ...agents.flatMap((agent) => problemOf(system, agent) ?? []),
    ...workloads.flatMap((workload) => workloadProblem(system, workload) ?? []),
  ]
}

function problemOf({ world: { oracle } }: SimulatedSystem, agent: AgentMachine): string | undefined {
  const record = oracle.agents.get(agent.identity)
  if (record?.banned === true) return undefined
  if (agent.running === undefined) return `${agent.name} does not run`
  const { status } = agent.running
  if (!status.isInSync) return `${agent.name} is ${status.state}: ${status.reason}`
  const { key } = oracle.viewAt(agent.identity, oracle.revision) ?? {}
  if (agent.heldKey !== key) return `${agent.name} does not hold what it should`
  const problem = policyProblem(oracle, agent.running)
  return problem && `${agent.name} ${problem}`
}

/** The newest slice of every identity of its entries, and all of the fast lane. */
function policyProblem({ policy, fastLaneSequence }: Oracle, running: RunningAgent): string | undefined {
  const { state, refused } = running.policy
  if (refused !== '') return `has refused policy: ${refused}`
  if (state.fastLane.sequence !== fastLaneSequence) {
    return `is at ${state.fastLane.sequence} of the fast lane, not ${fastLaneSequence}`
  }
  if (policy === undefined) return undefined
  const ids = new Set(running.entitlements.entries.values().map(({ spiffeId }) => spiffeId.toString()))
  if (ids.symmetricDifference(new Set(state.slices.keys())).size > 0) return 'holds slices of other identities'
  const old = state.slices.values().find(({ signed }) => ownerIn(signed.content) !== policy.policy.owner)
  return old && `holds an old slice of ${old.spiffeId}`
}

const ownerIn = (content: Buffer): string =>
  (JSON.parse(content.toString()) as { readonly policy: { readonly owner: string } }).policy.owner

function workloadProblem({ world: { oracle } }: SimulatedSystem, workload: Workload): string | undefined {
  const { agent } = workload
  const view = oracle.viewAt(agent.identity, oracle.revision)
  if (view === undefined || !view.mayBeServed) return undefined
  const wanted = identitiesOf(view, workload, oracle.quarantinedAt(oracle.fastLaneSequence))
  const has = workload.streamSinceMs === undefined ? '' : printIdentities(workload.current)
  if (wanted !== has) return `${workload.name} has "${has}", not "${wanted}" (${workload.lastRefusal})`
  if (!agent.witSvid) return undefined
  const wantedWits = witIdsOf(view, workload, oracle.quarantinedAt(oracle.fastLaneSequence))
  const wits = printWits(workload)
  return wantedWits === wits ? undefined : `${workload.name} has WIT-SVIDs of "${wits}", not "${wantedWits}"`
}

/** Everything that was acknowledged is there, as the server itself tells. */
async function checkStored(system: SimulatedSystem, scenario: Scenario): Promise<void> {
  const { world, admin } = system
  let ids: ReadonlySet<string> | undefined
  admin.listEntries().then(
    (entries) => (ids = new Set(entries.map(({ id }) => id))),
    (error: unknown) => world.violation(`entries cannot be listed: ${String(error)}`),
  )
  await world.time.runUntil(world.time.nowMs + 20_000, () => ids !== undefined)
  for (const { order, isThere } of scenario.known) {
    if (isThere === true && ids?.has(order.id) !== true)
      world.violation(`entry ${order.id} was acknowledged and is lost`)
  }
  for (const id of scenario.gone) if (ids?.has(id) === true) world.violation(`entry ${id} was deleted and is back`)
}
