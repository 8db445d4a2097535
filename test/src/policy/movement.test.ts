import { describe, expect, test } from 'vitest'
import type { Listener } from '../../../src/policy/policy-set.ts'
import {
  acme,
  bastionGrant,
  conduit,
  decideIn,
  guard,
  HOUR,
  idOf,
  NOW,
  opsSession,
  rule,
  verdictOf,
  withConduit,
  withMore,
  withZone,
} from './acme.ts'

const listening = (listeners: readonly Listener[]) => ({
  ...acme,
  services: acme.services.map((service) => (service.id === 'orders' ? { ...service, listeners } : service)),
})
const SETTLE = 'spiffe://partner.example/billing/settle'
const settle = { from: SETTLE, to: 'settlement', http: { method: 'PUT', target: '/v1/batches/x' } }
const NIGHT = Date.parse('2026-11-20T02:00:00Z')
const closed = { valid: { from: undefined, until: NOW } }
const window = { fromMinute: 60, toMinute: 180, tz: 'UTC' }

describe('the movement gate', () => {
  test('ZO-05: asks source zone, service, destination zone, listener in this order', () => {
    const nowhere = '/ns/nowhere/sa/x'
    const set = {
      ...acme,
      services: [...acme.services, { ...acme.services[0]!, id: 'lost', identity: '/ns/lost/sa/x' }],
    }
    const codeOf = (from: string | undefined, to: string, port: number) =>
      decideIn({ set }, { ...(from === undefined ? {} : { from }), to, connection: { port } }).gates.movement.code
    expect(codeOf('/ns/shop/sa/both', 'none', 1)).toBe('AMBIGUOUS_ZONE')
    expect(codeOf(nowhere, 'none', 1)).toBe('UNKNOWN_ZONE')
    expect(codeOf(undefined, 'none', 1)).toBe('UNKNOWN_SERVICE')
    expect(codeOf(undefined, 'lost', 1)).toBe('UNKNOWN_ZONE')
    expect(codeOf(undefined, 'orders', 1)).toBe('PORT_MISMATCH')
  })

  test('ZO-05: an absent service is UNKNOWN_SERVICE in both gates', () => {
    const { gates } = decideIn({}, { to: 'none' })
    expect([gates.movement.code, gates.access.code]).toEqual(['UNKNOWN_SERVICE', 'UNKNOWN_SERVICE'])
  })

  test('ZO-20: a conduit that does not cover the port of a listener is NO_CONDUIT', () => {
    const set = withConduit('edge-to-shop', { allow: [{ protocol: 'http', ports: [9999] }] })
    expect(verdictOf(decideIn({ set }, {}))).toBe('deny movement NO_CONDUIT')
    const grpc = withConduit('edge-to-shop', { allow: [{ protocol: 'grpc', ports: [8443] }] })
    expect(verdictOf(decideIn({ set: grpc }, {}))).toBe('deny movement NO_CONDUIT')
  })

  test('ZO-20: a gRPC request on an HTTP listener is on a connection of that listener’s protocol', () => {
    const asked = { http: { isGrpc: true, method: 'POST' }, connection: { protocol: 'grpc' as const } }
    expect(decideIn({}, asked).gates.movement.result).toBe('allow')
    expect(decideIn({}, asked).gates.access.code).toBe('NO_ACTION')
  })

  test('ZO-20: a second listener on the port is tried', () => {
    const api = { name: 'api', port: 8443, protocol: 'http', alpn: ['h2'] } as const
    const bytes = { name: 'raw', port: 8443, protocol: 'tcp', alpn: [] } as const
    for (const listeners of [
      [api, bytes],
      [bytes, api],
    ])
      expect(verdictOf(decideIn({ set: listening(listeners) }, {}))).toBe('allow')
  })

  test('ZO-20: of several listeners on the port it is told what the one that fits best lacks', () => {
    const [alpn, protocol] = [
      { name: 'a', port: 8443, protocol: 'http', alpn: ['http/1.1', 'http/1.0'] },
      { name: 'b', port: 8443, protocol: 'tcp', alpn: [] },
    ] as const
    const codeOf = (...listeners: Listener[]) => decideIn({ set: listening(listeners) }, {}).code
    expect([codeOf(alpn, protocol), codeOf(protocol, alpn)]).toEqual(['ALPN_MISMATCH', 'ALPN_MISMATCH'])
    expect(codeOf(protocol, { ...alpn, port: 1 })).toBe('PROTOCOL_MISMATCH')
    expect(codeOf({ ...alpn, alpn: ['http/1.1', 'h2'] })).toBeNull()
    expect(codeOf({ ...alpn, alpn: [] })).toBeNull()
  })

  test('ZO-21: of several closed conduits the window is told before the expiry, and before nothing', () => {
    const set = withMore(
      { conduits: [conduit('a', 'edge', 'shop', { window }), conduit('b', 'edge', 'shop', closed)] },
      { ...acme, conduits: [] },
    )
    expect(decideIn({ set }, {}).code).toBe('OUTSIDE_WINDOW')
    expect(decideIn({ set: { ...set, conduits: set.conduits.slice(1) } }, {}).code).toBe('CONDUIT_EXPIRED')
  })

  test('ZO-21: a closed conduit before an ended grant, that before an ended session, that before nothing', () => {
    const bastion = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
    const path = { allow: [{ protocol: 'tcp', ports: [5432] }], ...closed } as const
    const set = withMore({ conduits: [conduit('x', 'ops', 'data', path)] })
    const grants = [{ ...bastionGrant, until: NOW }]
    const breakGlass = [{ ...opsSession, until: NOW }]
    expect(decideIn({ set, lifecycle: { grants, breakGlass } }, bastion).code).toBe('CONDUIT_EXPIRED')
    expect(decideIn({ lifecycle: { grants, breakGlass } }, bastion).code).toBe('GRANT_EXPIRED')
    expect(decideIn({ lifecycle: { breakGlass } }, bastion).code).toBe('BREAK_GLASS_EXPIRED')
    expect(decideIn({}, bastion).code).toBe('NO_CONDUIT')
  })

  test('ZO-21: before valid.from counts as expired', () => {
    const set = withConduit('edge-to-shop', { valid: { from: NOW + 1, until: undefined } })
    expect(decideIn({ set }, {}).code).toBe('CONDUIT_EXPIRED')
  })

  test('ZO-22: validity is half-open', () => {
    const at = (valid: object) => verdictOf(decideIn({ set: withConduit('edge-to-shop', { valid } as never) }, {}))
    expect(at({ from: NOW, until: NOW + 1 })).toBe('allow')
    expect(at({ from: undefined, until: NOW })).toBe('deny movement CONDUIT_EXPIRED')
  })

  test('the answer says when a window ends, when one opens, and when the policy gets stale', () => {
    const night = (at: number) =>
      decideIn({ set: withConduit('edge-to-shop', { window }) }, { at, peer: eternal }).expires
    const eternal = { spiffeId: idOf('/ns/web/sa/storefront'), serialNumber: '1', notAfter: Infinity }
    expect([night(NIGHT), night(NOW)]).toEqual([NIGHT + HOUR, NOW + 13 * HOUR])
    expect(decideIn({}, { peer: eternal, policyAgeMs: 23 * HOUR }).expires).toBe(NOW + HOUR)
    const set = withConduit('edge-to-shop', { valid: { from: undefined, until: NOW + 5 } })
    expect(decideIn({ set }, {}).expires).toBe(NOW + 5)
  })

  test('ZO-23: within a zone only a conduit from it to itself opens', () => {
    const asked = { from: '/ns/shop/sa/other' }
    expect(decideIn({}, asked).gates.movement.by?.id).toBe('shop-mesh')
    const set = { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'shop-mesh') }
    expect(verdictOf(decideIn({ set }, asked))).toBe('deny movement NO_CONDUIT')
  })

  test('ZO-26: the first opener is told: conduit, grant, break-glass, then the smallest id', () => {
    const bastion = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
    const path = { allow: [{ protocol: 'tcp', ports: [5432] }] } as const
    const grants = [{ ...bastionGrant, id: 'g2' }, bastionGrant]
    const breakGlass = [opsSession]
    const set = withMore({ conduits: [conduit('y', 'ops', 'data', path), conduit('x', 'ops', 'data', path)] })
    expect(decideIn({ set, lifecycle: { grants, breakGlass } }, bastion).gates.movement.by).toEqual({
      kind: 'conduit',
      id: 'x',
    })
    expect(decideIn({ lifecycle: { grants, breakGlass } }, bastion).gates.movement.by).toEqual({
      kind: 'grant',
      id: 'g1',
    })
    expect(decideIn({ lifecycle: { breakGlass } }, bastion).gates.movement.by).toEqual({
      kind: 'breakGlass',
      id: 'bg1',
    })
  })

  test('ZO-12: a conduit without identities matches foreign ids by zone', () => {
    const set = withConduit('partner-settlement', {
      from: { zone: 'ext-partner', identities: undefined },
      window: undefined,
    })
    expect(decideIn({ set }, settle).gates.movement.result).toBe('allow')
  })

  test('ZO-12: an allow rule matches foreign ids by pattern only, a deny rule by zone too', () => {
    const rules = acme.rules.filter(({ id }) => id !== 'partner-submit')
    const byZone = rule('by-zone', [{ zone: 'ext-partner' }], 'settlement', { actions: ['submit'] })
    expect(decideIn({ set: { ...acme, rules: [...rules, byZone] } }, { ...settle, at: NIGHT }).code).toBe('NO_RULE')
    const set = withMore({ rules: [{ ...byZone, effect: 'deny' }] })
    expect(decideIn({ set }, { ...settle, at: NIGHT }).code).toBe('DENY_RULE')
  })

  test('an allow rule by a local pattern never matches a foreign id of the same path', () => {
    const rules = [rule('local', [{ pattern: '/billing/settle' }], 'settlement', { actions: ['submit'] })]
    expect(decideIn({ set: { ...acme, rules } }, { ...settle, at: NIGHT }).code).toBe('NO_RULE')
  })

  test('drafts do not decide, and can be asked for', async () => {
    const set = withMore({ conduits: [conduit('draft', 'ops', 'pay', { stage: 'draft' })] })
    const { compile } = await import('../../../src/policy/compile.ts')
    const { decide } = await import('../../../src/policy/decide.ts')
    const { indexLifecycle } = await import('../../../src/policy/lifecycle-index.ts')
    const { NO_LIFECYCLE } = await import('../../../src/policy/lifecycle.ts')
    const { requestOf } = await import('./acme.ts')
    const request = requestOf({ from: '/ns/ops/sa/x', to: 'settlement' })
    const movement = (withDrafts: boolean) =>
      decide(compile(set, [], { withDrafts }), indexLifecycle(NO_LIFECYCLE), request).gates.movement
    expect([movement(false).code, movement(true).by?.id]).toEqual(['NO_CONDUIT', 'draft'])
  })
})

