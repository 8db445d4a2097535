import { beforeEach, describe, expect, test } from 'vitest'
import { PolicySource } from '../../../src/workload/policy-source.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { RpcError } from '../../../src/wire/status.ts'
import type { WatchPolicyRequest } from '../../../src/wire/messages/sallyport-policy-v1.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import type { CanonicalValue } from '../../../src/jws/canonical-json.ts'
import { PolicySigner, tampered } from '../../agent/policy/policy-signer.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { ScriptedWorkloadApi, silence, type Step } from '../../fakes/workload-api.ts'
import { until } from '../../fakes/until.ts'
import { acme, idOf, rowsOf } from '../policy/acme.ts'

const index = new SliceIndex(acme, rowsOf(acme))
let clock: FakeClock
let signer: PolicySigner

beforeEach(() => {
  clock = new FakeClock()
  signer = new PolicySigner()
})

const contentFor = (path: string) => {
  const { policy, members, displaced } = sliceOf(index, idOf(path))
  return { policy, members: [...displaced, ...members] }
}

const sliceFor = (path: string, asOf = 1) =>
  signer.slice(path, asOf, {
    ...{ spiffeId: idOf(path), trustDomain: acme.trustDomain, digest: `d${asOf}` },
    ...(contentFor(path) as unknown as Record<string, CanonicalValue>),
  })

const update = (fields: object = {}) => ({
  ...{ slices: [], removedIdentities: [], fastLane: [], lifecycle: null, keys: null },
  status: { hasPolicy: true, policyEpoch: 1, policyRevision: 4, fastLaneSequence: 0, ageMs: 500, stale: false },
  ...fields,
})

async function opened(...streams: readonly (readonly Step[])[]) {
  const api = new ScriptedWorkloadApi({ watchPolicy: [...streams, [silence], [silence]] })
  const client = new WorkloadClient({ transport: api, clock, random: () => 0.5 })
  return { api, source: await PolicySource.open({ client }) }
}

