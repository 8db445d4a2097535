import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkCodes } from '../../../src/policy-file/check-codes.ts'
import { checkEffects } from '../../../src/policy-file/check-effects.ts'
import { checkPolicy } from '../../../src/policy-file/check-policy.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import type { RegisteredIdentity } from '../../../src/policy/membership.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { acme } from '../policy/acme.ts'
import { changed, findingsOf, SMALL } from './small-policy.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const DAY_MS = 86_400_000

/** What is changed, and the one finding that must come of it. */
const cases: readonly (readonly [what: string, from: string, to: string, finding: string])[] = [
  [
    'a conduit into a zone that does not exist',
    'from: web, to: shop',
    'from: web, to: shpo',
    'REFERENCE_UNKNOWN conduits.0.to: there is no zone "shpo", did you mean "shop"?',
  ],
  [
    'a conduit of an unknown zone with identities',
    '{ zone: shop, identities: [/shop/orders] }',
    '{ zone: shp, identities: [/shop/orders] }',
    'REFERENCE_UNKNOWN conduits.1.from.zone: there is no zone "shp", did you mean "shop"?',
  ],
  [
    'a rule to an unknown service',
    'to: orders, actions: [read], owner: s',
    'to: order, actions: [read], owner: s',
    'REFERENCE_UNKNOWN rules.0.to: there is no service "order", did you mean "orders"?',
  ],
  [
    'a rule about an unknown action',
    'to: ledger, actions: [post], owner: p }\n  - { id: settle',
    'to: ledger, actions: [pots, post], owner: p }\n  - { id: settle',
    'REFERENCE_UNKNOWN rules.1.actions.0: there is no action of ledger "pots", did you mean "post"?',
  ],
  [
    'a rule for an unknown zone',
    'from: [/web/front], to',
    'from: [/web/front, { zone: wbe }], to',
    'REFERENCE_UNKNOWN rules.0.from.1.zone: there is no zone "wbe"',
  ],
  [
    'a guard that excepts an unknown conduit',
    'except: [ext-pay]',
    'except: [ext-pay, ext-pya]',
    'REFERENCE_UNKNOWN guards.0.except.1: there is no conduit "ext-pya", did you mean "ext-pay"?',
  ],
  [
    'a guard about an unknown zone',
    'from: { maxTarget: 1 }',
    'from: { maxTarget: 1, notZone: opps }',
    'REFERENCE_UNKNOWN guards.0.from.notZone: there is no zone "opps", did you mean "ops"?',
  ],
  [
    'a federation into an unknown zone',
    'accept: [/billing/**], zone: ext',
    'accept: [/billing/**], zone: exd',
    'REFERENCE_UNKNOWN federation.0.zone: there is no zone "exd", did you mean "ext"?',
  ],
  [
    'a grant for an unknown action',
    'actions: [read] } }',
    'actions: [raed, read] } }',
    'REFERENCE_UNKNOWN grantTemplates.0.adds.access.actions.0: there is no action of orders "raed"',
  ],
  [
    'break-glass into an unknown zone',
    'to: [shop], overrides',
    'to: [shop, shap], overrides',
    'REFERENCE_UNKNOWN breakGlass.0.to.1: there is no zone "shap", did you mean "shop"?',
  ],
  [
    'a test of an unknown service',
    '/web/front, to: orders, http',
    '/web/front, to: oders, http',
    'REFERENCE_UNKNOWN tests.0.to: there is no service "oders", did you mean "orders"?',
  ],
  [
    'a test that expects an unknown rule',
    'rule: read }',
    'rule: raed }',
    'REFERENCE_UNKNOWN tests.0.expect.rule: there is no rule "raed"',
  ],
  [
    'a test that expects an unknown conduit',
    'conduit: web-shop',
    'conduit: web-shoop',
    'REFERENCE_UNKNOWN tests.0.expect.conduit: there is no conduit "web-shoop", did you mean "web-shop"?',
  ],
  [
    'an invariant about an unknown zone',
    'from: { zone: web }',
    'from: { zone: webb }',
    'REFERENCE_UNKNOWN invariants.0.from.zone: there is no zone "webb", did you mean "web"?',
  ],
  [
    'an invariant about an unknown service',
    'to: { service: ledger }',
    'to: { service: leger }',
    'REFERENCE_UNKNOWN invariants.0.to.service: there is no service "leger", did you mean "ledger"?',
  ],
  ['two rules of one name', 'id: settle', 'id: post', 'ID_REPEATED rules.2.id: "post" is there already'],
  [
    'a test whose code belongs to another gate',
    'decision: allow, conduit: web-shop, rule: read',
    'decision: deny, gate: access, code: NO_CONDUIT',
    'TEST_GATE_MISMATCH tests.0.expect.code: NO_CONDUIT is a code of movement, not of access',
  ],
  [
    'SE-42: a crown jewel that observes',
    'crownJewel: true,',
    'crownJewel: true, mode: observe,',
    'OBSERVE_REFUSED zones.2.mode: zone pay is a crown jewel and must not observe',
  ],
  [
    'SE-42: a zone of target 3 that observes',
    'admin: operate,',
    'admin: operate, mode: observe,',
    'OBSERVE_REFUSED zones.3.mode: zone ops has target 3 and must not observe',
  ],
  [
    'ZO-30: enforceOnly without observe',
    'target: 2,',
    'target: 2, enforceOnly: [8443],',
    'ENFORCE_ONLY_WITHOUT_OBSERVE zones.1.enforceOnly: zone shop enforces all ports',
  ],
  [
    'two zones of the same pattern',
    '{ spiffe: /ops/** }',
    '{ spiffe: /ops/** }, { spiffe: /web/** }',
    'MEMBER_REPEATED zones.3.members.1: zone web has the same members already',
  ],
  [
    'two zones of the same labels',
    '{ spiffe: /ops/** }',
    '{ spiffe: /ops/** }, { entryLabel: { tier: shop } }',
    'MEMBER_REPEATED zones.3.members.1: zone shop has the same members already',
  ],
  [
    'audiences of a zone that is not external',
    'target: 2,',
    'target: 2, audiences: [x],',
    'AUDIENCE_NOT_EXTERNAL zones.1.audiences: zone shop has target 2, and only external zones own audiences',
  ],
  [
    'an audience of two zones',
    'audiences: [aws] }',
    'audiences: [aws] }\n  - { id: aws, target: 0, sensitivity: public, owner: p, audiences: [aws] }',
    'AUDIENCE_REPEATED zones.5.audiences.0: zone ext owns "aws" already',
  ],
  [
    'the own trust domain as a partner',
    '  - { trustDomain: partner.example',
    '  - { trustDomain: example.org, accept: [/x/**], zone: ext }\n  - { trustDomain: partner.example',
    'FEDERATION_OWN federation.0.trustDomain: example.org is the own trust domain',
  ],
  [
    'ZO-12: a trust domain that is federated twice',
    '  - { trustDomain: partner.example',
    '  - { trustDomain: partner.example, accept: [/x/**], zone: ext }\n  - { trustDomain: partner.example',
    'FEDERATION_REPEATED federation.1.trustDomain: partner.example is there already',
  ],
  [
    'ZO-12: a federation into a zone with members',
    'audiences: [aws] }',
    'audiences: [aws], members: [{ spiffe: /ext/** }] }',
    'FEDERATION_ZONE federation.0.zone: zone ext has members of its own',
  ],
  [
    'a listener on the same port twice',
    'protocol: grpc }]',
    'protocol: grpc }, { name: old, port: 9443, protocol: grpc }]',
    'LISTENER_REPEATED services.1.listeners.1: port 9443 has a listener already',
  ],
  [
    'a listener of the same name twice',
    'protocol: grpc }]',
    'protocol: grpc }, { name: rpc, port: 9444, protocol: grpc }]',
    'LISTENER_REPEATED services.1.listeners.1: the name "rpc" has a listener already',
  ],
  [
    'an action that no listener can hear',
    '{ post: [{ rpc: l.L/Post }] }',
    '{ post: [{ rpc: l.L/Post }], raw: [{ connect: true }] }',
    'ACTION_WITHOUT_LISTENER services.1.actions.raw: no listener speaks tcp',
  ],
  [
    'ZO-41: two actions for one request',
    'path: /orders }]',
    "path: /orders }, { methods: [GET], path: '/orders/{x}' }]",
    'MATCHERS_OVERLAP services.0.actions.write: GET /orders/{x} could also be read: GET /orders/{id}',
  ],
  [
    'ZO-41: two actions for one gRPC method',
    '{ post: [{ rpc: l.L/Post }] }',
    '{ post: [{ rpc: l.L/Post }], put: [{ rpc: l.L/Post }] }',
    'MATCHERS_OVERLAP services.1.actions.put: l.L/Post could also be post: l.L/Post',
  ],
  [
    'a service in no zone',
    'identity: /shop/orders',
    'identity: /shopp/orders',
    'SERVICE_UNPLACED services.0.identity: /shopp/orders is in no zone',
  ],
  [
    'an external conduit without end',
    'valid: { until: 2027-06-01T00:00:00Z }, ',
    '',
    'CONDUIT_EXTERNAL_ENDLESS conduits.2: ext-pay lets the external zone ext in without end',
  ],
  [
    'a conduit that a hard guard forbids',
    'except: [ext-pay]',
    'except: []',
    'CONDUIT_FORBIDDEN conduits.2: guard low forbids all of ext-pay',
  ],
  [
    'a standing path of administrators',
    'from: web, to: shop',
    'from: ops, to: shop',
    'ADMIN_STANDING conduits.0: web-shop is a standing path from ops (admin: operate) to shop',
  ],
  [
    'a conduit for identities of another zone',
    'from: web, to: shop',
    'from: { zone: web, identities: [/web/front, /ops/x] }, to: shop',
    'CONDUIT_IDENTITY_ELSEWHERE conduits.0.from.identities.1: /ops/x is not in zone web',
  ],
  [
    'a conduit that no rule uses',
    'from: web, to: shop',
    'from: { zone: web, identities: [/web/back] }, to: shop',
    'CONDUIT_OPEN conduits.0: no rule allows anything over web-shop',
  ],
  [
    'a conduit to another port',
    'protocol: grpc, ports: [9443] }], owner',
    'protocol: grpc, ports: [9444] }], owner',
    'CONDUIT_OPEN conduits.1: no rule allows anything over shop-pay',
  ],
  [
    'a rule without a path',
    'from: [/web/front], to',
    'from: [/ops/alice], to',
    'RULE_DEAD rules.0: no conduit lets a subject of read reach orders',
  ],
  [
    'ZO-12: an allow rule for a federated zone',
    "from: ['spiffe://partner.example/billing/settle']",
    'from: [{ zone: ext }]',
    'RULE_FOREIGN_BY_ZONE rules.2.from.0: zone ext holds foreign ids',
  ],
  [
    'a pattern of ids that are not accepted',
    'partner.example/billing/settle',
    'partner.example/hr/settle',
    'PATTERN_OUTSIDE_FEDERATION rules.2.from.0: spiffe://partner.example/hr/settle is not accepted by any federation entry',
  ],
  [
    'a pattern of a domain that is not federated',
    'partner.example/billing/settle',
    'example.net/billing/settle',
    'PATTERN_OUTSIDE_FEDERATION rules.2.from.0: spiffe://example.net/billing/settle is not accepted by any federation entry',
  ],
  [
    'a wildcard into a zone of target 4',
    'from: [/shop/orders], to: ledger',
    'from: [/shop/*], to: ledger',
    'WILDCARD_INTO_HIGH_TARGET rules.1.from.0: /shop/* is let into zone pay of target 4',
  ],
  [
    'a whole zone into a zone of target 4',
    'from: [/shop/orders], to: ledger',
    'from: [{ zone: shop }], to: ledger',
    'WILDCARD_INTO_HIGH_TARGET rules.1.from.0: zone shop is let into zone pay of target 4',
  ],
  [
    'a rule that a wider one makes needless',
    'rules:',
    'rules:\n  - { id: all, from: [/web/**], to: orders, actions: [write, read], owner: s }',
    'RULE_REDUNDANT rules.1: all allows all that read allows',
  ],
  [
    'a rule that is there twice',
    'rules:',
    'rules:\n  - { id: same, from: [/web/front], to: orders, actions: [read], owner: s }',
    'RULE_REDUNDANT rules.1: same allows all that read allows',
  ],
  [
    'a rule that a deny rule takes back',
    'rules:',
    'rules:\n  - { id: no, effect: deny, from: [/web/**], to: orders, actions: [read], owner: s }',
    'RULE_SHADOWED rules.1: no refuses all that read allows',
  ],
  [
    'a grant of more than 8 hours',
    'maxDuration: 2h',
    'maxDuration: 8h1m',
    'GRANT_TOO_LONG grantTemplates.0.maxDuration: look allows more than 8h',
  ],
  [
    'a grant over a path that a hard guard forbids',
    'from: ops, to: shop, allow',
    'from: web, to: pay, allow',
    'GRANT_FORBIDDEN grantTemplates.0.adds: guard low forbids all of look',
  ],
  [
    'break-glass of more than an hour',
    'maxDuration: 30m',
    'maxDuration: 61m',
    'BREAK_GLASS_TOO_LONG breakGlass.0.maxDuration: glass lasts more than 60m',
  ],
  [
    'SE-46: break-glass by one person',
    'maxDuration: 30m',
    'maxDuration: 30m, approvals: 1',
    'BREAK_GLASS_ONE_PERSON breakGlass.0.approvals: glass can be started by one person',
  ],
  [
    'ZO-25: a guard whose targets exclude each other',
    'from: { maxTarget: 1 }',
    'from: { maxTarget: 1, minTarget: 2 }',
    'GUARD_NEVER guards.0.from: guard low: no target is at least 2 and at most 1',
  ],
  [
    'ZO-25: a movement guard about actions',
    'to: { sensitivity: restricted }',
    'to: { sensitivity: restricted, actions: [post] }',
    'GUARD_NEVER guards.0.to.actions: guard low: the movement gate knows no actions, use `gate: access`',
  ],
]

