import { SallyportError } from '../../src/errors.ts'
import type { PermissionDeniedDetailsReason } from '../../src/wire/messages/spire-api-types.ts'

const TYPE_URL = 'type.googleapis.com/spire.api.types.PermissionDeniedDetails'

const reasons: Readonly<Record<PermissionDeniedDetailsReason, number>> = {
  UNKNOWN: 0,
  AGENT_EXPIRED: 1,
  AGENT_NOT_ATTESTED: 2,
  AGENT_NOT_ACTIVE: 3,
  AGENT_BANNED: 4,
  AGENT_MUST_REATTEST: 5,
}

/** Why an agent is refused, in the form that agents act on: without it they only try again, with it they join anew or stop. */
export function agentRefused(reason: PermissionDeniedDetailsReason, message: string, hint?: string): SallyportError {
  // A message of one enum field: its tag (field 1, varint) and its number, or nothing for the default.
  const number = reasons[reason]
  const value = Buffer.from(number === 0 ? [] : [0x08, number])
  return new SallyportError('AGENT_REFUSED', message, {
    detail: { typeUrl: TYPE_URL, value },
    ...(hint === undefined ? {} : { hint }),
  })
}
