import { describe, expect, test } from 'vitest'
import { canonicalPath, TARGET_MAX_BYTES } from '../../../src/policy/canonical-path.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import {
  acme,
  conduit,
  decideIn,
  entry,
  guard,
  HOUR,
  MINUTE,
  NOW,
  rowsOf,
  rule,
  verdictOf,
  withMore,
  withRule,
  withZone,
} from './acme.ts'

/** Cases that a change of a single operator on the decide path would get wrong. */
describe('a deny rule', () => {
  const denied = (change: Parameters<typeof rule>[3]) =>
    verdictOf(
      decideIn(
        {
          set: withMore({
            rules: [
              rule('no', [{ pattern: '/ns/web/sa/storefront' }], 'orders', {
                effect: 'deny',
                actions: ['read'],
                ...change,
              }),
            ],
          }),
        },
        {},
      ),
    )

  test('denies while it is valid, and not before or after', () => {
    expect(denied({})).toBe('deny access DENY_RULE')
    expect(denied({ valid: { from: NOW, until: NOW + 1 } })).toBe('deny access DENY_RULE')
    expect(denied({ valid: { from: undefined, until: NOW } })).toBe('allow')
    expect(denied({ valid: { from: NOW + 1, until: undefined } })).toBe('allow')
  })

  test('denies where its condition holds or fails, and not where it is false', () => {
    expect(denied({ when: 'src.zone == "edge"' })).toBe('deny access DENY_RULE')
    expect(denied({ when: 'src.zone == "pay"' })).toBe('allow')
    expect(denied({ when: 'src.labels["gone"] == "x"' })).toBe('deny access DENY_RULE')
    expect(denied({ when: 'src.labels["gone"] == "x"', valid: { from: undefined, until: NOW } })).toBe('allow')
  })
})

describe('a hard access guard under observe', () => {
  const observing = withZone('shop', { mode: 'observe' })
  const world = (except: readonly string[], change: Parameters<typeof rule>[3] = {}) =>
    decideIn(
      {
        set: withMore(
          { guards: [guard('hard', 'access', { to: { service: 'orders' }, except, hard: true })] },
          withRule('storefront-orders', change, observing),
        ),
      },
      {},
    )

  test('is not softened without a live exception', () => {
    expect(world([]).decision).toBe('deny')
    expect(world(['web-read'])).toMatchObject({ decision: 'allow', raw: 'allow' })
    expect(world(['support-read']).decision).toBe('deny')
    expect(world(['storefront-orders'], { valid: { from: undefined, until: NOW } })).toMatchObject({
      decision: 'deny',
      code: 'RULE_EXPIRED',
    })
  })

  test('ZO-30: is lifted by an exception that is live, also where a deny rule denies', () => {
    const set = withMore(
      {
        rules: [rule('no', [{ pattern: '/ns/web/**' }], 'orders', { effect: 'deny', actions: ['read'] })],
        guards: [guard('hard', 'access', { to: { service: 'orders' }, except: ['storefront-orders'], hard: true })],
      },
      observing,
    )
    expect(decideIn({ set }, {})).toMatchObject({ decision: 'allow', raw: 'deny', code: 'DENY_RULE', wouldDeny: true })
  })
})

describe('ALPN', () => {
  test.for([null, 'http/1.0', 'h3'])('%s is none of the listener', (alpn) => {
    expect(verdictOf(decideIn({}, { connection: { alpn } }))).toBe('deny movement ALPN_MISMATCH')
  })
})