describe('guards', () => {
  const toPay = { from: '/ns/web/sa/storefront', to: 'settlement', http: { method: 'PUT', target: '/v1/batches/x' } }

  test('ZO-24: where a guard matches, neither grants nor break-glass open', () => {
    const set = withMore({ guards: [guard('none-to-data', 'movement', { to: { zone: 'data' } })] })
    const lifecycle = { grants: [bastionGrant], breakGlass: [opsSession] }
    expect(decideIn({ set, lifecycle }, { from: '/ns/ops/sa/bastion', to: 'orders-db' })).toMatchObject({
      decision: 'deny',
      code: 'GUARD',
      gates: { movement: { by: { kind: 'guard', id: 'none-to-data' } } },
    })
  })

  test('ZO-24: an excepted conduit must be an exception of every guard that matches', () => {
    const guards = [guard('g2', 'movement', { from: { zone: 'ext-partner' } })]
    expect(decideIn({ set: withMore({ guards }) }, { ...settle, at: NIGHT }).code).toBe('GUARD')
  })

  test('ZO-24: an access guard leaves its excepted rules, and deny rules stand', () => {
    const asked = { http: { target: '/v1/orders/1' } }
    const only = (except: string[]) => [guard('g', 'access', { to: { service: 'orders', actions: ['read'] }, except })]
    expect(decideIn({ set: withMore({ guards: only(['web-read']) }) }, asked).gates.access.by).toEqual({
      kind: 'rule',
      id: 'web-read',
    })
    expect(decideIn({ set: withMore({ guards: only(['support-read']) }) }, asked).gates.access.code).toBe('GUARD')
    expect(
      decideIn({ set: withMore({ guards: only(['web-read']) }) }, { from: '/ns/web/sa/canary', ...asked }).code,
    ).toBe('DENY_RULE')
  })

  test('ZO-24: grants and break-glass do not open against a deny rule', () => {
    const from = [{ pattern: '/ns/ops/sa/bastion' }]
    const set = withMore({ rules: [rule('no', from, 'orders-db', { effect: 'deny', actions: ['connect'] })] })
    const lifecycle = { grants: [bastionGrant], breakGlass: [opsSession] }
    expect(verdictOf(decideIn({ set, lifecycle }, { from: '/ns/ops/sa/bastion', to: 'orders-db' }))).toBe(
      'deny access DENY_RULE',
    )
  })

  test.for<[string, object, object]>([
    ['maxTarget', { from: { maxTarget: 1 } }, { from: { maxTarget: 0 } }],
    ['minTarget', { to: { minTarget: 4 } }, { from: { minTarget: 2 } }],
    ['zone', { to: { zone: 'pay' } }, { to: { zone: 'shop' } }],
    ['notZone', { from: { notZone: 'shop' } }, { from: { notZone: 'edge' } }],
    ['sensitivity', { to: { sensitivity: 'restricted' } }, { to: { sensitivity: 'internal' } }],
    ['admin', { from: { admin: 'none' } }, { from: { admin: 'operate' } }],
    ['notAdmin', { from: { notAdmin: 'operate' } }, { from: { notAdmin: 'none' } }],
    ['crownJewel', { to: { crownJewel: true } }, { to: { crownJewel: false } }],
    ['identities', { from: { identities: ['/ns/web/**'] } }, { from: { identities: ['/ns/web'] } }],
    ['service', { to: { service: 'settlement' } }, { to: { service: 'ledger' } }],
    ['a service as source', { from: { service: 'web' } }, { from: { service: 'orders' } }],
    ['two keys', { from: { zone: 'edge', maxTarget: 1 } }, { from: { zone: 'edge', maxTarget: 0 } }],
    ['when', { when: 'src.zone == "edge"' }, { when: 'src.zone == "shop"' }],
    ['when with an error', { when: 'src.labels["none"] == "x"' }, { when: 'src.labels has "none"' }],
  ])('ZO-25: ZO-40: the predicate %s', ([, matching, other]) => {
    const web = { ...acme.services[0]!, id: 'web', identity: '/ns/web/sa/storefront' }
    const codeOf = (change: object) => {
      const open = { conduits: [...acme.conduits, conduit('x', 'edge', 'pay')], services: [...acme.services, web] }
      return decideIn({ set: { ...acme, ...open, guards: [guard('g', 'movement', change)] } }, toPay).gates.movement
        .code
    }
    expect([codeOf(matching), codeOf(other)]).toEqual(['GUARD', null])
  })

  test('ZO-25: a movement guard stands whatever actions it names: a path is open for all of them', () => {
    const guards = [guard('g', 'movement', { to: { actions: ['create'] } })]
    expect(decideIn({ set: { ...acme, guards } }, {}).gates.movement.code).toBe('GUARD')
  })

  test('ZO-25: the predicate actions', () => {
    const codeOf = (actions: string[]) =>
      decideIn({ set: { ...acme, guards: [guard('g', 'access', { to: { actions } })] } }, {}).gates.access.code
    expect([codeOf(['read']), codeOf(['create'])]).toEqual(['GUARD', null])
  })
})

