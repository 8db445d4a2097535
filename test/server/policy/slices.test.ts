import { expect, test } from 'vitest'
import type { PolicyBook } from '../../../server/policy/policy-book.ts'
import { Slices } from '../../../server/policy/slices.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { SLICE_MAX_BYTES } from '../../../src/policy/read-slice.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

test('a slice that agents would refuse is not made: it would keep them from all others', async () => {
  const errors: unknown[] = []
  const rows = (bytes: number) => [{ spiffeId: 'x'.repeat(bytes), zone: null, via: '', labels: {} }]
  const sizes: Readonly<Record<string, number>> = { small: 100, large: SLICE_MAX_BYTES }
  const book = {
    ...{ epoch: 1, revision: 1, turn: 1, touchedAt: () => 0, state: { keys: [{ keyId: 'k', state: 'active' }] } },
    current: {
      row: { revision: 1, digest: '', policy: { name: 'p' } },
      members: { slice: (id: string) => ({ policy: {}, members: rows(sizes[id] ?? 0), displaced: [] }) },
    },
  }
  const slices = new Slices({
    ...{ trustDomain: TrustDomain.parse('example.org'), clock: new FakeClock(), book: book as unknown as PolicyBook },
    keys: { sign: async (content) => ({ content, signatures: [] }) },
    log: { error: (fields: object) => void errors.push(fields) },
  })
  expect((await slices.signed('small'))?.digest).toEqual(slices.digestOf('small'))
  expect(slices.digestOf('small')).toBeDefined()
  expect(await slices.signed('large')).toBeUndefined()
  expect(slices.digestOf('large')).toBeUndefined()
  expect(errors).toEqual([{ spiffeId: 'large', mostBytes: SLICE_MAX_BYTES }])
})
