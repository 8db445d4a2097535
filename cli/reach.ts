import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { everybody } from '../src/policy/analysis/everybody.ts'
import { ReachGraph, type Reached } from '../src/policy/analysis/reach.ts'
import { reachedAudiences, type ReachedAudience } from '../src/policy/analysis/token-reach.ts'
import { whoReaches, type Reacher } from '../src/policy/analysis/who-reaches.ts'
import { shownId } from '../src/policy/analysis/representatives.ts'
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
import { counted, type Result, type Row } from './print.ts'

export interface ReachCommandOptions extends AnalysisOptions {
  readonly from?: string
  readonly to?: string
  readonly hops: string
  readonly effective: boolean
}

export function reachCommand(): Command {
  return withMoment(
    withSources(
      new Command('reach')
        .description('say what an identity reaches, or who reaches a service')
        .option('--from <id>', 'what this identity reaches: SPIFFE ID, or its path')
        .option('--to <service>', 'who reaches this service')
        .option('--hops <count>', 'with --from: so many steps, each as the service before', '1')
        .option('--effective', 'zones that observe count as open', false),
    ),
  )
    .addHelpText(
      'after',
      `
Conditions that need a request count as possibly true. Audiences that a zone of target 0 owns are told too, where the identity may be
issued a token for one.

Examples:
  sallyport reach --from /ns/web/sa/storefront
  sallyport reach --to ledger --effective --output json
  sallyport reach --from /ns/web/sa/storefront --hops 3 --policy policy.yaml --entries entries.yaml`,
    )
    .action(action(reach))
}

export async function reach(options: ReachCommandOptions): Promise<Result> {
  const { from, to } = options
  if ((from === undefined) === (to === undefined))
    throw new SallyportError('COMMAND_INVALID', 'Cannot say what is reached: give one of --from and --to')
  const source = await analysed(options)
  const variant = options.effective ? 'effective' : 'intended'
  const graph = new ReachGraph(source.tables, { moment: momentOf(options.at), variant })
  return from === undefined ? reachTo(graph, source, to ?? '') : reachFrom(graph, source, from, options.hops)
}

function reachFrom(graph: ReachGraph, { set }: Analysed, from: string, hops: string): Result {
  const id = idOf(from, set)
  const within = wholeNumber(hops, '--hops')
  const reached = graph.within([id], within)
  const audiences = reachedAudiences(graph, [id], { hops: within, mayFetch: true })
  return {
    value: {
      from: id,
      zone: zoneOf(graph, id),
      reached: reached.map((one) => ({ ...one, zone: graph.zoneOf(one.service) ?? null })),
      audiences,
    },
    rows: [...reached.map((one) => rowOf(graph, one)), ...audiences.map(tokenRow)],
    sentence: printReached(id, reached.length, audiences.length),
  }
}

function printReached(id: string, services: number, audiences: number): string {
  const parts = [
    ...(services === 0 ? [] : [`reaches ${counted(services, 'service')}`]),
    ...(audiences === 0 ? [] : [`may have tokens for ${counted(audiences, 'audience')}`]),
  ]
  return `${id} ${parts.length === 0 ? 'reaches nothing' : parts.join(' and ')}.`
}

const tokenRow = ({ audience, zones, hops, conduit, way }: ReachedAudience): Row => ({
  service: `token for ${audience}`,
  zone: zones.join(', '),
  hops,
  actions: '-',
  conduit,
  rule: '-',
  through: way.map(({ service }) => service).join(' → '),
})

function rowOf(graph: ReachGraph, { service, hops, way }: Reached): Row {
  const last = way.at(-1)
  const own = hops === 1 ? graph.direct(last?.from ?? '').find((direct) => direct.service === service) : undefined
  return {
    service: graph.isCrownJewel(service) ? `${service} (crown jewel)` : service,
    zone: graph.zoneOf(service),
    hops,
    actions: own?.actions.map(({ action }) => action).join(', ') ?? last?.action,
    conduit: last?.conduit ?? '- (observe)',
    rule: last?.rule ?? '- (observe)',
    through: way
      .slice(0, -1)
      .map((step) => step.service)
      .join(' → '),
  }
}

function reachTo(graph: ReachGraph, { set, rows, tables }: Analysed, to: string): Result {
  checkService(set.services, to)
  const reachers = whoReaches(graph, to, everybody(tables, rows))
  return {
    value: { to, zone: graph.zoneOf(to) ?? null, from: reachers },
    rows: reachers.map(printReacher),
    sentence:
      reachers.length === 0
        ? `Nobody reaches ${to}.`
        : `${counted(reachers.length, 'identity', 'identities')} reach ${to}.`,
  }
}

const printReacher = ({ id, zone, actions, conduits, rules }: Reacher): Row => ({
  identity: shownId(id),
  zone: zone ?? '-',
  actions: actions.join(', '),
  conduit: conduits.join(', ') || '- (observe)',
  rule: rules.join(', ') || '- (observe)',
})

export function checkService(services: readonly { readonly id: string }[], wanted: string): void {
  if (services.some(({ id }) => id === wanted)) return
  throw new SallyportError(
    'REQUEST_INVALID',
    `Cannot ask for "${wanted.slice(0, 80)}": the policy has no such service`,
    {
      hint: `It has ${
        services
          .slice(0, 10)
          .map(({ id }) => id)
          .join(', ') || 'none'
      }.`,
    },
  )
}

function zoneOf({ tables }: ReachGraph, id: string): string | null {
  const party = tables.parties.of(id)
  return typeof party === 'string' ? null : (party.zone?.id ?? null)
}
