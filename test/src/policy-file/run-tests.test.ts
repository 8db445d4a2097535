import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { runPolicyTests, type TestOptions, type TestReport } from '../../../src/policy-file/run-tests.ts'
import { changed, SMALL } from './small-policy.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const ACME = readFileSync(join(import.meta.dirname, '../../vectors/policy/acme-prod.yaml'), 'utf8')

const run = (text: string, options: Partial<TestOptions> = {}): TestReport =>
  runPolicyTests(readPolicy(text), { now: NOW, ...options })

/** The small policy with other tests. */
const withTests = (...tests: readonly string[]): string =>
  changed(['tests:\n', `tests:\n${tests.map((one) => `  - { ${one} }\n`).join('')}`])

const withInvariant = (invariant: string, ...edits: readonly (readonly [string, string])[]): string =>
  changed(...edits, ['invariants:\n', `invariants:\n  - { id: it, ${invariant} }\n`])

const outcomeOf = (text: string, options: Partial<TestOptions> = {}) => run(text, options).invariants[0]

describe('runPolicyTests()', () => {
  test('the worked example passes its own tests and invariants', () => {
    const report = run(ACME)
    expect(report.tests.map(({ passed }) => passed)).toEqual([true, true, true])
    expect(report.invariants.map(({ outcome }) => outcome)).toEqual(['held', 'held', 'held'])
    expect(report.passed).toBe(true)
  })

  test.for([
    [
      'decision',
      'name: t, from: /web/front, to: ledger, rpc: l.L/Post, expect: { decision: allow }',
      'expected allow, got deny (movement GUARD)',
    ],
    [
      'gate',
      'name: t, from: /web/front, to: ledger, rpc: l.L/Post, expect: { decision: deny, gate: access }',
      'expected the gate access to refuse, got movement',
    ],
    [
      'code',
      'name: t, from: /web/front, to: ledger, rpc: l.L/Post, expect: { decision: deny, code: NO_CONDUIT }',
      'expected code NO_CONDUIT, got GUARD',
    ],
    [
      'conduit',
      'name: t, from: /web/front, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: allow, conduit: shop-pay }',
      'expected conduit shop-pay, got web-shop',
    ],
    [
      'rule',
      'name: t, from: /web/front, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: allow, rule: post }',
      'expected rule post, got read',
    ],
  ] as const)('a test with another %s than came out fails and says both', ([, text, problem]) => {
    const report = run(withTests(text))
    expect(report.tests[0]).toMatchObject({ passed: false, problems: [problem] })
    expect(report.passed).toBe(false)
  })

  test('a zone that observes does not change the outcome of a test', () => {
    const text = withTests(
      'name: t, from: /web/x, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: deny, code: NO_RULE }',
    )
    const report = run(text.replace('target: 2,', 'target: 2, mode: observe,'))
    expect(report.tests[0]).toMatchObject({ passed: true, decision: { decision: 'allow', wouldDeny: true } })
  })

  test('a test may say when, on which port, and with which labels', () => {
    const text = withTests(
      'name: a, from: "spiffe://partner.example/billing/settle", to: ledger, rpc: l.L/Post, at: 2027-05-31T23:59:59Z, expect: { decision: allow }',
      'name: b, from: "spiffe://partner.example/billing/settle", to: ledger, rpc: l.L/Post, at: 2027-06-01T00:00:00Z, expect: { decision: deny, code: CONDUIT_EXPIRED }',
      'name: c, from: /web/front, to: orders, http: { method: GET, path: /orders/1 }, port: 1, expect: { decision: deny, code: PORT_MISMATCH }',
      'name: d, from: /web/front, labels: { tier: shop }, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: deny, code: NO_CONDUIT }',
    )
    expect(run(text).tests.map(({ problems }) => problems)).toEqual([[], [], [], [], []])
  })

  test('labels of a test take the place of the registered ones, for that test alone', () => {
    const registered = [{ spiffeId: 'spiffe://example.org/web/front', labels: { tier: 'shop' }, selectors: [] }]
    const text = withTests(
      'name: t, from: /web/front, labels: {}, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: allow }',
    )
    expect(run(text, { registered }).tests.map(({ passed }) => passed)).toEqual([true, false])
  })

  test('counts the rules and conduits that a test used', () => {
    expect(run(SMALL).coverage).toEqual({
      rules: { total: 3, hit: 1, missed: ['post', 'settle'] },
      conduits: { total: 3, hit: 1, missed: ['shop-pay', 'ext-pay'] },
    })
    const deny =
      'rules:\n  - { id: no, effect: deny, from: [/web/bad], to: orders, actions: [read], owner: s }\n  - { id: later, stage: draft, from: [/web/x], to: orders, actions: [read], owner: s }'
    const text = withTests(
      'name: t, from: /web/bad, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: deny }',
    ).replace('rules:', deny)
    expect(run(text).coverage.rules).toEqual({ total: 4, hit: 2, missed: ['post', 'settle'] })
  })

  test('runs only what is asked for by name', () => {
    const report = run(ACME, { only: 'ledger' })
    expect(report.tests.map(({ name }) => name)).toEqual(['storefront never talks to the ledger'])
    expect(report.invariants.map(({ id }) => id)).toEqual(['no-path-edge-to-ledger'])
  })
})

