import { firstOf, type Code } from './codes.ts'
import { closedBecause, covers, nextTurn, type CompiledConduit } from './conduit.ts'
import type { MovementGate } from './decision.ts'
import { elevateMovement } from './elevation.ts'
import type { CompiledGuard } from './guard.ts'
import { isExcepted, matchingGuards, standsHard } from './guards.ts'
import type { Party } from './party.ts'
import type { Listener } from './policy-set.ts'
import { changesAt, type Question } from './question.ts'
import type { CompiledService } from './tables.ts'

export interface MovementVerdict {
  readonly gate: MovementGate
  /** A hard guard matches, whatever code came first. */
  readonly isHard: boolean
}

/**
 * Gate 1: may the zone of the source open this path to the zone of the destination. Source zone, service, destination zone and
 * listener are asked in this order.
 *
 * @see zones.md §3.5 stage 2; ZO-05, ZO-20, ZO-21, ZO-24
 */
export function decideMovement(question: Question): MovementVerdict {
  const { service, pair, source, now } = question
  if (service === undefined) return { gate: deny(source.zoneProblem ?? 'UNKNOWN_SERVICE'), isHard: false }
  const guards = matchingGuards(question, 'movement', pair?.movementGuards ?? [], undefined)
  const listener = listenerOf(question, service)
  const conduits = typeof listener === 'string' ? [] : coveringConduits(question, listener)
  const isHard = standsHard(guards, (id) =>
    conduits.some((conduit) => conduit.id === id && closedBecause(conduit, now) === null),
  )
  for (const { id } of guards) {
    question.record?.({ gate: 'movement', kind: 'guard', id, party: source.id, outcome: 'closes' })
  }
  const place = source.zoneProblem ?? service.party.zoneProblem
  if (place !== null) return { gate: deny(place), isHard }
  if (typeof listener === 'string') return { gate: deny(listener), isHard }
  return { gate: openerOf(question, guards, conduits, service.party, listener), isHard }
}

const deny = (code: Code, by: MovementGate['by'] = null): MovementGate => ({ result: 'deny', code, by })
const allow = (by: MovementGate['by']): MovementGate => ({ result: 'allow', code: null, by })

/** The listener that was connected to, or what does not fit: port, protocol, ALPN, in this order. */
function listenerOf({ request }: Question, { service }: CompiledService): Listener | Code {
  const { port, protocol, alpn } = request.connection
  let problem: Code = 'PORT_MISMATCH'
  for (const listener of service.listeners) {
    if (listener.port !== port) continue
    if ((listener.protocol === 'tcp') !== (protocol === 'tcp')) {
      // What the listener that fitted best lacked is told.
      if (problem === 'PORT_MISMATCH') problem = 'PROTOCOL_MISMATCH'
    } else if (listener.alpn.length > 0 && !(listener.alpn as readonly (string | null)[]).includes(alpn))
      problem = 'ALPN_MISMATCH'
    else return listener
  }
  return problem
}

/** The conduits of the pair that are there for this port: the candidates. A port that none covers is NO_CONDUIT (ZO-20). */
function coveringConduits(question: Question, { protocol, port }: Listener): readonly CompiledConduit[] {
  return (question.pair?.conduits ?? []).filter((compiled) => {
    const fits = covers(compiled.conduit.allow, protocol, port)
    if (fits) changesAt(question, nextTurn(compiled, question.now))
    else note(question, compiled, 'otherPort')
    return fits
  })
}

function openerOf(
  question: Question,
  guards: readonly CompiledGuard[],
  conduits: readonly CompiledConduit[],
  destination: Party,
  listener: Listener,
): MovementGate {
  const { forensics, now } = question
  let refused: Code | null = null
  for (const compiled of conduits) {
    if (!isExcepted(guards, compiled.id)) note(question, compiled, 'guarded')
    else if (forensics !== undefined && !forensics.has(compiled.id)) note(question, compiled, 'notForensics')
    else {
      const closed = closedBecause(compiled, now)
      note(question, compiled, closed === null ? 'opens' : closed === 'OUTSIDE_WINDOW' ? 'outsideWindow' : 'expired')
      if (closed === null) return allow({ kind: 'conduit', id: compiled.id })
      refused = firstOf(refused, closed)
    }
  }
  const [guard] = guards
  // Grants and break-glass are no candidates where a guard matches (ZO-24), nor in a quarantine (ZO-03).
  if (guard !== undefined) return refused === null ? deny('GUARD', { kind: 'guard', id: guard.id }) : deny(refused)
  if (forensics !== undefined) return deny(refused ?? 'NO_CONDUIT')
  const elevation = elevateMovement(question, destination, listener)
  if ('by' in elevation) return allow(elevation.by)
  return deny(firstOf(elevation.refused === null ? refused : firstOf(refused, elevation.refused), 'NO_CONDUIT'))
}

function note(
  { record, source }: Question,
  { id }: CompiledConduit,
  outcome: 'opens' | 'outsideWindow' | 'expired' | 'otherPort' | 'guarded' | 'notForensics',
): void {
  record?.({ gate: 'movement', kind: 'conduit', id, party: source.id, outcome })
}
