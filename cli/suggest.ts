import { Command } from 'commander'
import { printYaml } from '../src/config/print-yaml.ts'
import { printPolicy } from '../src/policy-file/print-policy.ts'
import { readYaml } from '../src/config/yaml-source.ts'
import { BlastRadii } from '../src/policy/analysis/blast-radius.ts'
import type { Admission } from '../src/policy/analysis/admitted.ts'
import type { Flow } from '../src/policy/analysis/observed.ts'
import { ReachGraph } from '../src/policy/analysis/reach.ts'
import { suggest, type Suggestion } from '../src/policy/analysis/suggest.ts'
import { indexLifecycle } from '../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../src/policy/lifecycle.ts'
import type { Tables } from '../src/policy/tables.ts'
import { action } from './action.ts'
import { analysed, withSources, type Analysed, type AnalysisOptions } from './analysis-source.ts'
import { observedTraffic, withSince, type DecisionOptions } from './decision-source.ts'
import { liveLifecycle } from './policy-source.ts'
import { withServer } from './connect.ts'
import { counted, printInstant, type Result } from './print.ts'
import { zoneOf } from './zone-show.ts'

export interface SuggestCommandOptions extends AnalysisOptions, DecisionOptions {
  readonly zone?: string
}

export function suggestCommand(): Command {
  return withSince(
    withSources(
      new Command('suggest')
        .description('draft conduits and rules for what observe mode let pass')
        .option('--zone <zone>', 'only for services in this zone'),
    ),
    '14d',
  )
    .addHelpText(
      'after',
      `
Counted are flows that both ends reported, of registered sources that are not in quarantine and whose class (identities that the
policy treats alike) was seen on at least three days. Patterns, labels or the zone are named where four of five whom they name do the
same, never into target 3 or 4; else sources one by one. No guard is crossed and nobody is named whom a deny rule refuses. What it
prints is a draft: look at who does it, since when, and what is admitted beyond that, because an attacker who is inside already looks
like traffic too.

Examples:
  sallyport suggest --zone legacy --since 30d
  sallyport suggest --policy policy.yaml --entries entries.yaml --decisions decisions.ndjson --output json`,
    )
    .action(action(suggestChanges))
}

export async function suggestChanges(options: SuggestCommandOptions): Promise<Result> {
  const source = await analysed(options)
  if (options.zone !== undefined) zoneOf(source, options.zone)
  const now = Date.now()
  const { suggestions, skipped, changed } = suggest(source.tables, {
    observations: await observedTraffic(options),
    rows: source.rows,
    lifecycle: indexLifecycle(await lifecycleFor(options)),
    now,
    zone: options.zone,
  })
  const costs = radiusCosts(source.tables, changed, suggestions, now)
  return {
    value: {
      suggestions: suggestions.map(({ conduit, rule, evidence: { flows, ...evidence } }, at) => ({
        ...{ conduit, rule, evidence, radius: costs[at] },
        flows: flows.map(flowValue),
      })),
      draft: draftOf(source, suggestions),
      skipped: skipped.map(({ flow, why }) => ({ ...flowValue(flow), why })),
    },
    sentence: print(source, suggestions, costs, now),
    warnings: skipped.map(
      ({ flow, why }) => `not proposed: ${flow.source} → ${flow.service} ${flow.action ?? ''}: ${why}`,
    ),
  }
}

const lifecycleFor = async (options: SuggestCommandOptions): Promise<Lifecycle> =>
  options.policy === undefined ? withServer(options, liveLifecycle) : NO_LIFECYCLE

const flowValue = ({ source, service, action, count, firstMs, lastMs, serverDays, clientDays }: Flow) => ({
  ...{ source, service, action, requests: count, serverDays: serverDays.size, clientDays: clientDays.size },
  ...{ firstSeen: new Date(firstMs).toISOString(), lastSeen: new Date(lastMs).toISOString() },
})

interface RadiusCost {
  readonly before: number
  readonly after: number
}

/** How many services the first source of each reaches, without and with all of them. */
function radiusCosts(tables: Tables, changed: Tables, suggestions: readonly Suggestion[], now: number): RadiusCost[] {
  const [old, next] = [tables, changed].map(
    (some) => new ReachGraph(some, { moment: { from: now }, variant: 'intended' }),
  )
  if (old === undefined || next === undefined) return []
  const [before, after] = [new BlastRadii(old), new BlastRadii(next)]
  return suggestions.map(({ evidence: { flows } }) => {
    const id = flows[0]?.source ?? ''
    return { before: before.radius(old.direct(id)).services, after: after.radius(next.direct(id)).services }
  })
}

/** Only what is new, in the form of the file. */
function draftOf({ set }: Analysed, suggestions: readonly Suggestion[]): string {
  const conduits = suggestions.flatMap(({ conduit }) => conduit ?? [])
  const rules = suggestions.flatMap(({ rule }) => rule ?? [])
  const whole = readYaml(printPolicy({ ...set, conduits, rules })).value as { conduits: unknown; rules: unknown }
  return printYaml({ conduits: whole.conduits, rules: whole.rules })
}

function print(
  source: Analysed,
  suggestions: readonly Suggestion[],
  costs: readonly RadiusCost[],
  now: number,
): string {
  if (suggestions.length === 0) return '# Nothing to propose.'
  const lines = suggestions.flatMap(({ conduit, rule, evidence }, at) => {
    const { requests, firstMs, sources, ofZone, beyond, isOpen } = evidence
    const { before = 0, after = 0 } = costs[at] ?? {}
    const since = printInstant(new Date(firstMs), new Date(now))
    const told = [
      `# ${conduit?.id ?? rule?.id ?? 'nothing is missing any more'}: ${counted(requests, 'would-deny', 'would-denies')} gone,`,
      `seen since ${since}, by ${sources} of ${ofZone} in the zone; first source reaches ${before} → ${counted(after, 'service')}`,
    ].join(' ')
    return [
      told,
      ...beyondLines(beyond),
      ...(isOpen ? ['#   it names whoever is registered like them later, too'] : []),
    ]
  })
  return [
    '# A draft: look at who does it and since when, give each an owner, then `stage: live`.',
    ...lines,
    draftOf(source, suggestions).trimEnd(),
  ].join('\n')
}

/** So many admissions are named. */
const NAMED_MAX = 5

function beyondLines(beyond: readonly Admission[]): string[] {
  if (beyond.length === 0) return []
  const named = beyond.slice(0, NAMED_MAX).map(({ source, service, action }) => `${source} → ${service} ${action}`)
  const more = beyond.length > NAMED_MAX ? [`and ${beyond.length - NAMED_MAX} more`] : []
  return [`#   beyond what was seen it admits ${[...named, ...more].join(', ')}`]
}
