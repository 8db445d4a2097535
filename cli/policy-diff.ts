import { checkSlices } from '../src/policy-file/check-slices.ts'
import { readPolicyFile } from '../src/policy-file/read-policy.ts'
import { withTraffic, type TouchedTraffic } from '../src/policy/analysis/traffic-of-diff.ts'
import { diffPolicies, type CellChange, type PlacedTables } from '../src/policy/analysis/policy-diff.ts'
import { radiusByZone } from '../src/policy/analysis/radius-by-zone.ts'
import { compile } from '../src/policy/compile.ts'
import type { RegisteredIdentity } from '../src/policy/membership.ts'
import type { PolicySet } from '../src/policy/policy-set.ts'
import { resolveMembership } from '../src/policy/resolve-membership.ts'
import { SliceIndex } from '../src/policy/slice-index.ts'
import type { Transport } from '../src/wire/client.ts'
import { policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { analysedLive } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { EXIT, type GlobalOptions } from './context.ts'
import { countersOf, observed, spanMs } from './decision-source.ts'
import { policyName, policyText } from './policy-source.ts'
import { usablePolicy } from './policy-validate.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'
import { readRegisteredFile } from './registered-file.ts'
import type { Observation } from '../src/policy/analysis/observed.ts'
import { shownId } from '../src/policy/analysis/representatives.ts'

export interface DiffOptions extends GlobalOptions {
  readonly entries?: string
  readonly decisions?: string
  readonly traffic?: string
  readonly newAccess: boolean
}

/** What stands on the command line for a policy: `live`, a revision, else a file. */
const isHeld = (written: string): boolean => written === 'live' || /^\d{1,15}$/.test(written)

export async function diffPolicy(options: DiffOptions, a: string, b: string): Promise<Result> {
  const needsServer = isHeld(a) || isHeld(b)
  const { before, after, traffic } = needsServer
    ? await withServer(options, (transport) => placeBoth(options, a, b, transport))
    : await placeBoth(options, a, b)
  const reach = { moment: { from: Date.now() }, variant: 'intended' } as const
  const changes = diffPolicies(before, after, reach)
  const touched = withTraffic(changes, traffic ?? [])
  const radii = radiusChanges(before, after)
  const widened = changes.filter(({ change }) => change !== 'lost').length
  process.exitCode = !options.newAccess && widened > 0 ? EXIT.failed : EXIT.ok
  return {
    value: {
      gained: valuesOf(touched, 'gained'),
      lost: valuesOf(touched, 'lost'),
      changed: valuesOf(touched, 'changed'),
      radius: radii,
      traffic: traffic !== undefined,
    },
    rows: touched.map((one) => rowOf(one, traffic !== undefined)),
    sentence: summary(changes, radii, options),
    warnings: checkSlices(new SliceIndex(after.tables.set, after.rows)).map(
      ({ code, message }) => `${code} ${message}`,
    ),
  }
}

interface Both {
  readonly before: PlacedTables
  readonly after: PlacedTables
  readonly traffic: Observation[] | undefined
}

async function placeBoth(options: DiffOptions, a: string, b: string, transport?: Transport): Promise<Both> {
  const registered = await registeredFor(options, transport)
  const place = async (written: string): Promise<PlacedTables> => {
    const set = await policyOf(written, transport)
    const rows = resolveMembership(set, registered)
    return { tables: compile(set, rows), rows }
  }
  return { before: await place(a), after: await place(b), traffic: await trafficFor(options, transport) }
}

async function registeredFor({ entries }: DiffOptions, transport?: Transport): Promise<readonly RegisteredIdentity[]> {
  if (entries !== undefined) return readRegisteredFile(await policyText(entries), policyName(entries))
  return transport === undefined ? [] : (await analysedLive(transport)).entries
}

async function trafficFor(options: DiffOptions, transport?: Transport): Promise<Observation[] | undefined> {
  const { decisions, traffic } = options
  if (decisions !== undefined)
    return observed({ ...options, decisions, ...(traffic === undefined ? {} : { since: traffic }) })
  if (traffic === undefined) return undefined
  if (transport !== undefined) return countersOf(transport, Date.now() - spanMs(traffic))
  return observed({ ...options, since: traffic })
}

async function policyOf(written: string, transport?: Transport): Promise<PolicySet> {
  if (transport === undefined || !isHeld(written)) return (await usablePolicy(written)).set
  const revision = written === 'live' ? 0 : Number(written)
  const { policy, source } = await transport.client(policiesService).get({ revision })
  return policy === '' ? readPolicyFile(source, written).set : (JSON.parse(policy) as PolicySet)
}

interface RadiusChange {
  readonly zone: string
  readonly before: number
  readonly after: number
  readonly crownJewelsBefore: number
  readonly crownJewelsAfter: number
}

/** Zones whose widest identity gets further, or less far, than before; zones that observe count as open. */
function radiusChanges(before: PlacedTables, after: PlacedTables): RadiusChange[] {
  const options = { moment: { from: Date.now() }, variant: 'effective' } as const
  const [old, now] = [before, after].map(
    ({ tables, rows }) => new Map(radiusByZone(tables, rows, options).map((radius) => [radius.zone, radius])),
  )
  return [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])]
    .map((zone): RadiusChange => ({
      zone,
      before: old?.get(zone)?.maxServices ?? 0,
      after: now?.get(zone)?.maxServices ?? 0,
      crownJewelsBefore: old?.get(zone)?.maxCrownJewels ?? 0,
      crownJewelsAfter: now?.get(zone)?.maxCrownJewels ?? 0,
    }))
    .filter((change) => change.before !== change.after || change.crownJewelsBefore !== change.crownJewelsAfter)
}

