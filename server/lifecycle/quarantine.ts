import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Deed } from '../audit/deed.ts'
import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import type { LifecycleChange } from '../policy/fast-lane.ts'
import { quarantineOf } from '../policy/live-lifecycle.ts'
import type { LifecycleObject, QuarantineRow } from '../store/policy-rows.ts'
import { changed, changeRow } from './change-row.ts'
import { checkReason, nameOf, newId, notFound, policyFor, refused, type LifecycleDeps } from './lifecycle-deps.ts'

/** Certificates that were issued to a node longer ago have ended: no SVID lives longer than the journal is asked for. */
const ISSUED_WITHIN_MS = 7 * 24 * 3_600_000

/** What the journal says of every kind of SVID: a node may have had a token for an identity, and no certificate. */
const ISSUED: ReadonlySet<string> = new Set(['x509-svid.issued', 'jwt-svid.issued', 'wit-svid.issued'])

export interface QuarantineOrder {
  readonly target: QuarantineRow['target']
  /** Conduits that stay open. */
  readonly forensics: readonly string[]
  readonly reason: string
}

/**
 * Puts an identity, an entry, a node or a zone into quarantine: issuance stops, and every agent hears it at once (§3.11).
 *
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED`, `LIFECYCLE_NOT_FOUND`, `SPIFFE_ID_INVALID`
 */
export async function addQuarantine(order: QuarantineOrder, deed: Deed, deps: LifecycleDeps): Promise<QuarantineRow> {
  checkReason('quarantine', order.reason)
  for (const conduit of order.forensics) checkConduit(conduit, deps)
  const identities = await identitiesOf(order.target, deps)
  return await changeRow(deps, () => {
    const standing = standingFor(order.target, deps)
    if (standing !== undefined && !standing.proposed) {
      throw refused('quarantine', `${order.target.id} is in quarantine already, as ${standing.id}`)
    }
    const { reason, forensics } = order
    const fresh = { reason, by: nameOf(deed), sinceMs: deed.at.getTime(), identities, forensics, proposed: false }
    const row: QuarantineRow =
      standing === undefined
        ? { kind: 'quarantine', id: newId('q', deps), revisionNumber: 0, target: order.target, ...fresh }
        : changed(standing, fresh)
    return {
      row,
      events: [{ kind: 'quarantine.add', body: quarantineOf(row) }],
      audit: [lifecycleEvent('quarantine.added', deed, factsOf(row))],
    }
  })
}

/** Ends a quarantine, or drops a proposal. @param id its own id, or that of its target */
export async function removeQuarantine(
  id: string,
  reason: string,
  deed: Deed,
  deps: LifecycleDeps,
): Promise<QuarantineRow> {
  return await changeRow(deps, () => {
    const standing = quarantines(deps).find((one) => one.id === id || one.target.id === id)
    if (standing === undefined) throw notFound('quarantine', id)
    const row = changed(standing, { endedMs: deed.at.getTime(), endedBy: nameOf(deed) })
    return {
      row,
      events: standing.proposed ? [] : [{ kind: 'quarantine.remove', body: { id: row.id } }],
      audit: [lifecycleEvent('quarantine.removed', deed, { ...factsOf(row), reason })],
    }
  })
}

/** Notes that somebody should look at a node: nothing is closed by it. */
export async function proposeQuarantine(node: SpiffeId, reason: string, at: Date, deps: LifecycleDeps): Promise<void> {
  const target = { kind: 'node', id: node.toString() } as const
  const identities = await identitiesOf(target, deps)
  await deps.fastLane.change((): LifecycleChange => {
    if (standingFor(target, deps) !== undefined) return { mutations: [], events: [], audit: [] }
    const row: QuarantineRow = {
      ...{ kind: 'quarantine', id: newId('q', deps), revisionNumber: 0, target, identities, forensics: [] },
      ...{ reason, by: 'server', sinceMs: at.getTime(), proposed: true },
    }
    return {
      mutations: [{ kind: 'lifecycle.put', row }],
      events: [],
      audit: [lifecycleEvent('quarantine.proposed', { at }, factsOf(row))],
    }
  })
}

/** Those that stand, proposals included. */
export const quarantines = ({ book }: Pick<LifecycleDeps, 'book'>): QuarantineRow[] =>
  [...book.lifecycleRows()].filter(isStanding)

const isStanding = (row: LifecycleObject): row is QuarantineRow =>
  row.kind === 'quarantine' && row.endedMs === undefined

const standingFor = (target: QuarantineRow['target'], deps: Pick<LifecycleDeps, 'book'>): QuarantineRow | undefined =>
  quarantines(deps).find((row) => row.target.kind === target.kind && row.target.id === target.id)

function checkConduit(id: string, deps: LifecycleDeps): void {
  if (!policyFor('quarantine', deps).conduits.some((conduit) => conduit.id === id)) {
    throw refused('quarantine', `forensics: there is no conduit ${id}`)
  }
}

async function identitiesOf(target: QuarantineRow['target'], deps: LifecycleDeps): Promise<readonly string[]> {
  switch (target.kind) {
    case 'identity':
      return [SpiffeId.parse(target.id).toString()]
    case 'entry': {
      const entry = deps.directory.entry(target.id)
      if (entry === undefined) throw notFound('registration entry', target.id)
      return [entry.spiffeId.toString()]
    }
    case 'node':
      return await idsOfNode(SpiffeId.parse(target.id), deps)
    case 'zone':
      if (!policyFor('quarantine', deps).zones.some(({ id }) => id === target.id)) throw notFound('zone', target.id)
      return []
  }
}

/** What the node may have been issued: its entries as they are, and what the journal says (entries may be gone). */
async function idsOfNode(node: SpiffeId, { directory, store, clock }: LifecycleDeps): Promise<string[]> {
  const ids = new Set(
    [...directory.entitled(node), ...directory.entriesUnder(node)].map((entry) => String(entry.spiffeId)),
  )
  const since = new Date(clock.now().getTime() - ISSUED_WITHIN_MS)
  for await (const { type, facts } of store.audit({ since })) {
    // Most of the journal is about other nodes, and is not worth parsing.
    if (!ISSUED.has(type) || !facts.includes(node.toString())) continue
    const { agentId, spiffeId } = JSON.parse(facts) as { agentId?: string; spiffeId?: string }
    if (agentId === node.toString() && spiffeId !== undefined) ids.add(spiffeId)
  }
  ids.delete(node.toString())
  return [...ids].toSorted()
}

const factsOf = ({ id, target, identities, forensics, reason }: QuarantineRow) => ({
  ...{ quarantineId: id, kind: target.kind, target: target.id, reason, forensics },
  spiffeId: target.kind === 'identity' || target.kind === 'node' ? target.id : identities[0],
})
