import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { compile } from '../../src/policy/compile.ts'
import { mayNameAudience } from '../../src/policy/audience.ts'
import type { PolicyRevisionRow } from '../store/policy-rows.ts'
import type { Tables } from '../../src/policy/tables.ts'
import type { PolicyBook } from './policy-book.ts'

/** Asked before anything is signed: what a mesh has not and an issuer has (§3.5 "Issuance gate"). */
export interface IssuanceGate {
  /** Why an identity may have no SVID now, or undefined. Ids of other kinds (agents, servers) pass. */
  refusal(spiffeId: SpiffeId, agentId?: SpiffeId): SallyportError | undefined
  /** The longest life of its X509-SVID that its zone allows, or undefined: the server's own limits hold. */
  x509TtlSeconds(spiffeId: SpiffeId): number | undefined
  /** Why it may have no token for these audiences, or undefined. */
  audienceRefusal(spiffeId: SpiffeId, audience: readonly string[]): SallyportError | undefined
}

/** For a server that has no policy, and tests. */
export const openGate: IssuanceGate = {
  refusal: () => undefined,
  x509TtlSeconds: () => undefined,
  audienceRefusal: () => undefined,
}

/** The gate by the policy and lifecycle that hold. Observe softens nothing here. */
export function issuanceGate(book: PolicyBook, clock: Pick<Clock, 'now'>): IssuanceGate {
  const tablesOf = audienceTables()
  const partyOf = (spiffeId: SpiffeId) => {
    const id = spiffeId.toString()
    return book.current?.members.partyOf(id) ?? { id, zoneIds: [] }
  }
  return {
    refusal(spiffeId, agentId) {
      const { lifecycleIndex, lifecycle } = book
      const isNodeHeld = lifecycle.quarantines.some(
        ({ target }) => 'node' in target && target.node === agentId?.toString(),
      )
      if (isNodeHeld) return refused(spiffeId, `its node ${agentId?.toString()} is in quarantine`)
      const quarantined = lifecycleIndex.quarantinesOf(partyOf(spiffeId)).length > 0
      if (quarantined) return refused(spiffeId, 'it is in quarantine')
      return lifecycleIndex.offboarded.has(spiffeId.toString()) ? refused(spiffeId, 'it is offboarded') : undefined
    },

    x509TtlSeconds(spiffeId) {
      const { current } = book
      const target = current?.members.partyOf(spiffeId.toString()).zone?.target
      const limitMs = target === undefined ? undefined : current?.row.policy.settings.x509TtlMs[target]
      return limitMs === undefined ? undefined : Math.max(1, Math.floor(limitMs / 1000))
    },

    audienceRefusal(spiffeId, audience) {
      const { current } = book
      if (current === undefined) return undefined
      const tables = tablesOf(current.row)
      if (tables.audienceZones.size === 0) return undefined
      const party = current.members.partyOf(spiffeId.toString())
      const nowMs = clock.now().getTime()
      const closed = audience.find((one) => !mayNameAudience(tables, party, one, nowMs, () => undefined))
      if (closed === undefined) return undefined
      const zones = tables.audienceZones.get(closed)?.join(', ') ?? ''
      const from = party.zone === undefined ? 'it is in no zone' : `no conduit from its zone ${party.zone.id} is open`
      return refused(spiffeId, `the audience ${JSON.stringify(closed)} belongs to zone ${zones}, and ${from}`)
    },
  }
}

/** The audiences and conduits of a policy, compiled when the first token is asked for under it. */
function audienceTables(): (row: PolicyRevisionRow) => Tables {
  let known: { readonly row: PolicyRevisionRow; readonly tables: Tables } | undefined
  return (row) => {
    if (known?.row !== row) {
      const { policy } = row
      known = { row, tables: compile({ ...policy, services: [], rules: [], guards: [], grantTemplates: [] }, []) }
    }
    return known.tables
  }
}

const refused = (spiffeId: SpiffeId, why: string): SallyportError =>
  new SallyportError('ISSUANCE_REFUSED', `Cannot issue an SVID for ${spiffeId}: ${why}`)
