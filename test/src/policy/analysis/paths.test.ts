import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cheapestCut, type Cut } from '../../../../src/policy/analysis/cheapest-cut.ts'
import type { ReachOptions } from '../../../../src/policy/analysis/direct-reach.ts'
import { everybody } from '../../../../src/policy/analysis/everybody.ts'
import { chokePoints, exposures } from '../../../../src/policy/analysis/exposure.ts'
import { jewelPaths } from '../../../../src/policy/analysis/jewel-paths.ts'
import { minCut, type NetworkEdge } from '../../../../src/policy/analysis/min-cut.ts'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { ReachGraph } from '../../../../src/policy/analysis/reach.ts'
import { compile } from '../../../../src/policy/compile.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import type { Tables } from '../../../../src/policy/tables.ts'
import { counter } from '../../../cli/analyses.ts'
import { Random } from '../../../cedar/random.ts'
import { NOW, randomWorld } from '../../../cedar/random-world.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { conduit, idOf, rowsOf, rule, withMore } from '../acme.ts'

const anyNetwork = fc.integer({ min: 2, max: 6 }).chain((nodes) =>
  fc.record({
    nodes: fc.constant(nodes),
    edges: fc.array(
      fc.record({
        from: fc.nat(nodes - 1),
        to: fc.nat(nodes - 1),
        capacity: fc.oneof(
          { weight: 5, arbitrary: fc.integer({ min: 1, max: 9 }) },
          { weight: 1, arbitrary: fc.constant(Infinity) },
        ),
      }),
      { maxLength: 9 },
    ),
  }),
)

function leads(edges: readonly NetworkEdge[], from: number, to: number): boolean {
  const seen = new Set([from])
  for (const node of seen) for (const edge of edges) if (edge.from === node) seen.add(edge.to)
  return seen.has(to)
}

const costOf = (edges: readonly NetworkEdge[]): number => edges.reduce((sum, { capacity }) => sum + capacity, 0)

/** Every set of edges that can be cut. */
function bruteForce(edges: readonly NetworkEdge[], from: number, to: number): number {
  let best = Infinity
  for (let mask = 0; mask < 2 ** edges.length; mask++) {
    const isCut = (index: number): boolean => ((mask >> index) & 1) === 1
    const cost = costOf(edges.filter((_, index) => isCut(index)))
    if (
      cost < best &&
      !leads(
        edges.filter((_, index) => !isCut(index)),
        from,
        to,
      )
    )
      best = cost
  }
  return best
}