describe('observe', () => {
  const observing = (more: Parameters<typeof withMore>[0] = {}) => withMore(more, withZone('shop', { mode: 'observe' }))
  const badPath = { http: { target: '//admin' } }

  test('ZO-30: softens every movement and access code of local peers', () => {
    expect(decideIn({ set: observing() }, { from: '/ns/nowhere/sa/x' })).toMatchObject({
      decision: 'allow',
      code: 'UNKNOWN_ZONE',
    })
    expect(decideIn({ set: observing() }, { connection: { port: 1 } })).toMatchObject({
      decision: 'allow',
      code: 'PORT_MISMATCH',
    })
    expect(decideIn({ set: observing() }, { from: '/ns/web/sa/canary' })).toMatchObject({
      decision: 'allow',
      code: 'DENY_RULE',
    })
    expect(decideIn({ set: observing() }, { http: { target: '/admin/x' } })).toMatchObject({
      decision: 'allow',
      code: 'GUARD',
    })
  })

  test('ZO-30: what is allowed anyway would not be denied', () => {
    expect(decideIn({ set: observing() }, {})).toMatchObject({ mode: 'observe', raw: 'allow', wouldDeny: false })
  })

  test('ZO-30: SE-42: never past a hard guard of either gate, whatever code came first', () => {
    const movement = observing({ guards: [guard('h', 'movement', { from: { zone: 'edge' }, hard: true })] })
    expect(verdictOf(decideIn({ set: movement }, { connection: { port: 1 } }))).toBe('deny movement PORT_MISMATCH')
    const access = observing({ guards: [guard('h', 'access', { to: { actions: ['admin'] }, hard: true })] })
    expect(verdictOf(decideIn({ set: access }, { from: '/ns/pay/sa/x', http: { target: '/admin/x' } }))).toBe(
      'deny movement NO_CONDUIT',
    )
  })

  test('ZO-25: ZO-30: a refused path matches every action of a hard guard, an action does not match another', () => {
    const set = observing({ guards: [guard('h', 'access', { to: { actions: ['admin'] }, hard: true })] })
    expect(verdictOf(decideIn({ set }, badPath))).toBe('deny access PATH_EMPTY_SEGMENT')
    expect(decideIn({ set }, { from: '/ns/web/sa/canary' }).decision).toBe('allow')
  })

  test('ZO-25: ZO-30: an unresolved source matches every zone predicate of a hard guard', () => {
    const set = observing({ guards: [guard('h', 'movement', { from: { zone: 'pay', minTarget: 4 }, hard: true })] })
    expect(verdictOf(decideIn({ set }, { from: '/ns/nowhere/sa/x' }))).toBe('deny movement UNKNOWN_ZONE')
    expect(decideIn({ set }, badPath).decision).toBe('allow')
  })

  test('ZO-30: an excepted conduit lifts the hard guard only while it is live', () => {
    const set = (change: object) =>
      observing({
        conduits: [conduit('x', 'edge', 'shop', change)],
        guards: [guard('h', 'movement', { from: { zone: 'edge' }, except: ['x'], hard: true })],
      })
    expect(decideIn({ set: set({}) }, badPath).decision).toBe('allow')
    expect(decideIn({ set: set({ window }) }, badPath).decision).toBe('deny')
    expect(decideIn({ set: set(closed) }, badPath).decision).toBe('deny')
  })

  test('ZO-30: SE-42: foreign peers get the raw decision', () => {
    const set = withMore({ services: [{ ...acme.services[0]!, id: 's', identity: '/ns/erp/sa/s', authorities: [] }] })
    expect(verdictOf(decideIn({ set }, { from: SETTLE, to: 's' }))).toBe('deny movement NO_CONDUIT')
    expect(decideIn({ set }, { to: 's' }).decision).toBe('allow')
  })

  test('ZO-30: the ports of enforceOnly are enforced', () => {
    const set = withZone('shop', { mode: 'observe', enforceOnly: [8443] })
    expect(decideIn({ set }, badPath)).toMatchObject({ decision: 'deny', mode: 'enforce' })
    expect(decideIn({ set: withZone('shop', { mode: 'observe', enforceOnly: [1] }) }, badPath).decision).toBe('allow')
  })

  test('SE-42: crown jewels and zones of target 3 and more enforce, whatever their mode says', () => {
    const modeOf = (change: object) => decideIn({ set: withZone('shop', { mode: 'observe', ...change }) }, badPath).mode
    expect([modeOf({}), modeOf({ target: 3 }), modeOf({ crownJewel: true })]).toEqual(['observe', 'enforce', 'enforce'])
  })

  test('ZO-30: an unresolved destination enforces', () => {
    const set = withZone('twin', {}, withMore({ zones: [{ ...acme.zones[5]!, id: 'twin' }] }))
    expect(decideIn({ set }, { to: 'erp' })).toMatchObject({
      decision: 'deny',
      mode: 'enforce',
      code: 'AMBIGUOUS_ZONE',
    })
  })
})

