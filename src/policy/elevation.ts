import { covers } from './conduit.ts'
import { firstOf, type Code } from './codes.ts'
import { keepsTemplate } from './grant-template.ts'
import type { BreakGlassSession, Grant } from './lifecycle.ts'
import { identitySet, type Party } from './party.ts'
import type { BreakGlass, Listener } from './policy-set.ts'
import { changesAt, type Question } from './question.ts'

/** Break-glass needs two people, whatever a declaration says (SE-46). */
export const BREAK_GLASS_MIN_PEOPLE = 2

/** What elevation says to a gate in which no conduit or rule opens: an opener, or why those that fit are closed. */
export type Elevation =
  { readonly by: { readonly kind: 'grant' | 'breakGlass'; readonly id: string } } | { readonly refused: Code | null }

/** The first of grants, then of break-glass sessions, that opens the path (ZO-26). */
export function elevateMovement(question: Question, destination: Party, listener: Listener): Elevation {
  const { source } = question
  const isFor = ({ movement }: Grant): boolean =>
    movement.from.zone === source.zone?.id &&
    movement.to.zone === destination.zone?.id &&
    (movement.to.identities === undefined ||
      identitySet(movement.to.identities, question.tables.set.trustDomain).has(destination)) &&
    covers(movement.allow, listener.protocol, listener.port)
  const grant = openGrant(question, 'movement', isFor)
  if ('by' in grant) return grant
  return orSession(question, grant.refused, 'movement', destination)
}

export function elevateAccess(question: Question, destination: Party, service: string, action: string): Elevation {
  const isFor = ({ access }: Grant): boolean => access.to === service && access.actions.includes(action)
  const grant = openGrant(question, 'access', isFor)
  if ('by' in grant) return grant
  return orSession(question, grant.refused, 'access', destination)
}

function openGrant(question: Question, gate: 'movement' | 'access', isFor: (grant: Grant) => boolean): Elevation {
  const { lifecycle, tables, source, now, record } = question
  let refused: Code | null = null
  for (const grant of lifecycle.grantsOf(source.id)) {
    const { id, from, until } = grant
    const note = { gate, kind: 'grant' as const, id, party: source.id }
    const template = tables.grantTemplates.get(grant.template)
    // First: what is not of a template may not even be readable.
    if (template === undefined || !keepsTemplate(grant, template, source)) record?.({ ...note, outcome: 'invalid' })
    else if (!isFor(grant)) record?.({ ...note, outcome: 'otherDestination' })
    else {
      changesAt(question, from > now ? from : until)
      if (from <= now && now < until) {
        record?.({ ...note, outcome: 'opens' })
        return { by: { kind: 'grant', id } }
      }
      record?.({ ...note, outcome: 'expired' })
      refused = 'GRANT_EXPIRED'
    }
  }
  return { refused }
}

/**
 * `default-deny` opens a path that no conduit opens, `rules` an action that no rule allows. Deny rules and guards stand in any case
 * (ZO-24), and have been asked before.
 */
function orSession(
  question: Question,
  refused: Code | null,
  gate: 'movement' | 'access',
  destination: Party,
): Elevation {
  const { lifecycle, tables, source, now, record } = question
  let late: Code | null = refused
  for (const session of lifecycle.sessionsOf(source.id)) {
    const note = { gate, kind: 'breakGlass' as const, id: session.id, party: source.id }
    const declaration = tables.breakGlass.get(session.declaration)
    if (!leads(session, source, destination)) record?.({ ...note, outcome: 'otherDestination' })
    else if (!keepsDeclaration(session, declaration, gate)) record?.({ ...note, outcome: 'invalid' })
    else {
      changesAt(question, session.since > now ? session.since : session.until)
      if (session.since <= now && now < session.until) {
        record?.({ ...note, outcome: 'opens' })
        return { by: { kind: 'breakGlass', id: session.id } }
      }
      record?.({ ...note, outcome: 'expired' })
      // The access gate has no code of its own for it (ZO-21).
      if (gate === 'movement') late = firstOf(late, 'BREAK_GLASS_EXPIRED')
    }
  }
  return { refused: late }
}

const leads = ({ from, to }: BreakGlassSession, source: Party, destination: Party): boolean =>
  from.some((zone) => zone === source.zone?.id) && to.some((zone) => zone === destination.zone?.id)

export function keepsDeclaration(
  session: BreakGlassSession,
  declaration: BreakGlass | undefined,
  gate: 'movement' | 'access',
): boolean {
  if (declaration === undefined) return false
  const override = gate === 'movement' ? 'default-deny' : 'rules'
  return (
    session.overrides.includes(override) &&
    declaration.overrides.includes(override) &&
    session.until - session.since <= declaration.maxDurationMs &&
    new Set(session.startedBy).size >= Math.max(BREAK_GLASS_MIN_PEOPLE, declaration.approvals) &&
    session.from.every((zone) => declaration.from.includes(zone)) &&
    session.to.every((zone) => declaration.to.includes(zone))
  )
}
