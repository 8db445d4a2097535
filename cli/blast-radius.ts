import { Command, Option } from 'commander'
import {
  compromiseModels,
  heldIdentities,
  quarantineWindow,
  type CompromiseModel,
  type QuarantineWindow,
} from '../src/policy/analysis/compromise.ts'
import { ReachGraph, type Reached, type Step } from '../src/policy/analysis/reach.ts'
import { reachedAudiences, type ReachedAudience } from '../src/policy/analysis/token-reach.ts'
import { action } from './action.ts'
import {
  analysed,
  idOf,
  momentOf,
  wholeNumber,
  withMoment,
  withSources,
  type Analysed,
  type AnalysisOptions,
} from './analysis-source.ts'
import { enforcement, type DecisionOptions, withDecisions } from './decision-source.ts'
import { counted, type Result } from './print.ts'

export interface BlastRadiusOptions extends AnalysisOptions, DecisionOptions {
  readonly model: CompromiseModel
  readonly hops?: string
}

export function blastRadiusCommand(): Command {
  return withDecisions(
    withMoment(
      withSources(
        new Command('blast-radius')
          .argument('<id>', 'SPIFFE ID, or its path in the own trust domain')
          .description('say how far an attacker gets who has taken an identity')
          .addOption(
            new Option('--model <model>', 'what was taken: its key, its process, or its node')
              .choices(compromiseModels)
              .default('workload'),
          )
          .option('--hops <count>', 'at most so many steps (default: as many as there are)'),
      ),
    ),
  )
    .addHelpText(
      'after',
      `
Whoever has a process, and not only a key, also has the tokens that its identity may be issued: audiences that a zone of target 0 owns
are reached like services, and their zones are counted.

intended: as the policy is written. effective: zones that observe count as open. worst: services that were never seen to enforce
admit everybody as well, as plain SPIFFE servers do.

Examples:
  sallyport blast-radius /ns/web/sa/storefront
  sallyport blast-radius spiffe://example.org/ns/ops/sa/bastion --model node --hops 2
  sallyport blast-radius /ns/web/sa/storefront --policy policy.yaml --entries entries.yaml --output json`,
    )
    .action(action(blastRadius))
}

interface Variant {
  readonly reached: readonly Reached[]
  readonly zones: readonly string[]
  readonly crownJewels: readonly string[]
  readonly audiences: readonly ReachedAudience[]
}

export async function blastRadius(options: BlastRadiusOptions, written: string): Promise<Result> {
  const source = await analysed(options)
  const id = idOf(written, source.set)
  const held = heldIdentities(source.entries, id, options.model)
  const hops = options.hops === undefined ? Infinity : wholeNumber(options.hops, '--hops')
  const moment = momentOf(options.at)
  const { unenforced, isKnown } = await enforcement(options, source)
  const variantOf = (variant: 'intended' | 'effective', open?: ReadonlySet<string>): Variant =>
    count(new ReachGraph(source.tables, { moment, variant, ...(open === undefined ? {} : { unenforced: open }) }), {
      held,
      hops,
      mayFetch: options.model !== 'key',
    })
  const intended = variantOf('intended')
  const effective = variantOf('effective')
  const worst = variantOf('effective', unenforced)
  const window = quarantineWindow(
    source.tables,
    source.entries,
    held,
    worst.reached.map(({ service }) => service),
  )
  const others = otherPeers(source, held)
  const biggest = biggestStep(source, effective.reached)
  const shown = { id, model: options.model, hops, held, intended, effective, worst, window, others, biggest, isKnown }
  return { value: valueOf(shown), sentence: print(source, shown) }
}

interface Shown {
  readonly id: string
  readonly model: CompromiseModel
  readonly hops: number
  readonly held: readonly string[]
  readonly intended: Variant
  readonly effective: Variant
  readonly worst: Variant
  readonly window: QuarantineWindow
  /** Registered identities that are no service of the policy: what they serve, the policy does not protect. */
  readonly others: number
  readonly biggest: { readonly step: Step; readonly from: string } | undefined
  readonly isKnown: boolean
}

interface Taking {
  readonly held: readonly string[]
  readonly hops: number
  readonly mayFetch: boolean
}

function count(graph: ReachGraph, { held, hops, mayFetch }: Taking): Variant {
  const own = new Set(held)
  const reached = graph.within(held, hops).filter(({ service }) => !own.has(graph.identityOf(service) ?? ''))
  const audiences = reachedAudiences(graph, held, { hops, mayFetch })
  const zones = [...reached.map(({ service }) => graph.zoneOf(service)), ...audiences.flatMap((token) => token.zones)]
  return {
    reached,
    audiences,
    zones: [...new Set(zones.filter((zone) => zone !== undefined))],
    crownJewels: reached.map(({ service }) => service).filter((service) => graph.isCrownJewel(service)),
  }
}

function otherPeers({ tables, rows }: Analysed, held: readonly string[]): number {
  const known = new Set([...held, ...[...tables.services.values()].map(({ party }) => party.id)])
  return rows.filter(({ spiffeId }) => !known.has(spiffeId)).length
}

