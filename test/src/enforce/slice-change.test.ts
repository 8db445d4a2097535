import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sliceChange } from '../../../src/enforce/slice-change.ts'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import type { IdentityRow } from '../../../src/policy/membership.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import type { PolicyRequest } from '../../../src/policy/request.ts'
import type { SliceDocument } from '../../../src/policy/signed-documents.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { acme, conduit, entry, idOf, rowsOf, rule, withConduit, withMore, withRule, withZone } from '../policy/acme.ts'
import { anySet, anyWorld } from '../policy/small-world.ts'

function documentOf(set: PolicySet, rows: readonly IdentityRow[], spiffeId: string, digest: string): SliceDocument {
  const { policy, members, displaced } = sliceOf(new SliceIndex(set, rows), spiffeId)
  return {
    ...{ v: 1, epoch: 1, revision: 1, asOf: 1, issuedAt: 1, trustDomain: set.trustDomain, spiffeId },
    ...{ policyName: set.name, digest, policyDigest: 'p', policy },
    members: [...displaced, ...members],
  }
}

const orders = idOf('/ns/shop/sa/orders')
const storefront = { peerId: idOf('/ns/web/sa/storefront'), zone: 'edge', isStream: false }
const change = (set: PolicySet, rows = rowsOf(set)) =>
  sliceChange(documentOf(acme, rowsOf(acme), orders, 'a'), documentOf(set, rows, orders, 'b'), 'orders')

describe('a new slice concerns', () => {
  test('nobody, when it says the same', () => {
    const same = sliceChange(documentOf(acme, rowsOf(acme), orders, 'a'), documentOf(acme, [], orders, 'a'), 'orders')
    expect(same(storefront)).toBe(false)
    expect(change(acme)(storefront)).toBe(false)
  })

  test('everybody, when it is the first or there is none any more', () => {
    const some = documentOf(acme, rowsOf(acme), orders, 'a')
    expect(sliceChange(undefined, some, 'orders')(storefront)).toBe(true)
    expect(sliceChange(some, undefined, 'orders')(storefront)).toBe(true)
    expect(sliceChange(undefined, undefined, 'orders')(storefront)).toBe(false)
  })

  test('those whose zone the conduit comes from', () => {
    const gone = change({ ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'edge-to-shop') })
    expect(gone(storefront)).toBe(true)
    expect(gone({ ...storefront, zone: 'ops' })).toBe(false)
    const narrowed = change(withConduit('edge-to-shop', { from: { zone: 'edge', identities: ['/ns/web/sa/blog'] } }))
    expect(narrowed(storefront)).toBe(true)
    const moved = change(withConduit('edge-to-shop', { from: { zone: 'ops', identities: undefined } }))
    expect([moved(storefront), moved({ ...storefront, zone: 'ops' })]).toEqual([true, true])
    expect(change(withMore({ conduits: [conduit('new', 'legacy', 'shop')] }))(storefront)).toBe(false)
  })

  test('streams and raw connections of those whom a rule names, and no others', () => {
    const narrowed = change(withRule('storefront-orders', { actions: ['read'] }))
    expect(narrowed(storefront)).toBe(false)
    expect(narrowed({ ...storefront, isStream: true })).toBe(true)
    expect(narrowed({ ...storefront, isStream: true, peerId: idOf('/ns/web/sa/blog') })).toBe(false)
    const wild = change(withMore({ rules: [rule('new', [{ pattern: '/ns/*/sa/blog' }], 'orders')] }))
    expect(wild({ ...storefront, isStream: true })).toBe(true)
    const zoned = change(withMore({ rules: [rule('new', [{ zone: 'ops' }], 'orders')] }))
    expect(zoned({ ...storefront, isStream: true })).toBe(false)
    expect(zoned({ ...storefront, isStream: true, zone: 'ops' })).toBe(true)
  })

  test('the identity whose row is another', () => {
    const rows = rowsOf(acme, [entry('/ns/web/sa/storefront', { env: 'stage' })])
    const moved = sliceChange(
      documentOf(acme, rowsOf(acme, [entry('/ns/web/sa/storefront', { env: 'prod' })]), orders, 'a'),
      documentOf(acme, rows, orders, 'b'),
      'orders',
    )
    expect(moved(storefront)).toBe(true)
    expect(moved({ ...storefront, peerId: idOf('/ns/web/sa/blog') })).toBe(false)
  })

  test('everybody, when zones, guards, services or settings change', () => {
    expect(change(withZone('edge', { target: 2 }))(storefront)).toBe(true)
    expect(change({ ...acme, guards: [] })(storefront)).toBe(true)
    const settings = { ...acme.settings, connection: { maxAgeMs: 1, drainMs: 1 } }
    expect(change({ ...acme, settings })(storefront)).toBe(true)
  })
})

test('whom a new slice shuts out, or lets in for a shorter time, is never passed over', () => {
  // Mostly those that are compared item by item.
  const byItem = fc.constantFrom('conduits', 'rules', 'entries')
  const whole = fc.constantFrom('guards', 'services', 'zones', 'breakGlass', 'grantTemplates')
  const part = fc.oneof({ weight: 5, arbitrary: byItem }, { weight: 1, arbitrary: whole })
  let shutOut = 0
  fc.assert(
    fc.property(
      anyWorld,
      anySet,
      anyWorld,
      fc.uniqueArray(part, { minLength: 1, maxLength: 2 }),
      fc.boolean(),
      (world, other, third, parts, isStream) => {
        const { set, entries, lifecycle, request } = world
        const changed = {
          ...set,
          ...Object.fromEntries(
            parts.filter((one) => one !== 'entries').map((one) => [one, other[one as keyof PolicySet]]),
          ),
        }
        const own = set.services.find(({ id }) => id === request.service)
        if (own === undefined || 'refused' in request.peer) return
        const spiffeId = idOf(own.identity)
        const before = documentOf(set, rowsOf(set, entries), spiffeId, 'a')
        const rows = rowsOf(changed, parts.includes('entries') ? third.entries : entries)
        const after = documentOf(changed, rows, spiffeId, 'b')
        const { request: http, jwt: _jwt, ...bare } = request
        const asked: PolicyRequest = isStream && http !== undefined ? { ...bare, request: http } : bare
        const index = indexLifecycle(lifecycle)
        const first = decide(compile(before.policy, before.members), index, asked)
        const second = decide(compile(after.policy, after.members), index, asked)
        if (first.decision === 'deny' || (second.decision === 'allow' && second.expires >= first.expires)) return
        shutOut++
        const connection = {
          peerId: request.peer.spiffeId,
          zone: first.src.zone,
          isStream: asked.request !== undefined || request.connection.protocol === 'tcp',
        }
        expect(sliceChange(before, after, request.service)(connection)).toBe(true)
      },
    ),
    { numRuns: 2000 },
  )
  expect(shutOut).toBeGreaterThan(50)
})
