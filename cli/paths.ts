import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { cheapestCut, type Cut } from '../src/policy/analysis/cheapest-cut.ts'
import { everybody } from '../src/policy/analysis/everybody.ts'
import { chokePoints, exposures } from '../src/policy/analysis/exposure.ts'
import { jewelPaths, type JewelPath } from '../src/policy/analysis/jewel-paths.ts'
import { ReachGraph, type Step } from '../src/policy/analysis/reach.ts'
import { shownId } from '../src/policy/analysis/representatives.ts'
import { action, collect } from './action.ts'
import { analysed, momentOf, withMoment, withSources, type Analysed, type AnalysisOptions } from './analysis-source.ts'
import { EXIT } from './context.ts'
import { observed, withSince, type DecisionOptions } from './decision-source.ts'
import { counted, type Result, type Row } from './print.ts'

export interface PathsOptions extends AnalysisOptions, DecisionOptions {
  readonly toCrownJewels: boolean
  readonly fromZone?: readonly string[]
  readonly intended: boolean
  readonly cut: boolean
  readonly keep?: readonly string[]
}

export function pathsCommand(): Command {
  return withSince(
    withMoment(
      withSources(
        new Command('paths')
          .description('show the ways that lead to what is worth most, where they meet, and what to cut')
          .requiredOption('--to-crown-jewels', 'to every service in a zone with `crownJewel: true`')
          .option('--from-zone <zone>', 'from this zone; repeat for more (default: zones of target 0 and 1)', collect)
          .option('--intended', 'zones that observe count as enforced', false)
          .option('--cut', 'also say what to remove so that no way is left, touching the least traffic', false)
          .option('--keep <conduit>', 'with --cut: this conduit must stay; repeat for more', collect),
      ),
    ),
    '90d',
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 no way leads there, 1 one does.

Examples:
  sallyport paths --to-crown-jewels
  sallyport paths --to-crown-jewels --from-zone edge --cut --since 30d
  sallyport paths --to-crown-jewels --cut --keep shop-to-ledger --policy policy.yaml --decisions decisions.ndjson`,
    )
    .action(action(paths))
}

export async function paths(options: PathsOptions): Promise<Result> {
  const source = await analysed(options)
  const { tables, rows } = source
  const zones = startZones(source, options.fromZone)
  const reach = { moment: momentOf(options.at), variant: options.intended ? 'intended' : 'effective' } as const
  const graph = new ReachGraph(tables, reach)
  const classes = everybody(tables, rows).filter(({ example }) => zones.has(example.zone?.id ?? ''))
  const found = jewelPaths(
    graph,
    classes.map(({ example }) => example),
  )
  const exposed = exposures(graph, classes, found)
  const chokes = chokePoints(tables, reach, classes, found)
  const sources = classes.map(({ example }) => example)
  const cut = options.cut
    ? cheapestCut(tables, reach, {
        sources,
        observations: (await observed(options)) ?? [],
        keep: keptConduits(source, options.keep),
      })
    : null
  process.exitCode = found.length === 0 ? EXIT.ok : EXIT.failed
  return {
    value: {
      fromZones: [...zones],
      paths: found,
      exposures: exposed,
      chokePoints: chokes,
      cut: cut ?? null,
      cuttable: cut !== undefined,
    },
    rows: shortestByZone(found).map(rowOf),
    sentence: [
      found.length === 0 ? 'No way leads to a crown jewel.' : '',
      ...exposed.map(
        ({ jewel, identities, percent }) =>
          `${jewel}: ${counted(identities, 'identity', 'identities')} of these zones can get there (${percent} %)`,
      ),
      ...chokes
        .slice(0, 5)
        .map(({ conduit, relieved }) => `choke point ${conduit}: without it ${counted(relieved, 'way')} less`),
      ...(cut === null ? [] : cutLines(cut)),
    ]
      .filter((line) => line !== '')
      .join('\n'),
  }
}

function startZones({ set }: Analysed, named: readonly string[] | undefined): Set<string> {
  for (const id of named ?? [])
    if (!set.zones.some((zone) => zone.id === id))
      throw new SallyportError(
        'REQUEST_INVALID',
        `Cannot start from "${id.slice(0, 80)}": the policy has no such zone`,
        {
          hint: '`sallyport zone list` shows them.',
        },
      )
  return new Set(named ?? set.zones.filter(({ target, crownJewel }) => target <= 1 && !crownJewel).map(({ id }) => id))
}

function keptConduits({ set }: Analysed, named: readonly string[] = []): Set<string> {
  for (const id of named)
    if (!set.conduits.some((conduit) => conduit.id === id))
      throw new SallyportError('REQUEST_INVALID', `Cannot keep "${id.slice(0, 80)}": the policy has no such conduit`)
  return new Set(named)
}

/** One of each zone and jewel. */
function shortestByZone(found: readonly JewelPath[]): JewelPath[] {
  const groups = Map.groupBy(found, ({ zone, jewel }) => `${zone ?? ''}\n${jewel}`)
  return [...groups.values()].flatMap((own) => own.toSorted((a, b) => a.way.length - b.way.length)[0] ?? [])
}

function rowOf({ from, zone, jewel, way }: JewelPath): Row {
  return {
    jewel,
    'from zone': zone ?? '-',
    hops: way.length,
    way: [shownId(from), ...way.map(printStep)].join(' → '),
  }
}

const printStep = ({ service, action, conduit }: Step): string => `${service} (${action} by ${conduit ?? 'observe'})`

function cutLines(cut: readonly Cut[] | undefined): string[] {
  if (cut === undefined) return ['There is nothing to cut: what must stay, or the zone itself, leads to a crown jewel.']
  if (cut.length === 0) return []
  return [
    'cheapest cut:',
    ...cut.map(({ kind, id, uses }) =>
      kind === 'conduit'
        ? `  remove conduit ${id} (${counted(uses, 'request')} seen)`
        : `  enforce zone ${id} (${counted(uses, 'request')} that only observe mode let in)`,
    ),
  ]
}