/** The step into what is worth most: a crown jewel, else the highest target, the nearest of them. */
function biggestStep({ tables, set }: Analysed, reached: readonly Reached[]): Shown['biggest'] {
  const worth = ({ service }: Reached): number => {
    const zone = tables.services.get(service)?.party.zone
    return (zone?.crownJewel === true ? 10 : 0) + (zone?.target ?? 0)
  }
  const [best] = reached.toSorted((a, b) => worth(b) - worth(a) || a.hops - b.hops)
  const step = best?.way.at(-1)
  if (step === undefined) return undefined
  const from = [...tables.services.values()].find(({ party }) => party.id === step.from)?.id
  return { step, from: from ?? step.from.replace(`spiffe://${set.trustDomain}`, '') }
}

function valueOf({ intended, effective, worst, biggest, hops, others, isKnown, ...shown }: Shown) {
  const readable = ({ reached, zones, crownJewels, audiences }: Variant) => ({
    services: reached.length,
    zones: zones.length,
    crownJewels: crownJewels.length,
    audiences,
    reached,
  })
  return {
    ...shown,
    hops: Number.isFinite(hops) ? hops : null,
    intended: readable(intended),
    effective: readable(effective),
    worst: { ...readable(worst), enforcementKnown: isKnown, otherPeers: others },
    biggestStep: biggest?.step ?? null,
  }
}

const LABEL_WIDTH = 40
const COLUMN_WIDTH = 11

function print(source: Analysed, shown: Shown): string {
  const { id, model, hops, held, intended, effective, worst, window, others, biggest, isKnown } = shown
  const name = id.split('/').at(-1) ?? id
  const line = (label: string, counts: readonly (number | string)[], note = ''): string =>
    `${label.padEnd(LABEL_WIDTH)}${counts.map((value) => String(value).padStart(COLUMN_WIDTH)).join('')}${note === '' ? '' : `   ${note}`}`.trimEnd()
  const three = (of: (variant: Variant) => number): number[] => [of(intended), of(effective), of(worst)]
  const head = `${name}  model=${model}  hops=${Number.isFinite(hops) ? hops : 'all'}`
  return [
    line(head, ['intended', 'effective', 'worst']),
    line(
      '  services reachable',
      three(({ reached }) => reached.length),
    ),
    line(
      '  zones',
      three(({ zones }) => zones.length),
    ),
    line(
      '  crown jewels',
      three(({ crownJewels }) => crownJewels.length),
      worst.crownJewels.join(', '),
    ),
    ...tokenLines(source, shown, line),
    line('  re-issuable identities', [held.length, held.length, held.length], reissue(source, model, held)),
    ...reachLines(shown),
    `  window after quarantine: <= ${printSpan(window.usualMs)} (fast lane p99); cut-off agent: ${printSpan(window.cutOffMs)} (${window.endedBy})`,
    ...(biggest === undefined
      ? []
      : [`  biggest step: ${opener(biggest.step)} (${biggest.from} -> ${biggest.step.service})`]),
    ...(isKnown ? [] : ['  which services enforce is not known here: give --decisions, or ask the server']),
    ...(others === 0
      ? []
      : [
          `  ${counted(others, 'other registered identity', 'other registered identities')}: where one of them serves without enforcing, everybody is let in`,
        ]),
  ].join('\n')
}

/** Audiences that zones own; where none does, a token for any is had by whoever may fetch one. */
function tokenLines(
  { tables }: Analysed,
  { intended, effective, worst, model }: Shown,
  line: (label: string, counts: readonly number[], note: string) => string,
): string[] {
  if (tables.audienceZones.size === 0) return model === 'key' ? [] : ['  token audiences: any, as no zone owns one']
  const counts = [intended, effective, worst].map(({ audiences }) => audiences.length)
  const names = worst.audiences.map(({ audience }) => audience).join(', ')
  return [line('  token audiences that zones own', counts, names)]
}

function reachLines({ intended, effective, worst }: Shown): string[] {
  const seen = new Set<string>()
  const fresh = ({ reached }: Variant): string =>
    reached
      .filter(({ service }) => !seen.has(service) && seen.add(service))
      .map(({ service, hops }) => `${service}(${hops})`)
      .join(' ')
  const lines: [string, string][] = [
    ['intended', fresh(intended)],
    ['observe adds', fresh(effective)],
    ['not enforcing adds', fresh(worst)],
  ]
  return lines.filter(([, names]) => names !== '').map(([label, names]) => `  ${label}: ${names}`)
}

function reissue({ entries }: Analysed, model: CompromiseModel, held: readonly string[]): string {
  if (model === 'key') return 'a key cannot renew'
  if (entries.length === 0) return 'no entries given'
  return model === 'node'
    ? 'all below its nodes'
    : held.length === 1
      ? 'selectors match one identity'
      : held.slice(1, 4).join(', ')
}

const opener = ({ conduit, rule }: Step): string =>
  conduit === null ? 'no conduit, the zone observes' : `conduit ${conduit}${rule === null ? '' : `, rule ${rule}`}`

export function printSpan(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
