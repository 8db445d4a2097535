import { describe, expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import type { PeerFacts } from '../../../src/policy/request.ts'
import {
  acme,
  bastionGrant,
  conduit,
  decideIn,
  HOUR,
  idOf,
  NOW,
  opsSession,
  quarantineOf,
  requestOf,
  rowsOf,
  rule,
  verdictOf,
  withConduit,
  withMore,
  withRule,
  withZone,
  type Asked,
  type World,
} from './acme.ts'

/** A row of zones.md §5: number and name, request, expected verdict (`allow`, or decision, stage and code). */
type Case = readonly [name: string, asked: Asked, expected: string, world?: World]

const PARTNER = 'spiffe://partner.example/billing/settle'
const partner: Asked = { from: PARTNER, to: 'settlement', http: { method: 'PUT', target: '/v1/batches/2026-11-20' } }
const refused = (code: Extract<PeerFacts, { refused: string }>['refused'], claimedId?: string): Asked => ({
  peer: { refused: code, claimedId },
})
const target = (path: string): Asked => ({ http: { target: path } })
const at = (text: string): number => Date.parse(text)
const empty = {
  ...acme,
  ...{
    federation: [],
    zones: [],
    services: [],
    conduits: [],
    guards: [],
    rules: [],
    grantTemplates: [],
    breakGlass: [],
  },
}
const bastion: Asked = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
const grantFor = (change: Partial<typeof bastionGrant>): World => ({
  lifecycle: { grants: [{ ...bastionGrant, ...change }] },
})
const quarantined = (path: string): World['lifecycle'] => ({ quarantines: [quarantineOf({ identity: idOf(path) })] })
const blogZone = (id: string, spiffe: string) => ({
  ...acme.zones[0]!,
  id,
  members: [{ spiffe }],
})
const jwtOf = (path: string, audience: string) => ({
  spiffeId: idOf(path),
  audience: [audience],
  expiresAt: NOW + HOUR,
})

const cases: readonly Case[] = [
  ['1: a longer segment is not the segment', { from: '/ns/webadmin/sa/x' }, 'deny movement UNKNOWN_ZONE'],
  ['2: ** needs one more segment', { from: '/ns/web' }, 'deny movement UNKNOWN_ZONE'],
  ['3: paths are case-sensitive', { from: '/ns/Web/sa/storefront' }, 'deny movement UNKNOWN_ZONE'],
  ['4: an escape in an id', { from: '/ns/web%2fsa/storefront' }, 'deny identity SVID_MALFORMED'],
  ['5: a dot segment in an id', { from: '/ns/erp/../web/sa/storefront' }, 'deny identity SVID_MALFORMED'],
  [
    '6: an upper-case trust domain',
    { from: 'spiffe://PROD.acme.example/ns/web/sa/storefront' },
    'deny identity SVID_MALFORMED',
  ],
  ['7: two URI SANs', refused('SVID_MALFORMED'), 'deny identity SVID_MALFORMED'],
  ['8: no client certificate', refused('NO_PEER_IDENTITY'), 'deny identity NO_PEER_IDENTITY'],
  ['9: an id without a path', { from: 'spiffe://prod.acme.example' }, 'deny identity SVID_MALFORMED'],
  [
    '10: expired while the connection is open',
    { peer: { spiffeId: idOf('/ns/web/sa/storefront'), serialNumber: '1', notAfter: NOW } },
    'deny identity SVID_EXPIRED',
  ],
  [
    '11: the same path in a foreign trust domain',
    { from: 'spiffe://evil.example/ns/web/sa/storefront' },
    'deny identity UNKNOWN_TRUST_DOMAIN',
  ],
  [
    '12: a trust domain that begins like the partner’s',
    { from: 'spiffe://partner.example.evil.net/billing/settle' },
    'deny identity UNKNOWN_TRUST_DOMAIN',
  ],
  ['13: a partner’s id outside of accept', { from: 'spiffe://partner.example/hr/x' }, 'deny movement UNKNOWN_ZONE'],
  [
    '14: a local pattern and a foreign id',
    { from: 'spiffe://partner.example/ns/pay/sa/ledger' },
    'deny movement UNKNOWN_ZONE',
  ],
  [
    '15: a local id by the partner’s bundle',
    refused('TRUST_DOMAIN_MISMATCH', idOf('/ns/web/sa/storefront')),
    'deny identity TRUST_DOMAIN_MISMATCH',
  ],
  ['16: the partner outside its window', partner, 'deny movement OUTSIDE_WINDOW'],
  ['17: the partner within its window', { ...partner, at: at('2026-11-20T02:00:00Z') }, 'allow'],
  [
    '18: the partner after its conduit',
    { ...partner, at: at('2027-07-01T02:00:00Z') },
    'deny movement CONDUIT_EXPIRED',
  ],
  ['19: an empty policy', {}, 'deny movement UNKNOWN_ZONE', { set: empty, rows: [] }],
  ['20: zones without conduits', {}, 'deny movement NO_CONDUIT', { set: { ...acme, conduits: [] } }],
  [
    '21: a conduit without a rule',
    { from: '/ns/web/sa/unruled', http: { method: 'POST', target: '/v1/orders' } },
    'deny access NO_RULE',
  ],
  [
    '22: a rule without a conduit',
    {},
    'deny movement NO_CONDUIT',
    { set: { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'edge-to-shop') } },
  ],
  ['23: allow by pattern and deny by id', { from: '/ns/web/sa/canary' }, 'deny access DENY_RULE'],
  [
    '24: a deny rule that reads a missing label',
    { from: '/ns/web/sa/nolabel' },
    'deny access DENY_RULE',
    {
      set: withMore({
        rules: [rule('d', [{ pattern: '/ns/web/**' }], 'orders', { effect: 'deny', when: 'src.labels["env"] == "x"' })],
      }),
    },
  ],
  ['25: an allow rule that reads a missing label', { from: '/ns/web/sa/nolabel' }, 'deny access CONDITION_ERROR'],
  ['26: an allow rule whose condition is false', { from: '/ns/web/sa/stage' }, 'deny access NO_RULE'],
  [
    '27: a rule that has ended',
    { from: '/ns/web/sa/importer', http: { method: 'POST', target: '/v1/orders' } },
    'deny access RULE_EXPIRED',
  ],
  [
    '28: a conduit against a guard',
    { to: 'ledger', grpc: '/ledger.v1.Ledger/Post' },
    'deny movement GUARD',
    { set: withMore({ conduits: [conduit('x', 'edge', 'pay', { allow: [{ protocol: 'grpc', ports: [9443] }] })] }) },
  ],
  ['29: a label has moved it to another zone', { from: '/ns/shop/sa/pci-proxy' }, 'deny movement NO_CONDUIT'],
  ['30: two explicit zones', { from: '/ns/shop/sa/both' }, 'deny movement AMBIGUOUS_ZONE'],
  [
    '31: the exact pattern wins',
    { from: '/ns/web/sa/blog' },
    'deny movement NO_CONDUIT',
    { set: withMore({ zones: [blogZone('blog', '/ns/web/sa/blog')] }) },
  ],
  [
    '32: two zones with the same pattern',
    {},
    'deny movement AMBIGUOUS_ZONE',
    { set: withMore({ zones: [blogZone('twin', '/ns/web/**')] }) },
  ],
  ['33: no implicit trust', { from: '/ns/erp/sa/erp' }, 'deny movement NO_CONDUIT'],
  ['34: observe lets it pass and says so', { to: 'erp' }, 'allow movement NO_CONDUIT'],
  [
    '35: observe does not soften a quarantine',
    { to: 'erp' },
    'deny lifecycle QUARANTINED',
    { lifecycle: quarantined('/ns/web/sa/storefront') },
  ],
  [
    '36: the destination in quarantine',
    {},
    'deny lifecycle QUARANTINED',
    { lifecycle: quarantined('/ns/shop/sa/orders') },
  ],
  [
    '37: offboarded with a valid SVID',
    {},
    'deny lifecycle OFFBOARDED',
    { lifecycle: { offboarded: [idOf('/ns/web/sa/storefront')] } },
  ],
  ['38: another port', { connection: { port: 8080 } }, 'deny movement PORT_MISMATCH'],
  ['39: no ALPN', { connection: { alpn: null } }, 'deny movement ALPN_MISMATCH'],
  ['40: bytes to an HTTP listener', { connection: { protocol: 'tcp' }, bare: true }, 'deny movement PROTOCOL_MISMATCH'],
  ['41: a dot segment', target('/admin/../v1/orders/1'), 'deny access PATH_DOT_SEGMENT'],
  ['42: escaped dots', target('/v1/orders/%2e%2e/%2e%2e/admin/users'), 'deny access PATH_AMBIGUOUS_ESCAPE'],
  ['43: escaped twice', target('/v1/orders/%252e%252e'), 'deny access PATH_AMBIGUOUS_ESCAPE'],
  ['44: an empty segment', target('//v1/orders/1'), 'deny access PATH_EMPTY_SEGMENT'],
  ['45: an escaped slash', target('/v1/orders%2f1'), 'deny access PATH_AMBIGUOUS_ESCAPE'],
  ['46: a back-slash', target('/v1\\orders\\1'), 'deny access PATH_FORBIDDEN_CHAR'],
  ['47: a matrix parameter', target('/v1/orders;x=/admin'), 'deny access PATH_FORBIDDEN_CHAR'],
  ['48: no leading slash', target('v1/orders/1'), 'deny access PATH_NO_LEADING_SLASH'],
  ['48: the absolute form', target('http://evil/admin'), 'deny access PATH_NO_LEADING_SLASH'],
  ['49: a fragment', target('/v1/orders/1#/admin'), 'deny access PATH_FORBIDDEN_CHAR'],
  ['49: an escaped NUL', target('/v1/orders/%00'), 'deny access PATH_AMBIGUOUS_ESCAPE'],
  ['49: a bad escape', target('/v1/orders/%zz'), 'deny access PATH_BAD_ESCAPE'],
  ['50: another case', target('/V1/orders/1'), 'deny access NO_ACTION'],
  ['50: a trailing slash', target('/v1/orders/1/'), 'deny access NO_ACTION'],
  ['50: one segment more', target('/v1/orders/1/items'), 'deny access NO_ACTION'],
  ['50: a longer literal', target('/v1/ordersX'), 'deny access NO_ACTION'],
  ['51: an escape that needs none', target('/v1/%6frders/1'), 'allow'],
  ['52: a query', target('/v1/orders/1?next=/admin/../x'), 'allow'],
  ['53: a method in lower case', { http: { method: 'get' } }, 'deny access METHOD_NOT_ALLOWED'],
  ['54: HEAD where only GET is listed', { http: { method: 'HEAD', target: '/v1/orders' } }, 'deny access NO_ACTION'],
  ['55: a method override', { http: { methodOverride: 'DELETE' } }, 'deny access METHOD_OVERRIDE'],
  [
    '56: the authority of another service',
    { http: { authorities: ['ledger.pay.svc'] } },
    'deny access AUTHORITY_MISMATCH',
  ],
  ['57: an administrative action', target('/admin/users'), 'deny access GUARD'],
  [
    '58: a gRPC path without slash',
    { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: 'ledger.v1.Ledger/Post' },
    'deny access PATH_NO_LEADING_SLASH',
  ],
  [
    '58: a gRPC method in another case',
    { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: '/ledger.v1.Ledger/post' },
    'deny access NO_ACTION',
  ],
  [
    '59: a stolen token',
    {
      from: '/ns/web/sa/nolabel',
      http: { method: 'POST', target: '/v1/orders' },
      jwt: jwtOf('/ns/web/sa/storefront', 'orders'),
    },
    'deny access NO_RULE',
  ],
  [
    '60: a caller without a rule',
    {
      from: '/ns/shop/sa/checkout',
      to: 'ledger',
      grpc: '/ledger.v1.Ledger/Post',
      jwt: jwtOf('/ns/web/sa/storefront', 'ledger'),
    },
    'deny access CALLER_NO_RULE',
  ],
  [
    '61: a token for another audience',
    {
      from: '/ns/shop/sa/checkout',
      to: 'ledger',
      grpc: '/ledger.v1.Ledger/Post',
      jwt: jwtOf('/ns/web/sa/storefront', 'orders'),
    },
    'deny access JWT_AUDIENCE',
  ],
  ['62: no standing path', bastion, 'deny movement NO_CONDUIT'],
  ['63: a live grant', bastion, 'allow', grantFor({})],
  ['64: the grant ends', { ...bastion, at: bastionGrant.until }, 'deny movement GRANT_EXPIRED', grantFor({})],
  ['65: a grant that has not begun', bastion, 'deny movement GRANT_EXPIRED', grantFor({ from: NOW + 1 })],
  [
    '65: a grant that approved itself',
    bastion,
    'deny movement NO_CONDUIT',
    grantFor({ approvers: ['user:ada', 'user:grace'] }),
  ],
  ['65: a grant longer than its template', bastion, 'deny movement NO_CONDUIT', grantFor({ until: NOW + 2 * HOUR })],
  [
    '65: a grant of another subject',
    bastion,
    'deny movement NO_CONDUIT',
    grantFor({ subject: idOf('/ns/ops/sa/other') }),
  ],
  [
    '65: a grant for a subject that its template does not name',
    { ...bastion, from: '/ns/ops/sa/other' },
    'deny movement NO_CONDUIT',
    grantFor({ subject: idOf('/ns/ops/sa/other') }),
  ],
  [
    '66: a live grant in quarantine',
    bastion,
    'deny lifecycle QUARANTINED',
    { lifecycle: { ...grantFor({}).lifecycle, ...quarantined('/ns/ops/sa/bastion') } },
  ],
  ['67: break-glass', bastion, 'allow', { lifecycle: { breakGlass: [opsSession] } }],
  [
    '68: break-glass in quarantine',
    bastion,
    'deny lifecycle QUARANTINED',
    { lifecycle: { breakGlass: [opsSession], ...quarantined('/ns/ops/sa/bastion') } },
  ],
  [
    '68: break-glass to a zone that is not listed',
    { ...bastion, to: 'settlement' },
    'deny movement NO_CONDUIT',
    { lifecycle: { breakGlass: [opsSession] } },
  ],
  [
    '70: a rule narrowed to reading',
    { http: { method: 'POST', target: '/v1/orders' } },
    'deny access NO_RULE',
    { set: withRule('storefront-orders', { actions: ['read'] }) },
  ],
  ['71: an agent cut off for 25 hours', { policyAgeMs: 25 * HOUR }, 'deny identity POLICY_STALE'],
  ['72: a connection without a request', { bare: true }, 'allow'],
]

