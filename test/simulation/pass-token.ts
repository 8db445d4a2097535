import { parseJws } from '../../src/jws/parse-jws.ts'
import type { Invariants } from './invariants.ts'
import { START_MS } from './machine.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'
import type { Workload } from './workload.ts'

/** A workload gets a token; another one, at another agent, asks whether it is good. */
export async function passToken(
  system: SimulatedSystem,
  invariants: Invariants,
  random: Random,
  from: Workload,
): Promise<void> {
  const { world, workloads, server } = system
  const audience = `audience-${random.below(3)}`
  const other = random.pick(workloads)
  const token = await from.fetchToken(audience)
  if (token === undefined) return
  const { keyId = '', payload } = parseJws(token)
  const expiresAtMs = Number(payload['exp']) * 1000
  invariants.tokenGiven(keyId, expiresAtMs)
  world.trace.add(`${from.name} has a token`)
  if (expiresAtMs <= from.process.wallMs) world.violation(`${from.name} is given a token that has expired`)
  const wasCalm = system.calmMs(other.agent) > 60_000 && system.calmMs(from.agent) > 60_000
  const refusal = await other.validate(token, audience)
  const isCalm = system.calmMs(other.agent) > 60_000 && other.streamSinceMs !== undefined
  const isValid = expiresAtMs > START_MS + world.time.nowMs + server.wall.offsetMs
  if (refusal !== undefined && wasCalm && isCalm && isValid) {
    world.violation(`${other.name} refuses the token of ${from.name}: ${refusal}`)
  }
}