describe('minCut()', () => {
  test('is as cheap as the cheapest of all sets, and separates', () => {
    fc.assert(
      fc.property(anyNetwork, ({ nodes, edges }) => {
        const cut = minCut(nodes, edges, [0], [nodes - 1])
        const best = bruteForce(edges, 0, nodes - 1)
        expect(cut === undefined).toBe(best === Infinity)
        if (cut === undefined) return
        expect(costOf(cut.map((index) => edges[index] as NetworkEdge))).toBe(best)
        expect(
          leads(
            edges.filter((_, index) => !cut.includes(index)),
            0,
            nodes - 1,
          ),
        ).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('nothing separates what is the same', () => {
    expect(minCut(2, [], [0, 1], [1])).toBeUndefined()
    expect(minCut(2, [], [0], [1])).toEqual([])
  })
})

const effective: ReachOptions = { moment: { from: NOW }, variant: 'effective' }

/** Random worlds with a crown jewel, where zones that observe lead into it only by other zones. */
const worlds = Array.from({ length: 120 }, (_, seed) => {
  const { set, entries } = randomWorld(new Random(seed + 1))
  const zones = set.zones.map((zone) => ({ ...zone, crownJewel: zone.id === 'z1' }))
  const rows = resolveMembership({ ...set, zones }, entries)
  return { rows, tables: compile({ ...set, zones }, rows) }
})

describe('jewelPaths()', () => {
  test('finds as short a way as a search from each source does, and each step of it is there', () => {
    let found = 0
    for (const { rows, tables } of worlds) {
      const graph = new ReachGraph(tables, effective)
      const sources = everybody(tables, rows).map(({ example }) => example)
      const ways = jewelPaths(graph, sources)
      for (const { id } of sources) {
        const expected = graph.within([id]).filter(({ service }) => graph.isCrownJewel(service))
        const own = ways.filter(({ from }) => from === id)
        expect(new Set(own.map(({ jewel, way }) => `${jewel} ${way.length}`))).toEqual(
          new Set(expected.map(({ service, hops }) => `${service} ${hops}`)),
        )
        for (const { way } of own)
          for (const step of way)
            expect(graph.direct(step.from).some(({ service }) => service === step.service)).toBe(true)
        found += own.length
      }
    }
    expect(found).toBeGreaterThan(50)
  })
})

const wayIsLeft = (tables: Tables, sources: Parameters<typeof jewelPaths>[1], cuts: readonly Cut[]): boolean => {
  const ids = (wanted: Cut['kind']) => new Set(cuts.filter(({ kind }) => kind === wanted).map(({ id }) => id))
  const without = { conduits: ids('conduit'), observing: ids('zone') }
  return jewelPaths(new ReachGraph(tables, { ...effective, without }), sources).length > 0
}

describe('cheapestCut()', () => {
  test('leaves no way, and needs each of its parts', () => {
    let cutSome = 0
    for (const { rows, tables } of worlds) {
      const sources = everybody(tables, rows)
        .map(({ example }) => example)
        .filter(({ zone }) => zone?.id !== 'z1')
      const cut = cheapestCut(tables, effective, { sources, observations: [], keep: new Set() })
      expect(cut).toBeDefined()
      if (cut === undefined || cut.length === 0) continue
      cutSome++
      expect(wayIsLeft(tables, sources, cut)).toBe(false)
      for (const part of cut)
        expect(
          wayIsLeft(
            tables,
            sources,
            cut.filter((other) => other !== part),
          ),
        ).toBe(true)
    }
    expect(cutSome).toBeGreaterThan(10)
  })

  /** The database posts into the ledger, so that the storefront gets there by orders. */
  const open: PolicySet = withMore({
    conduits: [conduit('data-pay', 'data', 'pay', { allow: [{ protocol: 'grpc', ports: [9443] }] })],
    rules: [rule('pg-ledger', [{ pattern: '/ns/data/sa/pg-orders' }], 'ledger', { actions: ['post'] })],
  })
  const tables = compile(open, rowsOf(open))
  const classes = everybody(tables, rowsOf(open)).filter(({ example }) => example.zone?.id === 'edge')
  const sources = classes.map(({ example }) => example)
  const cutWith = (keep: readonly string[], ...uses: object[]) =>
    cheapestCut(tables, effective, {
      sources,
      observations: uses.map((use) => counter(use) as Observation),
      keep: new Set(keep),
    })?.map(({ id }) => id)

  test('touches the least traffic, and nothing that must stay', () => {
    expect(cutWith([], { conduit: 'edge-to-shop', count: 5 }, { conduit: 'shop-to-db', count: 9 })).toEqual([
      'data-pay',
    ])
    expect(cutWith([], { conduit: 'data-pay', count: 5 }, { conduit: 'shop-to-db', count: 9 })).toEqual([
      'edge-to-shop',
    ])
    expect(cutWith(['edge-to-shop', 'data-pay'])).toEqual(['shop-to-db'])
    expect(cutWith(['edge-to-shop', 'data-pay', 'shop-to-db'])).toBeUndefined()
  })

  test('a zone that observes is enforced rather than a conduit removed', () => {
    const through: PolicySet = withMore(
      {
        conduits: [conduit('legacy-data', 'legacy', 'data', { allow: [{ protocol: 'tcp', ports: [5432] }] })],
        rules: [rule('erp-db', [{ pattern: '/ns/erp/sa/erp' }], 'orders-db', { actions: ['connect'] })],
        ...{ guards: [] },
      },
      { ...open, guards: [], conduits: open.conduits.filter(({ id }) => id !== 'shop-to-db') },
    )
    const legacy = compile(through, rowsOf(through))
    const edge = everybody(legacy, rowsOf(through)).flatMap(({ example }) =>
      example.zone?.id === 'edge' ? example : [],
    )
    const cut = cheapestCut(legacy, effective, {
      sources: edge,
      observations: [],
      keep: new Set(['legacy-data', 'data-pay']),
    })
    expect(cut).toEqual([{ kind: 'zone', id: 'legacy', uses: 0 }])
  })

  test('exposure counts identities, and choke points are where most ways end', () => {
    const graph = new ReachGraph(tables, effective)
    const paths = jewelPaths(graph, sources)
    expect(paths.find(({ from }) => from === idOf('/ns/web/sa/storefront'))?.way.map(({ service }) => service)).toEqual(
      ['orders', 'orders-db', 'ledger'],
    )
    const ledger = exposures(graph, classes, paths).find(({ jewel }) => jewel === 'ledger')
    expect(ledger).toMatchObject({ identities: 2, shortest: { jewel: 'ledger' } })
    expect(chokePoints(tables, effective, classes, paths).map(({ conduit, relieved }) => [conduit, relieved])).toEqual([
      ['edge-to-shop', 2],
      ['shop-to-db', 2],
      ['data-pay', 2],
    ])
  })
})
