import type { TrustDomain } from '../id/trust-domain.ts'
import { invalid, otherServerOf, type Relationship } from './relationship.ts'

/** What relationships are checked against, besides each other. */
export interface RelationshipGround {
  /** The trust domain of whoever polls. */
  readonly ownTrustDomain: TrustDomain
  /** Whether bundles of trust domains that no relationship is about may be known from elsewhere. */
  readonly knowsOthers: boolean
  /** Whether a bundle of this relationship was fetched before. */
  readonly isKnown: (relationship: Relationship) => boolean
}

/**
 * Refuses relationships that are not for us to have, or that could never work.
 *
 * @throws {@link SallyportError} `RELATIONSHIP_INVALID`
 * @see SPIFFE_Federation.md §5.2.2 and §7.2
 */
export function checkRelationships(relationships: readonly Relationship[], ground: RelationshipGround): void {
  const byName = new Map<string, Relationship>()
  for (const relationship of relationships) {
    const { name } = relationship.trustDomain
    if (relationship.trustDomain.equals(ground.ownTrustDomain))
      throw invalid(name, 'it is our own trust domain, whose bundle comes from our own server alone')
    if (byName.has(name)) throw invalid(name, 'there are two relationships with it')
    byName.set(name, relationship)
  }
  for (const relationship of relationships) {
    checkCycle(relationship, byName)
    checkWay(relationship, byName, ground)
  }
}

/** Each relationship depends on one other at most, so a walk from it either ends or comes back. */
function checkCycle(start: Relationship, byName: ReadonlyMap<string, Relationship>): void {
  const path = [start]
  for (let next = serverOf(start, byName); next !== undefined; next = serverOf(next, byName)) {
    if (path.includes(next)) {
      const names = [...path, next].map(({ trustDomain }) => trustDomain.name)
      throw invalid(start.trustDomain.name, `endpoints that verify each other in a circle: ${names.join(' → ')}`)
    }
    path.push(next)
  }
}

function serverOf(relationship: Relationship, byName: ReadonlyMap<string, Relationship>): Relationship | undefined {
  const other = otherServerOf(relationship)
  return other === undefined ? undefined : byName.get(other.name)
}

/** An X509-SVID is verified with a bundle, which must come from somewhere. */
function checkWay(
  relationship: Relationship,
  byName: ReadonlyMap<string, Relationship>,
  { knowsOthers, isKnown }: RelationshipGround,
): void {
  const { endpoint, trustDomain } = relationship
  if (endpoint.profile === 'https_web') return
  const other = otherServerOf(relationship)
  if (other === undefined) {
    if (endpoint.initial === undefined && !isKnown(relationship))
      throw invalid(trustDomain.name, 'bundle missing: nothing verifies its endpoint the first time')
  } else if (!byName.has(other.name) && !knowsOthers) {
    throw invalid(
      trustDomain.name,
      `its endpoint is of ${other.name}, with which there is no relationship, so that nothing verifies it`,
    )
  }
}