/** Findings that must come, though others come with them, since one mistake has several consequences. */
const shown = (text: string, options = {}): string[] =>
  findingsOf(text, options).map((finding) => finding.replace(/ \d+:\d+ /, ' '))

describe('checkPolicy()', () => {
  test('finds nothing in a policy that is in order', () => {
    expect(findingsOf(SMALL, { now: NOW })).toEqual([])
  })

  test.for(cases)('finds %s', ([, from, to, finding]) => {
    expect(
      shown(changed([from, to])).some((found) => found.startsWith(finding)),
      shown(changed([from, to])).join('\n'),
    ).toBe(true)
  })

  test('a deny rule about a service that no conduit reaches is an error', () => {
    const text = changed(
      ['conduits:\n', 'conduits: []\nold:\n'],
      ['rules:', 'rules:\n  - { id: no, effect: deny, from: [/web/**], to: orders, actions: [read], owner: s }'],
    )
      .replace(/old:\n(?: {2}- .*\n)+/, '')
      .replace('except: [ext-pay]', 'except: []')
      .replace('conduit: web-shop, ', '')
      .replace('to: shop, allow', 'to: pay, allow')
    expect(shown(text)).toContain('DENY_UNREACHABLE rules.0.to: no conduit reaches orders')
  })

  test('ZO-24: a deny rule stands against grants too: what only a template reaches is in order', () => {
    const raw = (template: string) =>
      changed(
        ['protocol: http }]', 'protocol: http }, { name: raw, port: 9000, protocol: tcp }]'],
        ['path: /orders }] }', 'path: /orders }], raw: [{ connect: true }] }'],
        ['from: ops, to: shop, allow: [{ protocol: http, ports: [8443] }] }', template],
        ['rules:', 'rules:\n  - { id: no, effect: deny, from: [/ops/bob], to: orders, actions: [raw], owner: s }'],
      )
    const found = ['DENY_UNREACHABLE rules.0.actions.0: no conduit reaches a listener of orders that serves raw']
    const tcp = 'allow: [{ protocol: tcp, ports: [9000] }] }'
    expect(shown(raw(`from: ops, to: shop, ${tcp}`))).toEqual([])
    expect(shown(raw(`from: ops, to: { zone: shop, identities: [/shop/other] }, ${tcp}`))).toEqual(found)
    expect(shown(raw(`from: ops, to: web, ${tcp}`))).toEqual(found)
    expect(shown(raw('from: ops, to: shop, allow: [{ protocol: tcp, ports: [9001] }] }'))).toEqual(found)
  })

  test('a deny rule about an action whose listener no conduit reaches is an error', () => {
    const raw = (port: number) =>
      changed(
        ['protocol: http }]', 'protocol: http }, { name: raw, port: 9000, protocol: tcp }]'],
        ['path: /orders }] }', 'path: /orders }], raw: [{ connect: true }] }'],
        [
          'allow: [{ protocol: http, ports: [8443] }], owner',
          `allow: [{ protocol: http, ports: [8443] }, { protocol: tcp, ports: [${port}] }], owner`,
        ],
        [
          'rules:',
          'rules:\n  - { id: no, effect: deny, from: [/web/back], to: orders, actions: [write, raw], owner: s }',
        ],
      )
    expect(shown(raw(9001))).toEqual([
      'DENY_UNREACHABLE rules.0.actions.1: no conduit reaches a listener of orders that serves raw',
    ])
    expect(shown(raw(9000))).toEqual([])
  })

  test('SE-44: registered identities in two zones are errors, each named with what placed it', () => {
    const registered = [
      { spiffeId: 'spiffe://example.org/web/front', labels: { tier: 'shop', env: 'prod' }, selectors: ['unix:uid:1'] },
      { spiffeId: 'spiffe://example.org/web/back', labels: { tier: 'shop', env: 'prod' }, selectors: [] },
    ]
    const text = changed([
      '{ spiffe: /ops/** }',
      '{ spiffe: /ops/** }, { entryLabel: { env: prod }, spiffe: /web/front }',
    ])
    expect(shown(text, { registered })).toContain(
      'IDENTITY_AMBIGUOUS zones: spiffe://example.org/web/front is in ops and shop (label env=prod and pattern /web/front; label tier=shop)',
    )
    expect(shown(text, { registered }).filter((finding) => finding.startsWith('IDENTITY'))).toHaveLength(1)
  })

  test('ZO-11: entries of one id whose labels differ are an error', () => {
    const registered = [
      { spiffeId: 'spiffe://example.org/web/front', labels: { env: 'prod' }, selectors: [] },
      { spiffeId: 'spiffe://example.org/web/front', labels: { env: 'stage' }, selectors: [] },
      { spiffeId: 'spiffe://example.org/web/back', labels: { a: '1', b: '2' }, selectors: [] },
      { spiffeId: 'spiffe://example.org/web/back', labels: { b: '2', a: '1' }, selectors: [] },
    ]
    expect(shown(SMALL, { registered })).toEqual([
      'LABELS_DIFFER : the entries of spiffe://example.org/web/front have different labels',
    ])
  })

  test('where an identity is registered, its own zone counts and not the pattern', () => {
    const registered = [{ spiffeId: 'spiffe://example.org/web/front', labels: { tier: 'shop' }, selectors: [] }]
    expect(shown(SMALL, { registered })).toContain('RULE_DEAD rules.0: no conduit lets a subject of read reach orders')
  })

  test('tells what has passed: reviews on the day after, ends at their instant', () => {
    expect(findingsOf(SMALL, { now: Date.UTC(2027, 0, 2) - 1 })).toEqual([])
    expect(shown(SMALL, { now: Date.UTC(2027, 0, 2) })[0]).toBe(
      'REVIEW_PASSED conduits.0.review: web-shop was to be reviewed by 2027-01-01',
    )
    expect(shown(SMALL, { now: Date.UTC(2027, 5, 1) })).toContain(
      'VALIDITY_PASSED conduits.2.valid.until: ext-pay ended on 2027-06-01',
    )
    expect(shown(SMALL, { now: Date.UTC(2027, 5, 1) - 1 }).join()).not.toContain('VALIDITY_PASSED')
  })

  test('tells of a zone that observes for more than 60 days', () => {
    const text = changed(['target: 1,', 'target: 1, mode: observe,'])
    const since = (days: number) => new Map([['web', NOW - days * DAY_MS]])
    expect(shown(text, { now: NOW, observingSince: since(61) })).toEqual([
      'OBSERVE_TOO_LONG zones.0.mode: zone web has observed since 2026-09-20',
    ])
    expect(shown(text, { now: NOW, observingSince: since(60) })).toEqual([])
    expect(shown(SMALL, { now: NOW, observingSince: since(61) })).toEqual([])
  })

  test.for([
    [
      'a condition',
      'actions: [read], owner: s }',
      "actions: [read], owner: s }\n  - { id: no, effect: deny, from: [/web/**], to: orders, actions: [read], when: 'net.port == 1', owner: s }",
    ],
    [
      'an end',
      'actions: [read], owner: s }',
      'actions: [read], owner: s }\n  - { id: no, effect: deny, from: [/web/**], to: orders, actions: [read], valid: { until: 2030-01-01T00:00:00Z }, owner: s }',
    ],
    [
      'a draft',
      'actions: [read], owner: s }',
      'actions: [read], owner: s }\n  - { id: no, effect: deny, from: [/web/**], to: orders, actions: [read], stage: draft, owner: s }',
    ],
  ] as const)('a deny rule with %s shadows nothing', ([, from, to]) => {
    expect(findingsOf(changed([from, to]))).toEqual([])
  })

  test('a guard with a condition forbids no conduit, for it may be false', () => {
    expect(findingsOf(changed(['except: [ext-pay]', "except: [], when: 'net.port == 1'"]))).toEqual([])
  })

  test('a finding says where it stands, what it means and what to do', () => {
    expect(findingsOf(changed(['from: web, to: shop', 'from: web, to: shpo']))[0]).toBe(
      'REFERENCE_UNKNOWN 22:36 conduits.0.to: there is no zone "shpo", did you mean "shop"?',
    )
    const [finding] = checkPolicy(readPolicy(changed(['from: web, to: shop', 'from: web, to: shpo'])))
    expect(finding).toMatchObject({ severity: 'error', place: undefined, remedy: checkCodes.REFERENCE_UNKNOWN.remedy })
  })

  test('errors come before warnings', () => {
    const found = checkPolicy(
      readPolicy(
        changed(
          ['from: [/web/front], to', 'from: [/ops/alice], to'],
          ['approvals: { count', 'approvals: { count'],
          ['maxDuration: 2h', 'maxDuration: 9h'],
        ),
      ),
    )
    expect(found.map(({ severity }) => severity)).toEqual(found.map(({ severity }) => severity).toSorted())
    expect(new Set(found.map(({ severity }) => severity))).toEqual(new Set(['error', 'warning']))
  })

  test('every code has a test here that finds it', () => {
    const text = readFileSync(join(import.meta.dirname, 'check-policy.test.ts'), 'utf8')
    expect(Object.keys(checkCodes).filter((code) => !text.includes(`${code} `))).toEqual([])
  })
})