describe('grants and break-glass', () => {
  const bastion = { from: '/ns/ops/sa/bastion', to: 'orders-db' }

  test('ZO-60: a grant that lists its requester as approver is invalid', () => {
    const grants = [{ ...bastionGrant, approvers: [bastionGrant.requester, 'user:grace'] }]
    expect(decideIn({ lifecycle: { grants } }, bastion).code).toBe('NO_CONDUIT')
  })

  test.for<[string, object]>([
    ['of a template that is gone', { template: 'none' }],
    ['with too few approvers', { approvers: [] }],
    ['to another zone than its template', { movement: { ...bastionGrant.movement, from: { zone: 'shop' } } }],
    ['for an action that its template has not', { access: { to: 'orders-db', actions: ['connect', 'drop'] } }],
  ])('a grant %s is ignored', ([, change]) => {
    expect(decideIn({ lifecycle: { grants: [{ ...bastionGrant, ...change }] } }, bastion).code).toBe('NO_CONDUIT')
  })

  test('ZO-60: a session opens for its subjects only', () => {
    const breakGlass = [opsSession]
    expect(decideIn({ lifecycle: { breakGlass } }, { ...bastion, from: '/ns/ops/sa/other' }).code).toBe('NO_CONDUIT')
  })

  test.for<[string, object]>([
    ['that one person started', { startedBy: ['user:ada', 'user:ada'] }],
    ['longer than its declaration', { until: opsSession.since + HOUR + 1 }],
    ['wider than its declaration', { to: ['shop', 'data', 'pay'] }],
    ['of a declaration that is gone', { declaration: 'none' }],
    ['that overrides no default deny', { overrides: ['rules'] }],
  ])('SE-46: a session %s is ignored', ([, change]) => {
    expect(decideIn({ lifecycle: { breakGlass: [{ ...opsSession, ...change }] } }, bastion).code).toBe('NO_CONDUIT')
  })

  test('ZO-21: the access gate tells an ended grant before the missing rule', () => {
    const path = { allow: [{ protocol: 'tcp', ports: [5432] }] } as const
    const set = withMore({ conduits: [conduit('x', 'ops', 'data', path)] })
    const grants = [{ ...bastionGrant, until: NOW }]
    expect(decideIn({ set, lifecycle: { grants } }, bastion).gates.access.code).toBe('GRANT_EXPIRED')
    expect(decideIn({ set }, bastion).gates.access.code).toBe('NO_RULE')
  })

  test('ZO-21: the access gate tells a condition that failed before a rule that ended', () => {
    const from = [{ pattern: '/ns/pay/sa/x' }]
    const ended = rule('ended', from, 'orders', { valid: { from: undefined, until: NOW } })
    const failed = rule('failed', from, 'orders', { when: 'src.labels["x"] == "y"' })
    const codeOf = (rules: (typeof ended)[]) =>
      decideIn({ set: withMore({ rules }) }, { from: '/ns/pay/sa/x' }).gates.access.code
    expect([codeOf([ended, failed]), codeOf([ended]), codeOf([])]).toEqual([
      'CONDITION_ERROR',
      'RULE_EXPIRED',
      'NO_RULE',
    ])
  })
})

