import { SpiffeId } from '../id/spiffe-id.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { SallyportError } from '../errors.ts'
import { actionTable, overlapsOf } from './action-table.ts'
import { compileCondition, type Condition } from './condition/compile-condition.ts'
import { compileConduit, type CompiledConduit } from './conduit.ts'
import { compileTemplate } from './grant-template.ts'
import { compileGuard } from './guard.ts'
import type { IdentityRow } from './membership.ts'
import { identitySet, type Party } from './party.ts'
import { Parties } from './parties.ts'
import type { PolicySet, Rule, Service } from './policy-set.ts'
import { byId, RuleIndex, type CompiledRule } from './rule-index.ts'
import type { CompiledService, Tables } from './tables.ts'
import { compileZone } from './zone.ts'

export interface CompileOptions {
  /** Conduits and rules of the stage `draft` count as live: the shadow set, which is asked beside the live one. */
  readonly withDrafts?: boolean
}

/**
 * Turns a policy and the rows of its identities into tables that decide. Names that lead nowhere (a rule to a service that is not
 * there) open nothing and close nothing: slices are pruned, and what a file may say was checked when it was read.
 *
 * @throws {@link SallyportError} `POLICY_INVALID`, `PATTERN_INVALID`, `PATH_TEMPLATE_INVALID`, `CONDITION_INVALID`
 */
export function compile(set: PolicySet, rows: Iterable<IdentityRow>, options: CompileOptions = {}): Tables {
  TrustDomain.parse(set.trustDomain)
  const isLive = ({ stage }: { readonly stage: 'live' | 'draft' }): boolean =>
    stage === 'live' || options.withDrafts === true
  const zones = new Map(set.zones.map((zone) => [zone.id, compileZone(zone, set.settings)]))
  const parties = new Parties(set, rows, zones)
  const services = compileServices(set, parties)
  addRules(services, set.rules.filter(isLive))
  const identityOf = (service: string): string | undefined => services.get(service)?.party.id
  const guards = set.guards.toSorted(byId).map((guard) => compileGuard(guard, set.trustDomain, identityOf))
  return {
    set,
    parties,
    zones,
    services,
    conduits: compileConduits(set, set.conduits.filter(isLive)),
    movementGuards: guards.filter(({ guard }) => guard.gate === 'movement'),
    accessGuards: guards.filter(({ guard }) => guard.gate === 'access'),
    grantTemplates: new Map(
      set.grantTemplates.map((template) => [template.id, compileTemplate(template, set.trustDomain)]),
    ),
    breakGlass: new Map(set.breakGlass.map((declaration) => [declaration.id, declaration])),
    audienceZones: audienceZones(set),
  }
}

function compileServices(set: PolicySet, parties: Parties): Map<string, CompiledService> {
  const services = new Map<string, CompiledService>()
  for (const service of set.services) services.set(service.id, compileService(service, set.trustDomain, parties))
  return services
}

function compileService(service: Service, trustDomain: string, parties: Parties): CompiledService {
  const [overlap] = overlapsOf(service.actions)
  if (overlap !== undefined) {
    const { a, b } = overlap
    throw new SallyportError(
      'POLICY_INVALID',
      `Cannot use service ${service.id}: one request could be the action ${a.action} and ${b.action} (ZO-41)`,
    )
  }
  return {
    id: service.id,
    service,
    party: partyOfService(service, trustDomain, parties),
    actions: actionTable(service),
    authorities: new Set(service.authorities),
    honoursMethodOverride: service.honoursMethodOverride,
    acceptJwt: service.acceptJwt && {
      audience: service.acceptJwt.audience,
      forwarders: identitySet(service.acceptJwt.forwarders, trustDomain),
    },
    rules: new RuleIndex(trustDomain),
  }
}

function partyOfService({ id, identity }: Service, trustDomain: string, parties: Parties): Party {
  const party = parties.of(SpiffeId.of(TrustDomain.parse(trustDomain), identity).toString())
  if (typeof party !== 'string') return party
  throw new SallyportError('POLICY_INVALID', `Cannot use service ${id}: its identity ${identity} is none (${party})`)
}

function addRules(services: ReadonlyMap<string, CompiledService>, rules: readonly Rule[]): void {
  // Many rules carry the same text.
  const conditions = new Map<string, Condition>()
  const conditionOf = (text: string): Condition => {
    let condition = conditions.get(text)
    if (condition === undefined) conditions.set(text, (condition = compileCondition(text)))
    return condition
  }
  for (const rule of rules) {
    const compiled: CompiledRule = {
      id: rule.id,
      isAllow: rule.effect === 'allow',
      actions: new Set(rule.actions),
      when: rule.when === undefined ? undefined : conditionOf(rule.when),
      rule,
    }
    services.get(rule.to)?.rules.add(compiled)
  }
}

function compileConduits({ trustDomain }: PolicySet, conduits: PolicySet['conduits']): Tables['conduits'] {
  const byZones = new Map<string, Map<string, CompiledConduit[]>>()
  for (const conduit of conduits.toSorted(byId)) {
    let from = byZones.get(conduit.from.zone)
    if (from === undefined) byZones.set(conduit.from.zone, (from = new Map()))
    const between = from.get(conduit.to.zone)
    const compiled = compileConduit(conduit, trustDomain)
    if (between === undefined) from.set(conduit.to.zone, [compiled])
    else between.push(compiled)
  }
  return byZones
}

function audienceZones({ zones }: PolicySet): Map<string, string[]> {
  const owners = new Map<string, string[]>()
  for (const { id, target, audiences } of zones) {
    if (target !== 0) continue
    for (const audience of audiences) owners.set(audience, [...(owners.get(audience) ?? []), id])
  }
  return owners
}
