import { describe, expect, test } from 'vitest'
import { mayIssueAudience } from '../../../src/policy/audience.ts'
import { codes } from '../../../src/policy/codes.ts'
import { compile } from '../../../src/policy/compile.ts'
import { explain } from '../../../src/policy/explain.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import { printExplanation } from '../../../src/policy/print-explanation.ts'
import { acme, conduit, idOf, NOW, requestOf, rowsOf, withMore, withZone, type Asked } from './acme.ts'

const explained = (asked: Asked, set = acme, revision?: number) => {
  const tables = compile(set, rowsOf(set))
  return printExplanation(explain(tables, indexLifecycle(NO_LIFECYCLE), requestOf(asked)), revision)
}

describe('an explanation', () => {
  test('is that of the worked example', () => {
    expect(explained({ to: 'ledger', grpc: '/ledger.v1.Ledger/Get' }, acme, 412)).toBe(
      `DENY  movement  GUARD g-low-trust-to-restricted        policy acme-prod r412
  src  spiffe://prod.acme.example/ns/web/sa/storefront   zone edge (pattern /ns/web/**)   target 1 internal
  dst  ledger  spiffe://prod.acme.example/ns/pay/sa/ledger   zone pay (pattern /ns/pay/**)   target 4 restricted crown jewel
  0 identity   ok    SVID valid 60m
  1 lifecycle  ok
  2 movement   DENY  guard g-low-trust-to-restricted (hard)  from target<=1 to sensitivity=restricted
               -     no conduit edge -> pay   nearest: shop-to-ledger needs /ns/shop/sa/checkout
  3 access     DENY  action read; NO_RULE
               -     rule checkout-ledger: other subject (/ns/shop/sa/checkout), other action
  fix: call through checkout, or ask team-pay for an exception to the guard (hard: needs policy owner)
`,
    )
  })

  test('tells every candidate and why it did not match', () => {
    expect(
      explained({ from: '/ns/web/sa/stage', http: { method: 'POST', target: '/v1/orders' } })
        .split('\n')
        .slice(5),
    ).toEqual([
      '  2 movement   ok    conduit edge-to-shop',
      '  3 access     DENY  action create; NO_RULE',
      '               -     guard g-no-admin-from-apps: does not match',
      '               -     rule web-read: other action',
      '               -     rule storefront-orders: other subject (/ns/web/sa/storefront)',
      '               -     rule support-read: other subject (zone ops), other action',
      '               -     rule block-canary: other subject (/ns/web/sa/canary), other action',
      '               -     rule temp-import: other subject (/ns/web/sa/importer)',
      '  fix: ask team-shop for a rule that allows spiffe://prod.acme.example/ns/web/sa/stage create on orders',
      '',
    ])
    expect(explained({ from: '/ns/web/sa/nolabel' })).toContain('rule web-read: its condition reads what is missing')
    expect(explained({ from: '/ns/web/sa/stage' })).toContain('rule web-read: its condition is false')
  })

  test('tells conduits of the zones that are for others, closed or for another port', () => {
    const ledger = { from: '/ns/shop/sa/other', to: 'ledger', grpc: '/ledger.v1.Ledger/Post' }
    expect(explained(ledger)).toContain('conduit shop-to-ledger: other source')
    const partner = {
      from: 'spiffe://partner.example/billing/settle',
      to: 'settlement',
      http: { method: 'PUT', target: '/v1/batches/x' },
    }
    expect(explained(partner)).toContain('conduit partner-settlement: outside its window')
    const set = withMore({ conduits: [conduit('odd', 'edge', 'shop', { allow: [{ protocol: 'http', ports: [1] }] })] })
    expect(explained({}, set)).toContain('conduit odd: other port or protocol')
  })

  test('says that observe would deny, and what an early refusal was', () => {
    expect(explained({ to: 'erp' })).toMatch(/^ALLOW {2}movement {2}NO_CONDUIT {2}\(observe: would deny\)/)
    expect(explained({ policyAgeMs: 1e9 })).toContain('0 identity   DENY  POLICY_STALE')
    expect(explained({ to: 'none' })).toContain('dst  none  no such service')
    expect(explained({ peer: { refused: 'NO_PEER_IDENTITY' } })).toContain('src  nobody')
  })
})

describe('the table of codes', () => {
  test('ZO-04: every code has a stage and, within it, a precedence of its own', () => {
    const places = Object.values(codes).map(({ stage, precedence }) => `${stage} ${precedence}`)
    expect(new Set(places).size).toBe(places.length)
    expect(places.length).toBeGreaterThanOrEqual(40)
  })

  test('ZO-01: ZO-03: ZO-21: the order of precedence is the order that the design states', () => {
    const inOrder = (...names: (keyof typeof codes)[]) => {
      const numbers = names.map((name) => codes[name].precedence)
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    }
    inOrder(
      'NO_PEER_IDENTITY',
      'SVID_MALFORMED',
      'UNKNOWN_TRUST_DOMAIN',
      'TRUST_DOMAIN_MISMATCH',
      'CHAIN_INVALID',
      'SVID_EXPIRED',
      'POLICY_STALE',
    )
    inOrder('QUARANTINED', 'OFFBOARDED', 'SERIAL_REVOKED')
    inOrder('OUTSIDE_WINDOW', 'CONDUIT_EXPIRED', 'GRANT_EXPIRED', 'BREAK_GLASS_EXPIRED', 'NO_CONDUIT')
    inOrder('CONDITION_ERROR', 'RULE_EXPIRED', 'NO_RULE')
  })
})

test('an audience that a zone owns needs an open conduit to it', () => {
  const owned = withZone('ext-partner', { audiences: ['sts.example'] })
  const may = (set: typeof acme, path: string, audience = 'sts.example') =>
    mayIssueAudience(compile(set, rowsOf(set)), idOf(path), audience, NOW)
  const open = withMore({ conduits: [conduit('sts', 'edge', 'ext-partner')] }, owned)
  const shut = withMore(
    { conduits: [conduit('sts', 'edge', 'ext-partner', { valid: { from: undefined, until: NOW } })] },
    owned,
  )
  expect([may(open, '/ns/web/sa/x'), may(shut, '/ns/web/sa/x'), may(owned, '/ns/web/sa/x')]).toEqual([
    true,
    false,
    false,
  ])
  expect([may(open, '/ns/shop/sa/x'), may(open, '/ns/nowhere'), may(open, '/ns/nowhere', 'other')]).toEqual([
    false,
    false,
    true,
  ])
})