describe('elevation', () => {
  const grant = {
    id: 'g1',
    template: 'oncall-orders-db',
    subject: 'spiffe://prod.acme.example/ns/ops/sa/bastion',
    movement: {
      from: { zone: 'ops' },
      to: { zone: 'data', identities: ['/ns/data/sa/pg-orders'] },
      allow: [{ protocol: 'tcp' as const, ports: [5432] }],
    },
    access: { to: 'orders-db', actions: ['connect'] },
    from: NOW - MINUTE,
    until: NOW + HOUR,
    requester: 'alice',
    approvers: ['bob'],
  }
  const asked = { from: '/ns/ops/sa/bastion', to: 'orders-db' }

  test('ZO-24: a grant opens neither gate where a guard of it matches, even where the exception is closed', () => {
    const lifecycle = { grants: [grant] }
    expect(verdictOf(decideIn({ lifecycle }, asked))).toBe('allow')
    const expired = rule('old', [{ pattern: '/ns/ops/sa/bastion' }], 'orders-db', {
      actions: ['connect'],
      valid: { from: undefined, until: NOW },
    })
    const access = withMore({
      rules: [expired],
      guards: [guard('g', 'access', { to: { zone: 'data' }, except: ['old'] })],
    })
    expect(verdictOf(decideIn({ set: access, lifecycle }, asked))).toBe('deny access RULE_EXPIRED')
    const closed = conduit('old', 'ops', 'data', {
      allow: [{ protocol: 'tcp', ports: [5432] }],
      valid: { from: undefined, until: NOW },
    })
    const movement = withMore({
      conduits: [closed],
      guards: [guard('g', 'movement', { to: { zone: 'data' }, except: ['old'] })],
    })
    expect(verdictOf(decideIn({ set: movement, lifecycle }, asked))).toBe('deny movement CONDUIT_EXPIRED')
  })

  test('ZO-03: in a quarantine with forensics a grant opens neither gate', () => {
    const set = withMore({
      conduits: [conduit('forensic', 'ops', 'data', { allow: [{ protocol: 'tcp', ports: [5432] }] })],
    })
    const quarantine = {
      id: 'q',
      target: { identity: grant.subject },
      forensics: ['forensic'],
      reason: 'r',
      since: NOW,
    }
    expect(verdictOf(decideIn({ set, lifecycle: { grants: [grant], quarantines: [quarantine] } }, asked))).toBe(
      'deny access NO_RULE',
    )
  })
})

describe('a forwarded token', () => {
  const jwt = {
    spiffeId: 'spiffe://prod.acme.example/ns/web/sa/storefront',
    audience: ['ledger'],
    expiresAt: NOW + HOUR,
  }
  const asked = { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: '/ledger.v1.Ledger/Post', jwt }

  test('is held to conditions with the labels of its caller, not of the forwarder', () => {
    const set = (when: string) =>
      withMore({
        rules: [rule('caller', [{ pattern: '/ns/web/sa/storefront' }], 'ledger', { actions: ['post'], when })],
      })
    expect(verdictOf(decideIn({ set: set('src.labels["env"] == "prod"') }, asked))).toBe('allow')
    expect(verdictOf(decideIn({ set: set('src.zone == "shop"') }, asked))).toBe('deny access CALLER_NO_RULE')
  })
})

describe('expires', () => {
  test('counts the age of the policy up to the limit of the destination', () => {
    const decision = decideIn({}, { policyAgeMs: 24 * HOUR - MINUTE })
    expect(decision).toMatchObject({ decision: 'allow', expires: NOW + MINUTE })
  })
})

describe('a refusal of identity or lifecycle', () => {
  test('says of a token that it was ignored only where there was one', () => {
    const peer = { refused: 'NO_PEER_IDENTITY' } as const
    expect(decideIn({}, { peer })).toMatchObject({ jwt: null, src: { id: null } })
    expect(decideIn({}, { peer, jwt: { refused: 'JWT_INVALID' } })).toMatchObject({ jwt: 'ignored' })
    const named = { refused: 'SVID_EXPIRED', claimedId: 'spiffe://prod.acme.example/x' } as const
    expect(decideIn({}, { peer: named })).toMatchObject({
      src: { id: 'spiffe://prod.acme.example/x' },
      code: 'SVID_EXPIRED',
    })
  })
})