describe('forwarded tokens', () => {
  const forwarder = { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: '/ledger.v1.Ledger/Post' }
  const allowed = withMore({
    rules: [rule('caller', [{ pattern: '/ns/web/sa/storefront' }], 'ledger', { actions: ['post'] })],
  })
  // The guards of access look at callers as at peers.
  const jwt = { spiffeId: idOf('/ns/web/sa/storefront'), audience: ['ledger'], expiresAt: NOW + HOUR }

  test('ZO-42: forwarder and caller allowed: the token is accepted', () => {
    expect(decideIn({ set: allowed }, { ...forwarder, jwt })).toMatchObject({
      decision: 'allow',
      jwt: 'accepted',
      caller: jwt.spiffeId,
    })
  })

  test.for<[string, object, string]>([
    ['that could not be verified', { refused: 'JWT_INVALID' }, 'JWT_INVALID'],
    ['of a foreign trust domain that is unknown', { ...jwt, spiffeId: 'spiffe://evil.example/x' }, 'JWT_INVALID'],
    ['that has expired', { ...jwt, expiresAt: NOW, audience: [] }, 'JWT_EXPIRED'],
    ['that is not for this service', { ...jwt, audience: ['orders'] }, 'JWT_AUDIENCE'],
    ['that is also for what its caller may not reach', { ...jwt, audience: ['ledger', 'sts.example'] }, 'JWT_AUDIENCE'],
  ])('ZO-42: a token %s is refused', ([, token, code]) => {
    const set = withZone('ext-partner', { audiences: ['sts.example'] }, allowed)
    expect(decideIn({ set }, { ...forwarder, jwt: token as never })).toMatchObject({ code, jwt: 'refused' })
  })

  test('ZO-42: a second audience that the gate does not refuse is no harm', () => {
    const owned = withZone('ext-partner', { audiences: ['sts.example'] }, allowed)
    const set = withMore({ conduits: [conduit('sts', 'edge', 'ext-partner')] }, owned)
    expect(decideIn({ set }, { ...forwarder, jwt: { ...jwt, audience: ['ledger', 'sts.example'] } }).decision).toBe(
      'allow',
    )
    expect(decideIn({ set }, { ...forwarder, jwt: { ...jwt, audience: ['ledger', 'other'] } }).decision).toBe('allow')
  })

  test('ZO-03: ZO-42: a caller in quarantine is a refusal of lifecycle, also under observe', () => {
    const lifecycle = { quarantines: [quarantine()] }
    expect(decideIn({ set: allowed, lifecycle }, { ...forwarder, jwt })).toMatchObject({
      decision: 'deny',
      deniedBy: 'lifecycle',
      code: 'QUARANTINED',
      caller: jwt.spiffeId,
    })
    const offboarded = { offboarded: [jwt.spiffeId] }
    expect(decideIn({ set: allowed, lifecycle: offboarded }, { ...forwarder, jwt }).code).toBe('OFFBOARDED')
  })
  const quarantine = () => ({ id: 'q', target: { identity: jwt.spiffeId }, forensics: ['x'], reason: '', since: 0 })

  test('ZO-42: a caller without one zone reaches nothing', () => {
    const set = withMore({ rules: [rule('both', [{ pattern: '/ns/shop/sa/both' }], 'ledger', { actions: ['post'] })] })
    const caller = { ...jwt, spiffeId: idOf('/ns/shop/sa/both') }
    expect(decideIn({ set }, { ...forwarder, jwt: caller }).code).toBe('CALLER_NO_RULE')
  })

  test('ZO-42: without a token none is told', () => {
    expect(decideIn({ set: allowed }, forwarder)).toMatchObject({ decision: 'allow', jwt: null, caller: null })
  })

  test('ZO-42: a token that the verifier found to be over is told so', () => {
    expect(decideIn({ set: allowed }, { ...forwarder, jwt: { refused: 'JWT_EXPIRED' } }).code).toBe('JWT_EXPIRED')
  })

  test('ZO-42: of who may act itself, but forwards for nobody, a token has no effect', () => {
    const invalid = { jwt: { refused: 'JWT_INVALID' as const } }
    const allowedAnd = { decision: 'allow', jwt: 'ignored' }
    expect(decideIn({}, invalid)).toMatchObject(allowedAnd)
    const other = { ...forwarder, from: '/ns/shop/sa/other' }
    const set = withConduit(
      'shop-to-ledger',
      { from: { zone: 'shop', identities: undefined } },
      withMore({ rules: [rule('other', [{ pattern: '/ns/shop/sa/other' }], 'ledger', { actions: ['post'] })] }),
    )
    expect(decideIn({ set }, { ...other, ...invalid })).toMatchObject(allowedAnd)
  })

  test('ZO-05: ZO-42: for a service that is not there, a token has no effect', () => {
    expect(decideIn({}, { to: 'none', jwt })).toMatchObject({ code: 'UNKNOWN_SERVICE', jwt: 'ignored' })
  })

  test('ZO-42: what elevates the forwarder does not elevate the caller', () => {
    const breakGlass = [{ ...opsSession, subjects: [idOf(forwarder.from)], from: ['shop'], to: ['pay'] }]
    const set = { ...acme, breakGlass: [{ ...acme.breakGlass[0]!, from: ['shop'], to: ['pay'] }] }
    const asked = { ...forwarder, grpc: '/ledger.v1.Ledger/Get' }
    expect(decideIn({ set, lifecycle: { breakGlass } }, asked).gates.access.by?.id).toBe('bg1')
    expect(decideIn({ set, lifecycle: { breakGlass } }, { ...asked, jwt }).code).toBe('CALLER_NO_RULE')
  })

  test('ZO-30: ZO-42: a hard guard against the caller is not softened', () => {
    const service = { ...acme.services[1]!, identity: '/ns/erp/sa/ledger' }
    const decided = (hard: boolean) => {
      const guards = [guard('g', 'access', { from: { zone: 'edge' }, hard })]
      const set = withMore(
        { conduits: [conduit('x', 'shop', 'legacy', { allow: [{ protocol: 'grpc', ports: [9443] }] })], guards },
        { ...allowed, services: [service], guards: [] },
      )
      return decideIn({ set }, { ...forwarder, jwt })
    }
    expect(decided(true)).toMatchObject({ decision: 'deny', code: 'CALLER_NO_RULE', jwt: 'accepted' })
    expect(decided(false)).toMatchObject({ decision: 'allow', code: 'CALLER_NO_RULE', wouldDeny: true })
  })

  test('ZO-42: from others, or where the forwarder itself is refused, a token has no effect', () => {
    const other = { ...forwarder, from: '/ns/shop/sa/other', jwt: { refused: 'JWT_INVALID' as const } }
    expect(decideIn({ set: allowed }, other)).toMatchObject({ jwt: 'ignored', caller: null })
    expect(decideIn({ set: allowed }, { ...forwarder, grpc: '/ledger.v1.Ledger/Get', jwt })).toMatchObject({
      code: 'NO_RULE',
      jwt: 'ignored',
    })
    expect(decideIn({ set: allowed }, other).code).toBe(decideIn({ set: allowed }, { ...other, jwt: jwt }).code)
  })

  test('ZO-30: foreign callers get the raw decision', () => {
    const service = {
      ...acme.services[0]!,
      id: 's',
      identity: '/ns/erp/sa/s',
      authorities: [],
      acceptJwt: { audience: 's', forwarders: ['/ns/erp/sa/f'] },
    }
    const set = withMore({
      services: [service],
      conduits: [conduit('x', 'legacy', 'legacy')],
      rules: [rule('f', [{ pattern: '/ns/erp/sa/f' }], 's')],
    })
    const decisionFor = (spiffeId: string) =>
      decideIn({ set }, { from: '/ns/erp/sa/f', to: 's', jwt: { ...jwt, spiffeId, audience: ['s'] } })
    expect(decisionFor(SETTLE)).toMatchObject({ decision: 'deny', code: 'CALLER_NO_RULE' })
    expect(decisionFor(jwt.spiffeId)).toMatchObject({ decision: 'allow', code: 'CALLER_NO_RULE' })

    // A deny rule against the forwarder leaves the token unread, and must not let through what was refused before.
    const denied = withMore({ rules: [rule('d', [{ pattern: '/ns/erp/sa/f' }], 's', { effect: 'deny' })] }, set)
    const asked = (spiffeId: string) =>
      decideIn({ set: denied }, { from: '/ns/erp/sa/f', to: 's', jwt: { ...jwt, spiffeId, audience: ['s'] } })
    expect(asked(SETTLE)).toMatchObject({ decision: 'deny', code: 'DENY_RULE', jwt: 'ignored' })
    expect(asked(jwt.spiffeId)).toMatchObject({ decision: 'allow', code: 'DENY_RULE', jwt: 'ignored' })
  })
})