describe('cannotReach', () => {
  test('ZO-61: hop 1 is direct reach, hop 2 goes on as the service that was reached', () => {
    const text = (hops: number): string =>
      withInvariant(`kind: cannotReach, from: { zone: web }, to: { service: ledger }, hops: ${hops}`)
    expect(outcomeOf(text(1))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text(2))).toEqual({
      id: 'it',
      kind: 'cannotReach',
      outcome: 'failed',
      problems: ['spiffe://example.org/web/front → orders (read by web-shop, read) → ledger (post by shop-pay, post)'],
    })
  })

  test('ZO-61: an action that is no pivot leads no further', () => {
    const text = withInvariant('kind: cannotReach, from: { zone: web }, to: { zone: pay }, hops: 9', [
      "read: [{ methods: [GET], path: '/orders/{id}' }]",
      "read: { match: [{ methods: [GET], path: '/orders/{id}' }], pivot: false }",
    ])
    expect(outcomeOf(text)).toMatchObject({ outcome: 'held' })
  })

  test('ZO-61: a condition about the request counts as possibly true, one about the parties as it is', () => {
    const text = (when: string): string =>
      withInvariant('kind: cannotReach, from: { identity: /web/front }, to: { service: orders }', [
        'actions: [read], owner: s',
        `actions: [read], owner: s, when: '${when}'`,
      ])
    expect(outcomeOf(text('req.method == "GET"'))).toMatchObject({ outcome: 'failed' })
    expect(outcomeOf(text('src.zone == "web" && net.ip in cidr("10.0.0.0/8")'))).toMatchObject({ outcome: 'failed' })
    expect(outcomeOf(text('src.zone == "shop" && net.ip in cidr("10.0.0.0/8")'))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text('src.labels["env"] == "prod" && net.port == 1'))).toMatchObject({ outcome: 'held' })
  })

  test('a deny rule counts only when nothing can lift it', () => {
    const text = (extra: string): string =>
      withInvariant('kind: cannotReach, from: { identity: /web/front }, to: { service: orders }', [
        'rules:',
        `rules:\n  - { id: no, effect: deny, from: [/web/front], to: orders, actions: [read], owner: s${extra} }`,
      ])
    expect(outcomeOf(text(''))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text(', when: \'src.labels["gone"] == "x"\''))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text(', when: \'req.method == "POST"\''))).toMatchObject({ outcome: 'failed' })
    expect(outcomeOf(text(', valid: { until: 2027-01-01T00:00:00Z }'))).toMatchObject({ outcome: 'failed' })
    expect(outcomeOf(text(', valid: { from: 2027-01-01T00:00:00Z }'))).toMatchObject({ outcome: 'failed' })
  })

  test('windows and later beginnings count as open, ends that have passed do not', () => {
    const text = (extra: string): string =>
      withInvariant(
        'kind: cannotReach, from: { identity: "spiffe://partner.example/billing/settle" }, to: { service: ledger }',
        ['valid: { until: 2027-06-01T00:00:00Z }', extra],
      )
    expect(
      outcomeOf(text('valid: { until: 2027-06-01T00:00:00Z }, window: { from: "01:00", to: "02:00" }')),
    ).toMatchObject({ outcome: 'failed' })
    expect(outcomeOf(text('valid: { from: 2027-01-01T00:00:00Z, until: 2027-06-01T00:00:00Z }'))).toMatchObject({
      outcome: 'failed',
    })
    expect(outcomeOf(text('valid: { until: 2026-06-01T00:00:00Z }'))).toMatchObject({ outcome: 'held' })
  })

  test('whoever a wildcard lets in counts, though nobody is registered', () => {
    const text = withInvariant('kind: cannotReach, from: { zone: web }, to: { service: orders }', [
      'from: [/web/front], to',
      'from: [/web/*], to',
    ])
    expect(outcomeOf(text)?.problems[0]).toContain('/web/any--body → orders')
  })

  test('a zone that observes is open to everybody local, but for hard guards', () => {
    const observes = (zone: string): readonly [string, string] => [
      `id: ${zone}, target: 2,`,
      `id: ${zone}, target: 2, mode: observe,`,
    ]
    const text = (from: string, ...edits: readonly (readonly [string, string])[]): string =>
      withInvariant(`kind: cannotReach, from: ${from}, to: { service: orders }`, observes('shop'), ...edits)
    expect(outcomeOf(text('{ zone: ops }'))?.problems[0]).toContain('orders (read by observe, observe)')
    expect(outcomeOf(text('{ zone: ext }'))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text('{ zone: ops }', ['mode: observe,', 'mode: observe, enforceOnly: [8443],']))).toMatchObject({
      outcome: 'held',
    })
    const guard = 'guards:\n  - { id: g, gate: access, from: { zone: ops }, to: { service: orders }, hard: true }'
    expect(outcomeOf(text('{ zone: ops }', ['guards:', guard]))).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(text('{ zone: ops }', ['guards:', guard.replace('hard: true', 'hard: false')]))).toMatchObject({
      outcome: 'failed',
    })
  })
})

