import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReachGraph } from '../../../../src/policy/analysis/reach.ts'
import { reachedAudiences } from '../../../../src/policy/analysis/token-reach.ts'
import { mayIssueAudience } from '../../../../src/policy/audience.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { acme, conduit, idOf, NOW, rowsOf, withMore, withZone } from '../acme.ts'
import { anyId, anyWorld, zoneNames } from '../small-world.ts'

describe('reachedAudiences()', () => {
  test('are what the issuance gate gives whoever can be acted as', () => {
    const outward = fc.array(
      fc.record({
        zone: fc.constantFrom(...zoneNames),
        identities: fc.constantFrom<string[] | undefined>(undefined, ['/a/*'], ['/b/x']),
      }),
      { maxLength: 2 },
    )
    const variant = fc.constantFrom('intended' as const, 'effective' as const)
    fc.assert(
      fc.property(
        anyWorld,
        outward,
        anyId,
        variant,
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        (world, more, id, variant, mayFetch, hops) => {
          const conduits = [
            ...world.set.conduits,
            ...more.map((from, at) => conduit(`out${at}`, from.zone, 'ext', { from })),
          ]
          const set = { ...world.set, conduits }
          const tables = compile(set, resolveMembership(set, world.entries))
          const graph = new ReachGraph(tables, { moment: { at: NOW }, variant })
          const taken = [...graph.taken([id], hops)].filter(({ way }) => mayFetch || way.length > 0)
          const givers = taken.filter((one) => mayIssueAudience(tables, one.id, 'sts', NOW))
          const found = reachedAudiences(graph, [id], { hops, mayFetch })
          expect(found.map(({ audience, from, way }) => [audience, from, way])).toEqual(
            givers.slice(0, 1).map((one) => ['sts', one.id, one.way]),
          )
        },
      ),
    )
  })

  test('what could be acted as is what a search reaches through', () => {
    fc.assert(
      fc.property(anyWorld, anyId, ({ set, entries }, id) => {
        const graph = new ReachGraph(compile(set, resolveMembership(set, entries)), {
          moment: { at: NOW },
          variant: 'effective',
        })
        const acted = [...graph.taken([id])].map((one) => one.id)
        expect(new Set(acted).size).toBe(acted.length)
        const direct = acted.flatMap((one) => graph.direct(one).map(({ service }) => service))
        expect(new Set(graph.within([id]).map(({ service }) => service))).toEqual(new Set(direct))
      }),
    )
  })

  test('says through whom and what', () => {
    const set = withMore(
      { conduits: [conduit('out', 'shop', 'ext-partner')] },
      withZone('ext-partner', { audiences: ['sts'] }),
    )
    const graph = new ReachGraph(compile(set, rowsOf(set)), { moment: { at: NOW }, variant: 'intended' })
    const [only] = reachedAudiences(graph, [idOf('/ns/web/sa/storefront')], { mayFetch: true })
    expect(only).toMatchObject({ audience: 'sts', zones: ['ext-partner'], conduit: 'out', hops: 2 })
    expect(only?.from).toBe(idOf('/ns/shop/sa/orders'))
    expect(only?.way.map(({ service, rule }) => [service, rule])).toEqual([['orders', 'storefront-orders']])
    expect(reachedAudiences(graph, [idOf('/ns/web/sa/storefront')], { hops: 1, mayFetch: true })).toEqual([])
    expect(
      reachedAudiences(new ReachGraph(compile(acme, []), graph.options), [idOf('/ns/shop/sa/orders')], {
        mayFetch: true,
      }),
    ).toEqual([])
  })
})
