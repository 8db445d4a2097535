import { describe, expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import {
  acme,
  conduit,
  decideIn,
  guard,
  HOUR,
  idOf,
  NOW,
  requestOf,
  rowsOf,
  rule,
  verdictOf,
  withMore,
  withZone,
  type Asked,
} from './acme.ts'

function slice(set: PolicySet, path: string) {
  const { policy, members, displaced } = sliceOf(new SliceIndex(set, rowsOf(set)), idOf(path))
  return { policy, members: [...displaced, ...members] }
}

function decideBySlice(set: PolicySet, path: string, asked: Asked): string {
  const { policy, members } = slice(set, path)
  return verdictOf(decide(compile(policy, members), indexLifecycle(NO_LIFECYCLE), requestOf(asked)))
}

describe('a slice', () => {
  test('holds what its services and its own calls need, and no more', () => {
    const { policy, members } = slice(acme, '/ns/shop/sa/orders')
    expect(policy.services.map(({ id }) => id)).toEqual(['erp', 'orders', 'orders-db'])
    expect(policy.conduits.map(({ id }) => id)).toEqual(['edge-to-shop', 'ops-read-shop', 'shop-mesh', 'shop-to-db'])
    expect(policy.rules.map(({ id }) => id)).not.toContain('checkout-ledger')
    expect([policy.tests, policy.invariants]).toEqual([[], []])
    expect(members.map(({ spiffeId }) => spiffeId)).not.toContain(idOf('/ns/web/sa/nolabel'))
  })

  test('knows who was moved by a label out of the zone that its path says', () => {
    const moved = { from: '/ns/shop/sa/pci-proxy' }
    expect(decideBySlice(acme, '/ns/shop/sa/orders', moved)).toBe('deny movement NO_CONDUIT')
    expect(slice(acme, '/ns/web/sa/blog').members.map(({ spiffeId }) => spiffeId)).toContain(
      idOf('/ns/shop/sa/pci-proxy'),
    )
  })

  test('carries no label that no condition reads', () => {
    for (const { labels } of slice(acme, '/ns/shop/sa/orders').members) expect(Object.keys(labels)).not.toContain('pci')
  })

  test('knows which audiences the callers of its service may name', () => {
    const owned = withZone('ext-partner', { audiences: ['sts.example'] })
    const set = withMore(
      {
        conduits: [conduit('sts', 'edge', 'ext-partner')],
        rules: [rule('caller', [{ pattern: '/ns/web/sa/storefront' }], 'ledger', { actions: ['post'] })],
      },
      owned,
    )
    const jwt = { spiffeId: idOf('/ns/web/sa/storefront'), audience: ['ledger', 'sts.example'], expiresAt: NOW + HOUR }
    const asked = { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: '/ledger.v1.Ledger/Post', jwt }
    expect(decideBySlice(set, '/ns/pay/sa/ledger', asked)).toBe('allow')
  })

  test('knows the labels of everybody that a guard asks about', () => {
    const guards = [
      guard('staging', 'access', {
        to: { service: 'orders' },
        when: 'src.labels has "env" && src.labels["env"] == "stage"',
      }),
    ]
    const set = withMore({ guards }, { ...acme, rules: [rule('all', [{ pattern: '/ns/web/**' }], 'orders')] })
    expect(decideBySlice(set, '/ns/shop/sa/orders', { from: '/ns/web/sa/stage' })).toBe('deny access GUARD')
    expect(decideBySlice(set, '/ns/shop/sa/orders', { from: '/ns/web/sa/blog' })).toBe('allow')
  })
})

test('a condition reads no authority where two differ', () => {
  const rules = [rule('r', [{ pattern: '/ns/web/**' }], 'orders', { when: 'req.authority == "orders.shop.svc"' })]
  const codeFor = (...authorities: string[]) => decideIn({ set: { ...acme, rules } }, { http: { authorities } }).code
  expect(codeFor('orders.shop.svc', 'orders.shop.svc')).toBeNull()
  expect(codeFor('orders.shop.svc', 'orders.shop.svc:8443')).toBe('CONDITION_ERROR')
})