const valuesOf = (touched: readonly TouchedTraffic[], wanted: CellChange['change']) =>
  touched
    .filter(({ change }) => change.change === wanted)
    .map(({ change: { change: _change, ...cell }, count, lastMs }) => ({
      ...cell,
      requests: count,
      lastSeen: lastMs === 0 ? null : new Date(lastMs).toISOString(),
    }))

function rowOf({ change, count, lastMs }: TouchedTraffic, hasTraffic: boolean): Row {
  const { ids, zone, service, action, conduit, rule } = change
  return {
    change: change.change,
    from: sourcesText(ids),
    zone: zone ?? '-',
    to: service,
    action,
    by: [conduit, rule].filter((opener) => opener !== null).join(', '),
    ...(hasTraffic
      ? { requests: count, 'last seen': lastMs === 0 ? 'never' : printInstant(new Date(lastMs), new Date()) }
      : {}),
  }
}

export function sourcesText(ids: readonly string[]): string {
  const [first = ''] = ids
  const name = shownId(first)
  return ids.length === 1 ? name : `${name} and ${counted(ids.length - 1, 'other')}`
}

function summary(changes: readonly CellChange[], radii: readonly RadiusChange[], { newAccess }: DiffOptions): string {
  const count = (wanted: CellChange['change']): number => changes.filter(({ change }) => change === wanted).length
  const parts = [`${count('gained')} gained`, `${count('lost')} lost`, `${count('changed')} on other terms`]
  return [
    changes.length === 0
      ? 'Nobody gains or loses anything.'
      : `${counted(changes.length, 'cell')}: ${parts.join(', ')}.`,
    ...radii.map(
      ({ zone, before, after, crownJewelsBefore, crownJewelsAfter }) =>
        `  from zone ${zone === '' ? '-' : zone}: ${before} → ${counted(after, 'service')} within reach, ${crownJewelsBefore} → ${counted(crownJewelsAfter, 'crown jewel')}`,
    ),
    ...(!newAccess && count('gained') + count('changed') > 0
      ? ['New access is not allowed here: what is gained, or on other terms, would have to go.']
      : []),
  ].join('\n')
}
