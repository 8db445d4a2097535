import { describe, expect, test } from 'vitest'
import { BlastRadii } from '../../../../src/policy/analysis/blast-radius.ts'
import { classesOf } from '../../../../src/policy/analysis/classes.ts'
import { directReach } from '../../../../src/policy/analysis/direct-reach.ts'
import { ReachGraph } from '../../../../src/policy/analysis/reach.ts'
import { compile } from '../../../../src/policy/compile.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { Random } from '../../../cedar/random.ts'
import { NOW, randomWorld } from '../../../cedar/random-world.ts'
import { acme, conduit, idOf, rowsOf, rule, withMore } from '../acme.ts'

const options = { moment: { from: NOW }, variant: 'effective' } as const

function worlds(count: number) {
  return Array.from({ length: count }, (_, seed) => {
    const { set, entries } = randomWorld(new Random(seed + 1))
    const rows = resolveMembership(set, entries)
    return { rows, tables: compile(set, rows) }
  })
}

/** Shop and data services that call each other in a ring, and a web identity in front. */
const ring: PolicySet = withMore({
  conduits: [
    conduit('data-shop', 'data', 'shop'),
    conduit('legacy-shop', 'legacy', 'shop'),
    conduit('data-pay', 'data', 'pay', { allow: [{ protocol: 'grpc', ports: [9443] }] }),
  ],
  rules: [
    rule('db-orders', [{ pattern: '/ns/data/sa/pg-orders' }], 'orders'),
    rule('db-ledger', [{ pattern: '/ns/data/sa/pg-orders' }], 'ledger'),
  ],
})

describe('classesOf()', () => {
  test('identities of one class reach the same by themselves', () => {
    let joined = 0
    for (const { rows, tables } of worlds(150)) {
      for (const { example, ids } of classesOf(tables, rows)) {
        const reach = directReach(tables, example, options)
        for (const id of ids) {
          const party = tables.parties.of(id)
          if (typeof party === 'string') throw new Error(id)
          if (id !== example.id) joined++
          expect(directReach(tables, party, options)).toEqual(reach)
        }
      }
    }
    expect(joined).toBeGreaterThan(20)
  })

  test('labels divide a class only where a condition of a rule about it reads them', () => {
    const rows = rowsOf(acme)
    const classes = classesOf(compile(acme, rows), rows)
    const together = classes.map(({ ids }) => ids.map((id) => id.split('/').at(-1)))
    expect(together).toContainEqual(['blog'])
    expect(together).toContainEqual(['stage'])
    // In pay by the same label, and nothing speaks of either.
    expect(together).toContainEqual(['pci-proxy'])
  })
})

describe('BlastRadii', () => {
  test('counts what a search from each identity finds', () => {
    for (const { rows, tables } of worlds(150)) {
      const graph = new ReachGraph(tables, options)
      const radii = new BlastRadii(graph)
      for (const { members, services, zones, crownJewels } of radii.ofAll(rows)) {
        const reached = graph.within([members.example.id])
        expect(radii.services(graph.direct(members.example.id)).toSorted()).toEqual(
          reached.map(({ service }) => service).toSorted(),
        )
        expect([services, zones, crownJewels]).toEqual([
          reached.length,
          new Set(reached.map(({ service }) => graph.zoneOf(service))).size,
          reached.filter(({ service }) => graph.isCrownJewel(service)).length,
        ])
      }
    }
  })

  test('ZO-61: goes on from services, round a ring and into the crown jewels', () => {
    const tables = compile(ring, rowsOf(ring))
    const graph = new ReachGraph(tables, { ...options, variant: 'intended' })
    const radii = new BlastRadii(graph)
    const storefront = graph.direct(idOf('/ns/web/sa/storefront'))
    expect(radii.services(storefront)).toEqual(['orders', 'ledger', 'orders-db'])
    expect(radii.radius(storefront)).toEqual({ services: 3, zones: 3, crownJewels: 1, weight: 4 + 16 + 8 })
    expect(graph.within([idOf('/ns/web/sa/storefront')], 2).map(({ service, hops }) => [service, hops])).toEqual([
      ['orders', 1],
      ['orders-db', 2],
    ])
  })

  test('ZO-61: an action with pivot: false leads no further', () => {
    const still: PolicySet = {
      ...ring,
      services: ring.services.map((service) =>
        service.id === 'orders'
          ? { ...service, actions: service.actions.map((action) => ({ ...action, pivot: false })) }
          : service,
      ),
    }
    const graph = new ReachGraph(compile(still, rowsOf(still)), { ...options, variant: 'intended' })
    expect(new BlastRadii(graph).services(graph.direct(idOf('/ns/web/sa/storefront')))).toEqual(['orders'])
  })

  test('SE-48: services that do not enforce are reached by everybody, and lead on', () => {
    const tables = compile(acme, rowsOf(acme))
    const unenforced = new Set(['erp', 'orders'])
    const graph = new ReachGraph(tables, { ...options, unenforced })
    const services = new BlastRadii(graph).services(graph.direct(idOf('/ns/nobody/knows')))
    expect(services).toEqual(['orders', 'orders-db', 'erp'])
  })
})
