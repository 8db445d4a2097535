import { everyAction, mayAct, type AccessVerdict } from './access.ts'
import { mayNameAudience } from './audience.ts'
import type { Code } from './codes.ts'
import type { Decision } from './decision.ts'
import { lifecycleProblem } from './lifecycle-stage.ts'
import type { Party } from './party.ts'
import { changesAt, type Question } from './question.ts'
import type { CompiledService } from './tables.ts'

/** What a forwarded token adds to the access of its forwarder. */
export interface ForwardedVerdict {
  readonly access: AccessVerdict
  readonly jwt: Decision['jwt']
  readonly caller: Party | null
  /**
   * A listed forwarder names a caller of another trust domain: observe mode softens nothing for it (ZO-30), also where the token
   * is ignored because the forwarder itself may not. Else a deny rule that is added would let it pass.
   */
  readonly isForForeigner: boolean
  /** Of the accepted caller: a refusal of stage 1, found here because only now is the caller known. */
  readonly lifecycleCode: Code | null
}

/**
 * A token counts only from a listed forwarder, and only after the forwarder's own access was allowed: it never widens anything.
 *
 * @see zones.md ZO-42
 */
export function decideForwarded(question: Question, own: AccessVerdict): ForwardedVerdict {
  const { request, service, source } = question
  const { jwt } = request
  const ignored = {
    access: own,
    jwt: jwt === undefined ? null : ('ignored' as const),
    caller: null,
    isForForeigner: false,
    lifecycleCode: null,
  }
  if (jwt === undefined || service === undefined) return ignored
  const { acceptJwt } = service
  if (acceptJwt?.forwarders.has(source) !== true) return ignored
  const caller = 'refused' in jwt ? undefined : question.tables.parties.of(jwt.spiffeId)
  const isForForeigner = typeof caller === 'object' && caller.foreignDomain !== undefined
  if (own.gate.result !== 'allow') return { ...ignored, isForForeigner }
  const refuse = (code: Code): ForwardedVerdict => ({
    ...ignored,
    access: refused(own, code),
    jwt: 'refused',
    isForForeigner,
  })
  if ('refused' in jwt) return refuse(jwt.refused)
  if (typeof caller !== 'object') return refuse('JWT_INVALID')
  if (jwt.expiresAt <= question.now) return { ...refuse('JWT_EXPIRED'), caller }
  changesAt(question, jwt.expiresAt)
  const isMeant =
    jwt.audience.includes(acceptJwt.audience) &&
    jwt.audience.every((audience) =>
      mayNameAudience(question.tables, caller, audience, question.now, (instant) => changesAt(question, instant)),
    )
  if (!isMeant) return { ...refuse('JWT_AUDIENCE'), caller }
  const accepted = { ...ignored, jwt: 'accepted' as const, caller, isForForeigner }
  const lifecycleCode = lifecycleProblem(question.lifecycle, caller)
  if (lifecycleCode !== null) return { ...accepted, lifecycleCode }
  return { ...accepted, access: accessOfBoth(question, service, own, caller) }
}

const refused = (own: AccessVerdict, code: Code): AccessVerdict => ({
  ...own,
  gate: { result: 'deny', code, by: null },
})

/** Forwarder and caller must both be allowed. A caller without one zone reaches nothing, as if it had come itself. */
function accessOfBoth(question: Question, service: CompiledService, own: AccessVerdict, caller: Party): AccessVerdict {
  const actions = question.asked?.actions ?? []
  const its = everyAction(actions, (action) => mayAct(question, service, caller, action, false))
  const isAllowed = caller.zone !== undefined && its.gate.result === 'allow'
  // Where a gate allows, no hard guard stands: only the caller's can.
  return isAllowed ? own : { ...refused(own, 'CALLER_NO_RULE'), isHard: its.isHard }
}
