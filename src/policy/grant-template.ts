import { covers } from './conduit.ts'
import type { Grant } from './lifecycle.ts'
import { identitySet, type IdentitySet, type Party } from './party.ts'
import type { GrantTemplate } from './policy-set.ts'

/** A grant template as it is asked. */
export interface CompiledTemplate {
  readonly template: GrantTemplate
  readonly subjects: IdentitySet
  /** Where its path begins; undefined: every identity of the zone. */
  readonly sources: IdentitySet | undefined
}

export function compileTemplate(template: GrantTemplate, trustDomain: string): CompiledTemplate {
  const { identities } = template.movement.from
  return {
    template,
    subjects: identitySet(template.subject, trustDomain),
    sources: identities === undefined ? undefined : identitySet(identities, trustDomain),
  }
}

/**
 * May this subject have this grant of the template as it is written now? The server makes no others and ends those that are none any
 * more; whoever gets one all the same ignores it (case 65, ZO-60).
 *
 * @see zones.md §3.9
 */
export function keepsTemplate(
  grant: Grant,
  { template, subjects, sources }: CompiledTemplate,
  subject: Party,
): boolean {
  return (
    subjects.has(subject) &&
    sources?.has(subject) !== false &&
    grant.until - grant.from <= template.maxDurationMs &&
    !grant.approvers.includes(grant.requester) &&
    new Set(grant.approvers).size >= template.approvals.count &&
    opensWithin(grant, template)
  )
}

/** Does it open nothing in either gate that its template does not? Patterns are compared as they are written. */
export function opensWithin(
  { movement, access }: Pick<Grant, 'movement' | 'access'>,
  template: GrantTemplate,
): boolean {
  const { from, to, allow } = template.movement
  return (
    movement.from.zone === from.zone &&
    movement.to.zone === to.zone &&
    isWithin(movement.to.identities, to.identities) &&
    movement.allow.every(({ protocol, ports }) => ports.every((port) => covers(allow, protocol, port))) &&
    access.to === template.access.to &&
    isWithin(access.actions, template.access.actions)
  )
}

/** Undefined: everything. */
const isWithin = (some: readonly string[] | undefined, all: readonly string[] | undefined): boolean =>
  all === undefined || some?.every((one) => all.includes(one)) === true
