import type { Code } from './codes.ts'
import type { LifecycleIndex } from './lifecycle-index.ts'
import { decideMovement } from './movement.ts'
import type { Party } from './party.ts'
import type { Question } from './question.ts'

/**
 * Stage 1 for source and destination; observe, grants and break-glass do not count. Quarantines that all name a forensics conduit
 * which opens let the question pass, through that conduit only.
 *
 * @see zones.md §3.5 stage 1, ZO-03
 */
export function checkLifecycle(question: Question, serialNumber: string): Code | null {
  const { lifecycle, source, service } = question
  const quarantines = [source, service?.party].flatMap((party) =>
    party === undefined ? [] : lifecycle.quarantinesOf(party),
  )
  if (quarantines.length > 0) {
    const [first, ...others] = quarantines.map(({ forensics }) => forensics)
    question.forensics = new Set(first?.filter((id) => others.every((list) => list.includes(id))))
    if (question.forensics.size === 0 || !opensForForensics(question)) return 'QUARANTINED'
  }
  if (isOffboarded(lifecycle, source) || (service !== undefined && isOffboarded(lifecycle, service.party))) {
    return 'OFFBOARDED'
  }
  return lifecycle.isRevoked(source.id, serialNumber) ? 'SERIAL_REVOKED' : null
}

/** Asked without the record: the gate itself comes later and tells its candidates then. */
function opensForForensics(question: Question): boolean {
  const asked = { ...question, record: undefined }
  const { gate } = decideMovement(asked)
  question.expires = asked.expires
  return gate.result === 'allow'
}

const isOffboarded = ({ offboarded }: LifecycleIndex, { id }: Party): boolean => offboarded.has(id)

/** The same for who presents no certificate here, such as the caller of a token: no forensics, no serials. */
export function lifecycleProblem(lifecycle: LifecycleIndex, party: Party): Code | null {
  if (lifecycle.quarantinesOf(party).length > 0) return 'QUARANTINED'
  return isOffboarded(lifecycle, party) ? 'OFFBOARDED' : null
}
