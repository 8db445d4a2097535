import type { ActionTable } from './action-table.ts'
import type { CompiledConduit } from './conduit.ts'
import type { CompiledTemplate } from './grant-template.ts'
import type { CompiledGuard } from './guard.ts'
import type { IdentitySet, Party } from './party.ts'
import type { Parties } from './parties.ts'
import type { BreakGlass, PolicySet, Service } from './policy-set.ts'
import type { RuleIndex } from './rule-index.ts'
import type { CompiledZone } from './zone.ts'

/** A policy as it decides. Made by `compile`; nothing outside `src/policy` reads its fields. */
export interface Tables {
  readonly set: PolicySet
  readonly parties: Parties
  readonly zones: ReadonlyMap<string, CompiledZone>
  readonly services: ReadonlyMap<string, CompiledService>
  /** By source zone and destination zone, in the order of their ids. */
  readonly conduits: ReadonlyMap<string, ReadonlyMap<string, readonly CompiledConduit[]>>
  readonly movementGuards: readonly CompiledGuard[]
  readonly accessGuards: readonly CompiledGuard[]
  readonly grantTemplates: ReadonlyMap<string, CompiledTemplate>
  readonly breakGlass: ReadonlyMap<string, BreakGlass>
  /** The zones of target 0 that own a JWT-SVID audience. */
  readonly audienceZones: ReadonlyMap<string, readonly string[]>
}

export interface CompiledService {
  readonly id: string
  readonly service: Service
  readonly party: Party
  readonly actions: ActionTable
  readonly authorities: ReadonlySet<string>
  readonly honoursMethodOverride: boolean
  /** Undefined: it takes no forwarded tokens. */
  readonly acceptJwt: { readonly audience: string; readonly forwarders: IdentitySet } | undefined
  readonly rules: RuleIndex
}