describe('membership', () => {
  const placed = (member: object, ...entries: (readonly ReturnType<typeof entry>[])[]) =>
    resolveMembership(
      withZone('ops', { members: [member] }),
      entries.flatMap((one) => [...one]),
    )[0]

  test('says by which keys an identity was placed', () => {
    const all = { spiffe: '/x/**', entryLabel: { tier: 'a' }, selector: 'unix:uid:1' }
    expect(placed(all, [entry('/x/y', { tier: 'a' }, ['unix:uid:1'])])).toMatchObject({
      zone: 'ops',
      via: 'label tier=a and selector unix:uid:1 and pattern /x/**',
    })
    expect(placed({ entryLabel: { tier: 'a' } }, [entry('/x/y', { tier: 'a' })])).toMatchObject({
      zone: 'ops',
      via: 'label tier=a',
    })
    expect(placed({ selector: 'unix:uid:1' }, [entry('/x/y', {}, ['unix:uid:1'])])).toMatchObject({
      zone: 'ops',
      via: 'selector unix:uid:1',
    })
    expect(placed(all, [entry('/z', { tier: 'a' }, ['unix:uid:1'])])).toMatchObject({ zone: null })
  })

  test('ZO-11: a label counts only when every one of many entries has it', () => {
    const entries = [
      entry('/x/y', { a: '1', b: '1' }),
      entry('/x/y', { a: '1', b: '1' }),
      entry('/x/y', { a: '1', b: '2' }),
      entry('/x/y', { a: '1' }),
    ]
    expect(rowsOf(acme, entries)[0]?.labels).toEqual({ a: '1' })
    expect(rowsOf(acme, entries.slice(0, 1))[0]?.labels).toEqual({ a: '1', b: '1' })
  })

  test('names the zones of an ambiguous identity in the order of their names, each once', () => {
    const member = { entryLabel: { tier: 'a' } }
    const set = withZone(
      'ops',
      { members: [member, { entryLabel: { kind: 'b' } }] },
      withZone('edge', { members: [member] }, withZone('legacy', { members: [member] })),
    )
    const [row] = resolveMembership(set, [entry('/x/y', { tier: 'a', kind: 'b' })])
    expect(row?.zone).toEqual(['edge', 'legacy', 'ops'])
  })
})

describe('canonicalPath()', () => {
  test.for([
    ['%C2%80', 'kept'],
    ['%DF%BF', 'kept'],
    ['%E0%A0%80', 'kept'],
    ['%EF%BF%BF', 'kept'],
    ['%F0%90%80%80', 'kept'],
    ['%F4%8F%BF%BF', 'kept'],
    ['%C1%BF', 'PATH_BAD_ESCAPE'],
    ['%80', 'PATH_BAD_ESCAPE'],
    ['%80%80%80', 'PATH_BAD_ESCAPE'],
    ['%80%80%80%80', 'PATH_BAD_ESCAPE'],
    ['%C3xA9', 'PATH_BAD_ESCAPE'],
    ['%C1%BF%BF', 'PATH_BAD_ESCAPE'],
    ['%E0%9F%BF', 'PATH_BAD_ESCAPE'],
    ['%ED%A0%80', 'PATH_BAD_ESCAPE'],
    ['%F0%8F%BF%BF', 'PATH_BAD_ESCAPE'],
    ['%F4%90%80%80', 'PATH_BAD_ESCAPE'],
    ['%F5%80%80%80', 'PATH_BAD_ESCAPE'],
    ['%E2%82', 'PATH_BAD_ESCAPE'],
    ['%1F', 'PATH_AMBIGUOUS_ESCAPE'],
    ['%7f', 'PATH_AMBIGUOUS_ESCAPE'],
    ['%4', 'PATH_BAD_ESCAPE'],
    ['%', 'PATH_BAD_ESCAPE'],
  ] as const)('ZO-51: /%s is %s', ([escaped, outcome]) => {
    const path = canonicalPath(`/${escaped}`)
    expect('refused' in path ? path.refused : 'kept').toBe(outcome)
  })

  test('ZO-51: keeps other escapes with upper-case digits, also right before a letter', () => {
    expect(canonicalPath('/a%c3%a9%61%7e%2b')).toEqual({ segments: ['a%C3%A9a~%2B'], hasTrailingSlash: false })
  })

  test('ZO-50: reads 8 KiB and not a byte more', () => {
    expect('refused' in canonicalPath(`/${'a'.repeat(TARGET_MAX_BYTES - 1)}`)).toBe(false)
    expect(canonicalPath(`/${'a'.repeat(TARGET_MAX_BYTES)}`)).toEqual({ refused: 'PATH_TOO_LONG' })
  })
})
