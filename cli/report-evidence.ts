import { runPolicyTests } from '../src/policy-file/run-tests.ts'
import { BlastRadii } from '../src/policy/analysis/blast-radius.ts'
import { everybody } from '../src/policy/analysis/everybody.ts'
import { jewelPaths } from '../src/policy/analysis/jewel-paths.ts'
import { needlessRules } from '../src/policy/analysis/needless-rules.ts'
import type { Observation } from '../src/policy/analysis/observed.ts'
import { privileges } from '../src/policy/analysis/privilege.ts'
import { ReachGraph } from '../src/policy/analysis/reach.ts'
import { staleIdentities } from '../src/policy/analysis/stale.ts'
import { standingRules } from '../src/policy/analysis/standing.ts'
import { unusedObjects } from '../src/policy/analysis/unused.ts'
import { X509_TTL_MS } from '../src/policy/analysis/compromise.ts'
import { analysed, momentOf, type Analysed } from './analysis-source.ts'
import { observed, spanMs } from './decision-source.ts'
import { evidenceRows, figureNames, type FigureName } from './evidence.ts'
import type { Result } from './print.ts'
import type { ReportOptions } from './report-traffic.ts'

/** Null: it takes traffic, and none is known. */
type Figures = Readonly<Record<FigureName, string | null>>

const STANDING_DAYS = 10
const LONG_LIVED_MS = 4 * 3_600_000

export async function reportEvidence(options: ReportOptions): Promise<Result> {
  const source = await analysed(options)
  const figures = figuresOf(source, await observed(options), options)
  const rows = evidenceRows.map((row) => ({
    ...row,
    figures: row.figures.map((name) => ({ name, means: figureNames[name], value: figures[name] })),
  }))
  return {
    value: { policy: source.set.name, revision: source.revision ?? null, figures, rows },
    rows: rows.map(({ standard, id, demand, commands, figures }) => ({
      demand: `${id} ${demand}`,
      standard,
      evidence: commands.length === 0 ? 'not covered' : commands.map((command) => `sallyport ${command}`).join('; '),
      now: figures.map(({ name, value }) => `${name} ${value ?? 'not known'}`).join(', '),
    })),
    sentence: Object.entries(figureNames)
      .map(([name, means]) => `${name}: ${means}`)
      .join('\n'),
  }
}

function figuresOf(source: Analysed, traffic: readonly Observation[] | undefined, options: ReportOptions): Figures {
  const { tables, rows, entries, set } = source
  const moment = momentOf(options.at)
  const intended = { moment, variant: 'intended' } as const
  const effective = { moment, variant: 'effective' } as const
  const now = Date.now()
  const stale = staleIdentities(tables, {
    ...{ entries, rows, observations: traffic, issued: undefined, offboarded: new Set<string>() },
    sinceMs: now - spanMs(options.since ?? '90d'),
  })
  const graph = new ReachGraph(tables, effective)
  const low = everybody(tables, rows).filter(({ example: { zone } }) => (zone?.target ?? 9) <= 1)
  const exposed = new Set(
    jewelPaths(
      graph,
      low.map(({ example }) => example),
    ).map(({ from }) => from),
  )
  const { tests, invariants } = runPolicyTests(set, { now, registered: entries })
  const withTraffic = (count: (traffic: readonly Observation[]) => number): string | null =>
    traffic === undefined ? null : String(count(traffic))
  return {
    services: String(set.services.length),
    zonesEnforcing: `${set.zones.filter(({ mode }) => mode === 'enforce').length} of ${set.zones.length}`,
    unplaced: String(stale.filter(({ kind }) => kind === 'unplaced' || kind === 'ambiguous').length),
    longLived: String(entries.filter(({ x509TtlMs = X509_TTL_MS }) => x509TtlMs > LONG_LIVED_MS).length),
    unused: withTraffic((some) => unusedObjects(tables, some).found.length),
    standing: withTraffic((some) => standingRules(tables, some, STANDING_DAYS).length),
    excess: withTraffic((some) =>
      sum(
        privileges(tables, rows, some, intended)
          .filter(({ excess }) => excess > 0)
          .map(({ ids }) => ids.length),
      ),
    ),
    idle: withTraffic(() => stale.filter(({ kind }) => kind === 'idle').length),
    exposed: String(sum(low.filter(({ example }) => exposed.has(example.id)).map(({ ids }) => ids.length))),
    maxRadius: String(Math.max(0, ...new BlastRadii(graph).ofAll(rows).map(({ services }) => services))),
    foreign: foreignConduits(source),
    crossTarget: String(upwardRights(source, new ReachGraph(tables, intended))),
    shared: String(sharedIds(source)),
    testsFailed: String(
      tests.filter(({ passed }) => !passed).length + invariants.filter(({ outcome }) => outcome === 'failed').length,
    ),
    needless: String(needlessRules(tables, rows, intended).length),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

function foreignConduits({ set, tables }: Analysed): string {
  const foreign = set.conduits.filter(
    ({ from, stage }) => stage === 'live' && tables.zones.get(from.zone)?.target === 0,
  )
  return `${foreign.length}, ${foreign.filter(({ valid }) => valid.until !== undefined).length} end`
}

function upwardRights({ tables, rows }: Analysed, graph: ReachGraph): number {
  return sum(
    everybody(tables, rows).map(({ example }) => {
      const up = graph
        .direct(example.id)
        .filter(({ service }) => (tables.services.get(service)?.party.zone?.target ?? 0) > (example.zone?.target ?? 0))
      return sum(up.map(({ actions }) => actions.length))
    }),
  )
}

function sharedIds({ entries }: Analysed): number {
  const parents = [...Map.groupBy(entries, ({ spiffeId }) => spiffeId).values()]
  return parents.filter((own) => new Set(own.map(({ parent }) => parent)).size > 1).length
}