describe('maxBlastRadius', () => {
  test.for([
    ['hops: 1, services: 1, zones: 1, crownJewels: 0', []],
    ['hops: 2, services: 1', ['spiffe://example.org/web/front reaches 2 services, at most 1 are allowed']],
    ['hops: 2, zones: 1', ['spiffe://example.org/web/front reaches 2 zones, at most 1 are allowed']],
    ['hops: 2, crownJewels: 0', ['spiffe://example.org/web/front reaches 1 crown jewels, at most 0 are allowed']],
    ['hops: 2, services: 2, zones: 2, crownJewels: 1', []],
  ] as const)('{ %s }', ([limits, problems]) => {
    expect(outcomeOf(withInvariant(`kind: maxBlastRadius, from: { zone: web }, ${limits}`))?.problems).toEqual(problems)
  })
})

describe('requireFields', () => {
  test('names every object that lacks a field', () => {
    expect(
      outcomeOf(withInvariant('kind: requireFields, on: [conduits, rules], fields: [owner, valid]'))?.problems,
    ).toEqual([
      'conduits: web-shop has no valid',
      'conduits: shop-pay has no valid',
      'rules: read has no valid',
      'rules: post has no valid',
      'rules: settle has no valid',
    ])
    expect(outcomeOf(withInvariant('kind: requireFields, on: [zones], fields: [owner]'))).toMatchObject({
      outcome: 'held',
    })
  })
})

describe('noNewAccess', () => {
  const base = compile(readPolicy(SMALL), [])
  const wider = withInvariant('kind: noNewAccess', [
    'from: [/web/front], to: orders, actions: [read]',
    'from: [/web/front, /web/back], to: orders, actions: [read, write]',
  ])

  test('names what somebody gains', () => {
    const result = outcomeOf(wider, { base })
    expect(result?.outcome).toBe('failed')
    expect(result?.problems.toSorted()).toEqual([
      'spiffe://example.org/web/back gains read on orders',
      'spiffe://example.org/web/back gains write on orders',
      'spiffe://example.org/web/front gains write on orders',
    ])
  })

  test('holds for a narrower policy, and is skipped where there is nothing to compare with', () => {
    const narrower = withInvariant('kind: noNewAccess', [
      'from: [/web/front], to: orders',
      'from: [/web/none], to: orders',
    ])
    expect(outcomeOf(narrower.replace('/web/none', '/web/front'), { base })).toMatchObject({ outcome: 'held' })
    expect(outcomeOf(wider)).toMatchObject({ outcome: 'skipped' })
    expect(run(wider.replace('conduit: web-shop, rule: read', 'conduit: web-shop')).passed).toBe(true)
  })

  test('an invariant counts tokens for audiences as ways to the zone that owns them', () => {
    const out = [
      'conduits:\n',
      'conduits:\n  - { id: out, from: shop, to: ext, allow: [{ protocol: http, ports: [443] }], owner: s, justification: j, review: 2027-01-01 }\n',
    ] as const
    const cannot = 'kind: cannotReach, from: { zone: web }, to: { zone: ext }'
    expect(outcomeOf(withInvariant(`${cannot}, hops: 2`))?.outcome).toBe('held')
    expect(outcomeOf(withInvariant(`${cannot}, hops: 1`, out))?.outcome).toBe('held')
    expect(outcomeOf(withInvariant(`${cannot}, hops: 2`, out))?.problems).toEqual([
      'spiffe://example.org/web/front → orders (read by web-shop, read) → token for aws (by out)',
    ])
    expect(
      outcomeOf(withInvariant('kind: cannotReach, from: { service: orders }, to: { zone: ext }', out))?.problems,
    ).toEqual(['spiffe://example.org/shop/orders → token for aws (by out)'])
    const most = 'kind: maxBlastRadius, from: { service: orders }, zones: 1, hops: 1'
    expect(outcomeOf(withInvariant(most))?.outcome).toBe('held')
    expect(outcomeOf(withInvariant(most, out))?.problems).toEqual([
      'spiffe://example.org/shop/orders reaches 2 zones, at most 1 are allowed',
    ])
  })
})