describe('case', () => {
  test.for(cases)('%s', ([, asked, expected, world]) => {
    expect(verdictOf(decideIn(world ?? {}, asked))).toBe(expected)
  })

  test('17: by the conduit and rule that are meant', () => {
    const { gates } = decideIn({}, { ...partner, at: at('2026-11-20T02:00:00Z') })
    expect([gates.movement.by, gates.access.by]).toEqual([
      { kind: 'conduit', id: 'partner-settlement' },
      { kind: 'rule', id: 'partner-submit' },
    ])
  })

  test('22: the access gate says allow', () => {
    const set = { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'edge-to-shop') }
    expect(decideIn({ set }, {}).gates.access).toMatchObject({ result: 'allow', by: { id: 'storefront-orders' } })
  })

  test('31: in the exact zone', () => {
    const set = withMore({ zones: [blogZone('blog', '/ns/web/sa/blog')] })
    expect(decideIn({ set }, { from: '/ns/web/sa/blog' }).src.zone).toBe('blog')
  })

  test('34: with wouldDeny and the raw answer', () => {
    expect(decideIn({}, { to: 'erp' })).toMatchObject({
      decision: 'allow',
      raw: 'deny',
      mode: 'observe',
      wouldDeny: true,
      code: 'NO_CONDUIT',
    })
  })

  test('59: the token is ignored', () => {
    const asked = { from: '/ns/web/sa/nolabel', jwt: jwtOf('/ns/web/sa/storefront', 'orders') }
    expect(decideIn({}, asked)).toMatchObject({ jwt: 'ignored', caller: null })
  })

  test('63: both gates by the grant', () => {
    const by = { kind: 'grant', id: 'g1' }
    expect(decideIn(grantFor({}), bastion).gates).toMatchObject({ movement: { by }, access: { by } })
  })

  test('67: marked as break-glass', () => {
    const by = { kind: 'breakGlass', id: 'bg1' }
    expect(decideIn({ lifecycle: { breakGlass: [opsSession] } }, bastion).gates).toMatchObject({
      movement: { by },
      access: { by },
    })
  })

  test('64: the answer says when the grant ends', () => {
    expect(decideIn(grantFor({ until: NOW + 60_000 }), bastion).expires).toBe(NOW + 60_000)
  })

  test('69: a conduit is removed between two requests of one connection', () => {
    const [before, after] = [acme, withConduit('edge-to-shop', { valid: { from: undefined, until: NOW } })].map((set) =>
      compile(set, rowsOf(set)),
    )
    const removed = compile({ ...acme, conduits: [] }, rowsOf(acme))
    const answer = (tables: typeof before): Decision => decide(tables!, indexLifecycle(NO_LIFECYCLE), requestOf({}))
    expect([before, removed, after].map((tables) => verdictOf(answer(tables)))).toEqual([
      'allow',
      'deny movement NO_CONDUIT',
      'deny movement CONDUIT_EXPIRED',
    ])
  })

  test('72: access is not evaluated', () => {
    expect(decideIn({}, { bare: true }).gates.access.result).toBe('notEvaluated')
  })

  test('10: zones of observe do not keep an expired SVID', () => {
    const peer = { spiffeId: idOf('/ns/web/sa/storefront'), serialNumber: '1', notAfter: NOW - 1 }
    expect(verdictOf(decideIn({ set: withZone('shop', { mode: 'observe' }) }, { peer }))).toBe(
      'deny identity SVID_EXPIRED',
    )
  })
})
