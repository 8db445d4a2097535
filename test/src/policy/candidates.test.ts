import { expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import { decideWith } from '../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import type { Candidate } from '../../../src/policy/record.ts'
import {
  acme,
  bastionGrant,
  conduit,
  guard,
  idOf,
  NOW,
  opsSession,
  quarantineOf,
  requestOf,
  rowsOf,
  rule,
  withMore,
  type Asked,
  type World,
} from './acme.ts'

/** The candidates of a decision as they are told, in their order. */
function told({ set = acme, lifecycle = {} }: World, asked: Asked): string[] {
  const candidates: Candidate[] = []
  const index = indexLifecycle({ ...NO_LIFECYCLE, ...lifecycle })
  decideWith(compile(set, rowsOf(set)), index, requestOf(asked), (one) => candidates.push(one))
  return candidates.map(({ kind, id, outcome }) => `${kind} ${id} ${outcome}`)
}

const none = { ...acme, conduits: [], rules: [], guards: [] }
const over = { from: undefined, until: NOW }
const later = { fromMinute: 60, toMinute: 180, tz: 'UTC' }
const web = [{ pattern: '/ns/web/**' }]

test('of conduits: up to the one that opens', () => {
  const set = withMore(
    {
      conduits: [
        conduit('a', 'edge', 'shop', { valid: over }),
        conduit('b', 'edge', 'shop', { window: later }),
        conduit('c', 'edge', 'shop', { allow: [{ protocol: 'http', ports: [1] }] }),
        conduit('d', 'edge', 'shop'),
        conduit('e', 'edge', 'shop'),
      ],
    },
    none,
  )
  expect(told({ set }, { bare: true })).toEqual([
    'conduit c otherPort',
    'conduit a expired',
    'conduit b outsideWindow',
    'conduit d opens',
  ])
})

test('of conduits: none where no listener was reached', () => {
  const set = withMore({ conduits: [conduit('a', 'edge', 'shop')] }, none)
  expect(told({ set }, { bare: true, connection: { port: 1 } })).toEqual([])
  expect(told({ set }, { bare: true, to: 'none' })).toEqual([])
})

test('of conduits: those that a guard or a quarantine leaves out', () => {
  const conduits = [conduit('a', 'edge', 'shop'), conduit('b', 'edge', 'shop')]
  const guards = [guard('g', 'movement', { except: ['b'] }), guard('h', 'movement', { when: 'src.zone == "pay"' })]
  expect(told({ set: withMore({ conduits, guards }, none) }, { bare: true })).toEqual([
    'guard h doesNotMatch',
    'guard g closes',
    'conduit a guarded',
    'conduit b opens',
  ])
  const quarantines = [quarantineOf({ identity: idOf('/ns/web/sa/storefront') }, ['b'])]
  expect(told({ set: withMore({ conduits }, none), lifecycle: { quarantines } }, { bare: true })).toEqual([
    'conduit a notForensics',
    'conduit b opens',
  ])
})

test('of rules: those that deny before those that allow', () => {
  const rules = [
    rule('a', web, 'orders', { valid: over }),
    rule('b', web, 'orders', { when: 'src.labels["none"] == "x"' }),
    rule('c', web, 'orders', { when: 'src.zone == "pay"' }),
    rule('d', web, 'orders', { effect: 'deny', valid: over }),
    rule('e', web, 'orders', { effect: 'deny', when: 'src.zone == "pay"' }),
    rule('f', web, 'orders'),
    rule('g', web, 'orders'),
  ]
  expect(told({ set: withMore({ rules }, none) }, {})).toEqual([
    'rule d doesNotMatch',
    'rule e doesNotMatch',
    'rule a expired',
    'rule b conditionError',
    'rule c conditionFalse',
    'rule f opens',
  ])
  const denied = [...rules, rule('e2', web, 'orders', { effect: 'deny' })]
  expect(told({ set: withMore({ rules: denied }, none) }, {}).at(-1)).toBe('rule e2 closes')
})

test('of rules: a guard first, then what it leaves', () => {
  const rules = [rule('a', web, 'orders'), rule('b', web, 'orders')]
  const guards = [guard('g', 'access', { except: ['b'] }), guard('h', 'access', { to: { actions: ['create'] } })]
  expect(told({ set: withMore({ rules, guards }, none) }, {})).toEqual([
    'guard h doesNotMatch',
    'guard g closes',
    'rule b opens',
  ])
})

test('of grants and sessions: in each gate up to the one that opens', () => {
  const grants = [
    { ...bastionGrant, id: 'a', movement: { ...bastionGrant.movement, to: { zone: 'pay', identities: undefined } } },
    { ...bastionGrant, id: 'b', approvers: [] },
    { ...bastionGrant, id: 'c', until: NOW },
  ]
  const breakGlass = [
    { ...opsSession, id: 'd', to: ['shop'] },
    { ...opsSession, id: 'e', startedBy: ['user:ada'] },
    { ...opsSession, id: 'f', until: NOW },
    { ...opsSession, id: 'g' },
    { ...opsSession, id: 'h' },
  ]
  const sessions = ['d otherDestination', 'e invalid', 'f expired', 'g opens'].map((one) => `breakGlass ${one}`)
  const asked: Asked = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
  expect(told({ set: { ...none, rules: [] }, lifecycle: { grants, breakGlass } }, asked)).toEqual([
    'grant a invalid',
    'grant b invalid',
    'grant c expired',
    ...sessions,
    'grant a invalid',
    'grant b invalid',
    'grant c expired',
    ...sessions,
  ])
  expect(told({ set: none, lifecycle: { grants: [bastionGrant], breakGlass } }, asked)).toEqual([
    'grant g1 opens',
    'grant g1 opens',
  ])
  const elsewhere: Asked = { from: '/ns/ops/sa/bastion', to: 'orders' }
  expect(told({ set: { ...none, rules: [] }, lifecycle: { grants: [bastionGrant] } }, elsewhere)).toEqual([
    'grant g1 otherDestination',
    'grant g1 otherDestination',
  ])
})