describe('checkEffects()', () => {
  const effects = (set: PolicySet, registered: readonly RegisteredIdentity[] = []): string[] =>
    checkEffects(new SliceIndex(set, resolveMembership(set, registered)), { now: NOW }).map(
      ({ code, path, message, severity }) => `${severity} ${code} ${path}: ${message}`,
    )

  test('finds nothing in policies that are in order', () => {
    expect(effects(readPolicy(SMALL))).toEqual([])
    expect(effects(acme)).toEqual([])
  })

  test.for([
    [
      'wildcards into it',
      ['from: [/shop/orders], to: ledger', 'from: [/shop/*], to: ledger'],
      'use control reaches 2: it needs rules without wildcards: post',
    ],
    [
      'old connections',
      ['zones:', 'settings: { connection: { maxAge: 2h } }\nzones:'],
      'data confidentiality reaches 3: it needs connection.maxAge: 1h',
    ],
  ] as const)('tells of a zone that stays below its target by what is written: %s', ([, edit, message]) => {
    expect(effects(readPolicy(changed(edit)))).toContain(
      `warning LEVEL_BELOW_TARGET zones.2.target: zone pay has target 4, and by this policy ${message}`,
    )
  })

  test('a zone that observes stays below target 2, not below 1', () => {
    expect(effects(readPolicy(changed(['target: 1,', 'target: 1, mode: observe,'])))).toEqual([])
    expect(effects(readPolicy(changed(['target: 2,', 'target: 2, mode: observe,'])))).toEqual([
      'warning LEVEL_BELOW_TARGET zones.1.target: zone shop has target 2, and by this policy use control reaches 1: it needs mode: enforce',
      'warning LEVEL_BELOW_TARGET zones.1.target: zone shop has target 2, and by this policy restricted data flow reaches 1: it needs mode: enforce',
    ])
  })

  test('tells of services that can act as more than one other on average, and not of actions that hand nothing over', () => {
    const ring = (pivot: string, rules = RULES): PolicySet =>
      readPolicy(
        SMALL.replace(
          /services:\n[^]*?(?=conduits:)/,
          () => `services:\n${[1, 2, 3].map((at) => service(at, pivot)).join('')}`,
        )
          .replace(/conduits:\n[^]*?(?=grantTemplates:)/, () => `${RING}${rules}`)
          .replace(/tests:\n[^]*$/, '')
          .replace('access: { to: orders', 'access: { to: s1'),
      )
    const service = (at: number, pivot: string): string =>
      `  - { id: s${at}, identity: /shop/s${at}, listeners: [{ name: api, port: 8443, protocol: http }], actions: { read: { match: [{ methods: [GET], path: / }]${pivot} } } }\n`
    const RING = `conduits:
  - { id: mesh, from: shop, to: shop, allow: [{ protocol: http, ports: [8443] }], owner: s, justification: j, review: 2027-01-01 }
`
    const RULES = `rules:
  - { id: s1, from: [/shop/s2, /shop/s3], to: s1, actions: [read], owner: s }
  - { id: s2, from: [/shop/s1, /shop/s3], to: s2, actions: [read], owner: s }
`
    expect(effects(ring(''))).toEqual(['warning OUT_DEGREE_HIGH services: a service can act as 1.3 others on average'])
    expect(effects(ring(', pivot: false'))).toEqual([])
    // Who calls itself gets nowhere.
    expect(effects(ring('', RULES.replaceAll('/shop/s3]', '/shop/s1, /shop/s2]')))).toEqual([])
  })

  test('tells of identities whose slice agents would not take', () => {
    const conduit = acme.conduits.find(({ id }) => id === 'edge-to-shop')
    const wordy = Array.from({ length: 4000 }, (_, at) => ({
      ...conduit!,
      id: `c${at}`,
      justification: 'x'.repeat(700),
    }))
    const found = effects({ ...acme, conduits: [...acme.conduits, ...wordy] })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(
      /^warning SLICE_TOO_LONG : the slice of spiffe:\/\/prod.acme.example\/ns\/shop\/sa\/orders would take 3\.\d MB, and agents take 3.1 MB$/,
    )
  })
})
