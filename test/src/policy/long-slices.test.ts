import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlicePrinter } from '../../../server/policy/slice-text.ts'
import { longSlices } from '../../../src/policy/long-slices.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { acme, conduit, entry, idOf, rowsOf, withMore } from './acme.ts'
import { anyWorld } from './small-world.ts'

/** What a slice says of itself beside policy and members, at most. */
const HEAD = 4096

describe('longSlices()', () => {
  test('finds whoever has a slice that is longer as it is sent, and nobody whose slice is far from it', () => {
    fc.assert(
      fc.property(anyWorld, fc.integer({ min: 2000, max: 9000 }), ({ set, entries }, mostBytes) => {
        const index = new SliceIndex(set, resolveMembership(set, entries))
        const found = longSlices(index, mostBytes).map(({ spiffeId }) => spiffeId)
        const services = set.services.map(({ identity }) => `spiffe://${set.trustDomain}${identity}`)
        for (const spiffeId of new Set([...[...index.rows].map((row) => row.spiffeId), ...services])) {
          const { policy, members } = new SlicePrinter().print(sliceOf(index, spiffeId))
          const bytes = Buffer.byteLength(policy) + Buffer.byteLength(members)
          if (bytes > mostBytes) expect(found).toContain(spiffeId)
          if (bytes + HEAD + 1000 < mostBytes) expect(found).not.toContain(spiffeId)
        }
      }),
    )
  })

  test('the longest comes first', () => {
    const many = Array.from({ length: 40 }, (_, at) => conduit(`c${at}`, 'edge', 'shop'))
    const more = Array.from({ length: 10 }, (_, at) => conduit(`d${at}`, 'ops', 'data'))
    const set = withMore({ conduits: [...many, ...more] })
    const found = longSlices(new SliceIndex(set, rowsOf(set)), 12_000)
    expect(found.length).toBeGreaterThan(1)
    expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual(
      found.map(({ sizeBytes }) => sizeBytes).toSorted((a, b) => b - a),
    )
  })

  test('150,000 identities that labels place are not too many', { timeout: 60_000 }, () => {
    const entries = Array.from({ length: 150_000 }, (_, at) =>
      entry(`/ns/n${at % 3000}/sa/service-${Math.floor(at / 3000)}`, { pci: 'true' }),
    )
    const index = new SliceIndex(acme, rowsOf(acme, entries))
    expect(longSlices(index)).toEqual([])
    const { members } = new SlicePrinter().print(sliceOf(index, idOf('/ns/shop/sa/orders')))
    expect(members.length).toBeLessThan(2_900_000)
  })
})
