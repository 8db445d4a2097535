import { describe, expect, test } from 'vitest'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { simulate } from '../../../../src/policy/analysis/simulate.ts'
import { compile } from '../../../../src/policy/compile.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { counter } from '../../../cli/analyses.ts'
import { acme, idOf, rowsOf, withConduit, withRule } from '../acme.ts'

const replay = (set: PolicySet, ...changes: object[]) =>
  simulate(
    compile(set, rowsOf(set)),
    changes.map((change) => counter(change) as Observation),
  )

const ledger = {
  ...{ source: idOf('/ns/shop/sa/checkout'), service: 'ledger', action: 'post', route: 'ledger.v1.Ledger/Post' },
  ...{ conduit: 'shop-to-ledger', rule: 'checkout-ledger', port: 9443, protocol: 'grpc' },
}
const database = {
  ...{ source: idOf('/ns/shop/sa/orders'), service: 'orders-db', action: 'connect', route: null },
  ...{ conduit: 'shop-to-db', rule: 'orders-store', port: 5432, protocol: 'tcp' },
}

describe('simulate()', () => {
  test('under the same policy everything stays: HTTP, gRPC and bytes', () => {
    const result = replay(
      acme,
      { count: 3 },
      { count: 5, side: 'client' },
      { action: 'create', route: '/v1/orders' },
      ledger,
      database,
    )
    expect(result).toEqual({ newlyDenied: [], newlyAllowed: [], unchanged: 5 + 1 + 1 + 1, leftOut: 0 })
  })

  test('tells what a narrower policy would refuse, and why', () => {
    const { newlyDenied } = replay(
      withRule('checkout-ledger', { actions: ['read'] }),
      { count: 3 },
      { ...ledger, count: 7 },
    )
    expect(newlyDenied).toMatchObject([{ count: 7, decision: { deniedBy: 'access', code: 'NO_RULE', action: 'post' } }])
  })

  test('tells what a wider policy would allow', () => {
    const refused = {
      ...ledger,
      action: 'read',
      route: 'ledger.v1.Ledger/Get',
      decision: 'deny',
      deniedBy: 'access',
      code: 'NO_RULE',
      rule: null,
    }
    expect(replay(acme, refused)).toMatchObject({ newlyAllowed: [], unchanged: 1 })
    expect(replay(withRule('checkout-ledger', { actions: ['read'] }), refused).newlyAllowed).toHaveLength(1)
  })

  test('asks at the instant at which it was seen', () => {
    const set = withConduit('edge-to-shop', { window: { fromMinute: 60, toMinute: 120, tz: 'UTC' } })
    const at = (hour: number) => ({ lastMs: Date.parse('2026-11-20T00:30:00Z') + hour * 3_600_000 })
    expect(replay(set, at(1)).newlyDenied).toEqual([])
    expect(replay(set, at(3)).newlyDenied).toMatchObject([{ decision: { code: 'OUTSIDE_WINDOW' } }])
  })

  test('leaves out what no policy text decides', () => {
    const elevated = { ...database, source: idOf('/ns/ops/sa/bastion'), conduit: null, rule: null }
    const quarantined = { decision: 'deny', deniedBy: 'lifecycle', code: 'QUARANTINED', conduit: null, rule: null }
    expect(replay(acme, elevated, quarantined)).toEqual({ newlyDenied: [], newlyAllowed: [], unchanged: 0, leftOut: 2 })
  })
})