describe('PolicySource', () => {
  test('puts updates together, and tells what each of them changed', async () => {
    const change = Promise.withResolvers<void>()
    const { source } = await opened([
      update({ slices: [sliceFor('/ns/shop/sa/orders')] }),
      () => change.promise,
      update({ removedIdentities: [idOf('/ns/shop/sa/orders')], fastLane: [signer.entry(), signer.entry()] }),
      silence,
    ])
    await using _source = source
    expect([...source.current().slices.keys()]).toEqual([idOf('/ns/shop/sa/orders')])
    expect(source.current().slices.get(idOf('/ns/shop/sa/orders'))?.tables.services.has('orders')).toBe(true)
    const told: unknown[] = []
    using _listening = source.onChange(({ slices, fastLane }) => told.push([slices, fastLane.length]))
    change.resolve()
    await until(() => told.length > 0)
    expect(told).toEqual([[[idOf('/ns/shop/sa/orders')], 2]])
    expect(source.current().slices.size).toBe(0)
    expect(source.current().lifecycle).toMatchObject({ sequence: 2, offboarded: ['spiffe://example.org/a'] })
  })

  test('its age grows while nothing is heard, also across a stream that breaks', async () => {
    const { source } = await opened([update(), new RpcError('UNAVAILABLE', 'gone')])
    await using _source = source
    expect(source.ageMs()).toBe(500)
    await clock.advance(60_000)
    expect(source.ageMs()).toBe(60_500)
    expect(source.health.status).toBe('degraded')
  })

  test('asks anew for what it lacks alone', async () => {
    const entry = signer.entry()
    const { source, api } = await opened(
      [update({ slices: [sliceFor('/ns/shop/sa/orders')], fastLane: [entry] }), new RpcError('UNAVAILABLE', 'gone')],
      [update({ fastLane: [signer.entry()] }), silence],
    )
    await using _source = source
    await clock.advance(2000)
    await until(() => api.calls.length > 1)
    const second = api.calls[1]?.request as WatchPolicyRequest
    expect(second).toMatchObject({ policyEpoch: 1, fastLaneSequence: 1 })
    expect(second.held.map(({ spiffeId }) => spiffeId)).toEqual([idOf('/ns/shop/sa/orders')])
    await until(() => source.current().lifecycle.sequence === 2)
    expect(source.current().slices.size).toBe(1)
  })

  test.for([
    ['a gap in the fast lane', () => update({ fastLane: [(signer.entry(), signer.entry())] })],
    ['a slice that nobody can read', () => update({ slices: [signer.slice('/x', 1)] })],
    [
      'a slice that does not compile',
      () =>
        update({
          slices: [tampered(sliceFor('/ns/shop/sa/orders'))].map((one) => ({
            ...one,
            content: Buffer.from(one.content.toString().replace('/v1/orders/{id}', 'v1//orders')),
          })),
        }),
    ],
  ] as const)('%s ends the stream; the last good state stays, and everything is asked for again', async ([, bad]) => {
    const good = sliceFor('/ns/shop/sa/orders')
    const { source, api } = await opened([update({ slices: [good] }), bad()], [silence])
    await using _source = source
    await settled()
    expect(source.current().slices.size).toBe(1)
    expect(source.health.status).toBe('degraded')
    await clock.advance(2000)
    await until(() => api.calls.length > 1)
    expect(api.calls[1]?.request).toMatchObject({ held: [], fastLaneSequence: 0 })
  })

  describe('zones.md §5 two policies racing: in either order', () => {
    const orders = idOf('/ns/shop/sa/orders')
    const asOfHeld = ({ slices }: ReturnType<PolicySource['current']>) => slices.get(orders)?.document.asOf

    test.for([
      ['in order', [1, 2]],
      ['the later one first', [2, 1]],
      ['the later one between', [1, 2, 1]],
      ['in one update', [[2, 1]]],
    ] as const)('%s, the later one is in force', async ([, order]) => {
      const updates = order.map((one) =>
        update({ slices: [one].flat().map((asOf) => sliceFor('/ns/shop/sa/orders', asOf)) }),
      )
      const { source } = await opened([...updates, silence])
      await using _source = source
      await settled()
      expect([asOfHeld(source.current()), source.health.status]).toEqual([2, 'current'])
    })

    test('across streams: an agent that went back takes nothing back; a later epoch counts anew', async () => {
      const restored = new PolicySigner({ epoch: 2 })
      const fields = {
        spiffeId: orders,
        trustDomain: acme.trustDomain,
        digest: 'd',
        ...contentFor('/ns/shop/sa/orders'),
      }
      const later = restored.slice('/x', 1, fields as unknown as Record<string, CanonicalValue>)
      const seen = Promise.withResolvers<void>()
      const { source, api } = await opened(
        [update({ slices: [sliceFor('/ns/shop/sa/orders', 9)] }), new RpcError('UNAVAILABLE', 'gone')],
        [
          update({ slices: [sliceFor('/ns/shop/sa/orders', 3)] }),
          () => seen.promise,
          update({ slices: [later] }),
          silence,
        ],
      )
      await using _source = source
      await clock.advance(2000)
      await until(() => api.calls.length === 2)
      await settled()
      expect(asOfHeld(source.current())).toBe(9)
      seen.resolve()
      await until(() => asOfHeld(source.current()) === 1)
      expect(source.current().slices.get(orders)?.document.epoch).toBe(2)
    })

    test('across streams: also where everything was asked for anew, the slice in force stays', async () => {
      const seen = Promise.withResolvers<void>()
      const gap = () => update({ fastLane: [(signer.entry(), signer.entry())] })
      const { source, api } = await opened(
        [update({ slices: [sliceFor('/ns/shop/sa/orders', 9)] }), gap()],
        [
          update({ slices: [sliceFor('/ns/shop/sa/orders', 3)] }),
          () => seen.promise,
          update({ slices: [sliceFor('/ns/shop/sa/orders', 10)] }),
          silence,
        ],
      )
      await using _source = source
      await clock.advance(2000)
      await until(() => api.calls.length === 2)
      await settled()
      expect(api.calls[1]?.request).toMatchObject({ held: [] })
      expect([asOfHeld(source.current()), source.health.status]).toEqual([9, 'current'])
      seen.resolve()
      await until(() => asOfHeld(source.current()) === 10)
    })

    test('SE-40: a fast lane that is behind what was heard releases nobody, also after everything was asked for anew', async () => {
      const heard = [signer.entry(), signer.entry()]
      // As an agent whose disk was rolled back tells it, twice: the second time everything was asked for.
      const behind = () => update({ fastLane: [new PolicySigner({ key: signer.key }).entry()] })
      const { source, api } = await opened(
        [update({ fastLane: heard }), new RpcError('UNAVAILABLE', 'gone')],
        [behind(), silence],
        [behind(), silence],
        [update({ lifecycle: signer.lifecycle() }), silence],
      )
      await using _source = source
      await clock.advance(5000)
      await until(() => api.calls.length === 3)
      await settled()
      expect(source.current().lifecycle).toMatchObject({ sequence: 2, offboarded: ['spiffe://example.org/a'] })
      expect(api.calls[2]?.request).toMatchObject({ fastLaneSequence: 0 })
      await clock.advance(10_000)
      await until(() => source.current().lifecycle.offboarded.length === 0)
    })
  })

  test('an agent that serves no policy is a failure that says so', async () => {
    await expect(opened([new RpcError('UNIMPLEMENTED', 'unknown service')])).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
  })

  test('who is entitled to nothing any more holds no policy', async () => {
    const { source } = await opened([
      update({ slices: [sliceFor('/ns/shop/sa/orders')] }),
      new RpcError('PERMISSION_DENIED', 'no identity issued'),
    ])
    await using _source = source
    await until(() => source.current().slices.size === 0)
    expect(source.health.status).toBe('withdrawn')
  })

  test('once closed it says so', async () => {
    const { source } = await opened([update(), silence])
    await source.close()
    expect(() => source.current()).toThrowCode('SOURCE_CLOSED')
  })
})
