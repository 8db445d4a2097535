import { decideAccess, notEvaluated } from './access.ts'
import type { Code, Stage } from './codes.ts'
import type { Decision, MovementGate } from './decision.ts'
import { decideForwarded, type ForwardedVerdict } from './forwarded.ts'
import { checkIdentity } from './identity-stage.ts'
import type { LifecycleIndex } from './lifecycle-index.ts'
import { checkLifecycle } from './lifecycle-stage.ts'
import { decideMovement, type MovementVerdict } from './movement.ts'
import type { Party } from './party.ts'
import { changesAt, questionOf, type Question } from './question.ts'
import type { Record } from './record.ts'
import type { PolicyRequest } from './request.ts'
import type { Tables } from './tables.ts'

/**
 * What an enforcement point must do with a request, and why. Pure: the same arguments, the same answer.
 *
 * @see zones.md §3.5
 */
export function decide(tables: Tables, lifecycle: LifecycleIndex, request: PolicyRequest): Decision {
  return decideWith(tables, lifecycle, request, undefined)
}

/** `decide`, telling `record` every candidate on the way. */
export function decideWith(
  tables: Tables,
  lifecycle: LifecycleIndex,
  request: PolicyRequest,
  record: Record | undefined,
): Decision {
  const identity = checkIdentity(tables, request)
  if ('code' in identity) return refuse(tables, request, 'identity', identity.code)

  const question = questionOf(tables, lifecycle, request, identity.source, record)
  changesAt(question, identity.expires)
  const lifecycleCode = checkLifecycle(question, identity.serialNumber)
  if (lifecycleCode !== null) return refuse(tables, request, 'lifecycle', lifecycleCode, question)

  const movement = decideMovement(question)
  const own = decideAccess(question)
  const forwarded = decideForwarded(question, own)
  if (forwarded.lifecycleCode !== null) {
    return refuse(tables, request, 'lifecycle', forwarded.lifecycleCode, question, forwarded)
  }
  return judge(question, movement, forwarded)
}

/** Stages 2 to 4 together: the first gate that closed is told, then observe mode may soften it (ZO-04, ZO-30). */
function judge(question: Question, movement: MovementVerdict, forwarded: ForwardedVerdict): Decision {
  const { request, source } = question
  const { access, jwt, caller } = forwarded
  const gates = { movement: movement.gate, access: access.gate }
  const closed = gates.movement.result === 'deny' ? 'movement' : gates.access.result === 'deny' ? 'access' : null
  const mode = modeOf(question.service?.party, request.connection.port)
  const isSoftened = closed !== null && mode === 'observe' && maySoften(question, movement, forwarded)
  return {
    decision: closed === null || isSoftened ? 'allow' : 'deny',
    raw: closed === null ? 'allow' : 'deny',
    mode,
    wouldDeny: isSoftened,
    deniedBy: closed,
    code: closed === null ? null : gates[closed].code,
    gates,
    src: { id: source.id, zone: source.zone?.id ?? null },
    dst: destinationOf(question.service?.party, request.service),
    action: access.action?.name ?? null,
    route: access.action?.route ?? null,
    jwt,
    caller: caller?.id ?? null,
    expires: question.expires,
  }
}

/** Never for foreign peers and callers, never past a hard guard of either gate, never in a quarantine. */
const maySoften = (
  { source, forensics }: Question,
  movement: MovementVerdict,
  { access, isForForeigner }: ForwardedVerdict,
): boolean =>
  source.foreignDomain === undefined && !isForForeigner && forensics === undefined && !movement.isHard && !access.isHard

/** Of the destination's zone; one that is unresolved enforces, and so do the ports of `enforceOnly`. */
const modeOf = (destination: Party | undefined, port: number): Decision['mode'] =>
  destination?.zone?.observes === true && !destination.zone.enforceOnly.has(port) ? 'observe' : 'enforce'

const destinationOf = (party: Party | undefined, service: string): Decision['dst'] => ({
  id: party?.id ?? null,
  service,
  zone: party?.zone?.id ?? null,
})

const notAsked: MovementGate = { result: 'notEvaluated', code: null, by: null }

/** A refusal of stage 0 or 1: no gate is asked, no mode softens it. */
function refuse(
  tables: Tables,
  request: PolicyRequest,
  deniedBy: Stage,
  code: Code,
  question?: Question,
  forwarded?: ForwardedVerdict,
): Decision {
  const destination = tables.services.get(request.service)?.party
  const { peer } = request
  return {
    decision: 'deny',
    raw: 'deny',
    mode: modeOf(destination, request.connection.port),
    wouldDeny: false,
    deniedBy,
    code,
    gates: { movement: notAsked, access: notEvaluated },
    src: {
      id: question?.source.id ?? ('refused' in peer ? (peer.claimedId ?? null) : peer.spiffeId),
      zone: question?.source.zone?.id ?? null,
    },
    dst: destinationOf(destination, request.service),
    action: null,
    route: null,
    jwt: forwarded?.jwt ?? (request.jwt === undefined ? null : 'ignored'),
    caller: forwarded?.caller?.id ?? null,
    expires: question?.expires ?? Infinity,
  }
}
