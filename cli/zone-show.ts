import { SallyportError } from '../src/errors.ts'
import type { Conduit, Member, Zone } from '../src/policy/policy-set.ts'
import { analysed, type Analysed, type AnalysisOptions } from './analysis-source.ts'
import type { DecisionOptions } from './decision-source.ts'
import { counted, type Result, type Row } from './print.ts'

export interface ZoneOptions extends AnalysisOptions, DecisionOptions {
  readonly check?: boolean
  readonly observingSince?: string
}

/** Identities of a zone that are shown to people; machines get all. */
const SHOWN_MAX = 50

export async function listZones(options: ZoneOptions): Promise<Result> {
  const source = await analysed(options)
  const zones = source.set.zones.map((zone) => factsOf(source, zone))
  return {
    value: zones,
    rows: zones.map(({ id, target, sensitivity, admin, mode, crownJewel, owner, identities, services }): Row => ({
      ...{ zone: id, target, sensitivity, admin, mode, owner },
      'crown jewel': crownJewel ? 'yes' : '',
      identities: identities.length,
      services: services.length,
    })),
    ...(zones.length === 0 ? { sentence: 'The policy has no zones.' } : {}),
  }
}

export async function showZone(options: ZoneOptions, id: string): Promise<Result> {
  const source = await analysed(options)
  const zone = zoneOf(source, id)
  const facts = factsOf(source, zone)
  const conduits = source.set.conduits.filter(({ from, to }) => from.zone === id || to.zone === id)
  const levels = conduits.map((conduit) => ({ id: conduit.id, level: levelOf(source, conduit) }))
  const more = facts.identities.length - SHOWN_MAX
  return {
    value: { ...zone, ...facts, conduits: conduits.map((conduit, at) => ({ ...conduit, level: levels[at]?.level })) },
    title: [
      `zone ${id}   target ${zone.target} ${zone.sensitivity}${zone.crownJewel ? ' crown jewel' : ''}   admin ${zone.admin}   mode ${zone.mode}   owner ${zone.owner}`,
      `members     ${zone.members.map(printMember).join(', ') || 'none'}`,
      `services    ${facts.services.join(', ') || 'none'}`,
      `identities  ${facts.identities.slice(0, SHOWN_MAX).join(', ') || 'none registered'}${more > 0 ? ` and ${more} more` : ''}`,
    ].join('\n'),
    rows: conduits.map((conduit) => conduitRow(source, conduit)),
    sentence: conduits.length === 0 ? 'No conduit leads in or out.' : `${counted(conduits.length, 'conduit')}.`,
  }
}

export function zoneOf({ set }: Pick<Analysed, 'set'>, id: string): Zone {
  const zone = set.zones.find((one) => one.id === id)
  if (zone !== undefined) return zone
  throw new SallyportError('REQUEST_INVALID', `Cannot use zone "${id.slice(0, 80)}": the policy has no such zone`, {
    hint: '`sallyport zone list` shows them.',
  })
}

function factsOf({ tables, rows }: Analysed, { id, target, sensitivity, admin, mode, crownJewel, owner }: Zone) {
  return {
    ...{ id, target, sensitivity, admin, mode, crownJewel, owner },
    identities: rows.filter((row) => row.zone === id).map(({ spiffeId }) => spiffeId),
    services: [...tables.services.values()].filter(({ party }) => party.zone?.id === id).map((service) => service.id),
  }
}

/** A conduit inherits the higher target of its zones (§3.3). */
function levelOf({ tables }: Analysed, { from, to }: Conduit): number {
  return Math.max(tables.zones.get(from.zone)?.target ?? 0, tables.zones.get(to.zone)?.target ?? 0)
}

const conduitRow = (source: Analysed, conduit: Conduit): Row => ({
  conduit: conduit.id,
  from: conduit.from.zone,
  to: conduit.to.zone,
  level: levelOf(source, conduit),
  allow: conduit.allow.map(({ protocol, ports }) => `${protocol} ${ports.join(', ')}`).join('; '),
  owner: conduit.owner,
  why: conduit.justification,
})

const printMember = ({ spiffe, entryLabel, selector }: Member): string =>
  [
    ...(spiffe === undefined ? [] : [spiffe]),
    ...Object.entries(entryLabel ?? {}).map(([key, value]) => `label ${key}=${value}`),
    ...(selector === undefined ? [] : [`selector ${selector}`]),
  ].join(' and ')
