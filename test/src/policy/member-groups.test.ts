import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, type CanonicalValue } from '../../../src/jws/canonical-json.ts'
import { groupMembers, rowsOfGroup, type WrittenMember } from '../../../src/policy/member-groups.ts'
import type { IdentityRow } from '../../../src/policy/membership.ts'

const segment = fc.stringMatching(/^[a-c.]{1,4}$/)
const anyRow: fc.Arbitrary<IdentityRow> = fc.record({
  spiffeId: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `spiffe://a/${segments.join('/')}`),
  zone: fc.constantFrom('web', 'pay', null, ['pay', 'web']),
  via: fc.constantFrom('label pci=true', ''),
  labels: fc.constantFrom({}, { env: 'prod' }, { env: 'prod', pci: 'true' }, { pci: 'true', env: 'prod' }),
})
const rowsInOrder = fc
  .uniqueArray(anyRow, { selector: ({ spiffeId }) => spiffeId })
  .map((rows) => rows.toSorted((a, b) => (a.spiffeId < b.spiffeId ? -1 : 1)))

const read = (members: readonly WrittenMember[]): IdentityRow[] =>
  members.flatMap((member) => ('spiffeId' in member ? member : (rowsOfGroup(member, Infinity) ?? [])))
const byId = (rows: readonly IdentityRow[]): IdentityRow[] =>
  rows.toSorted((a, b) => (a.spiffeId < b.spiffeId ? -1 : 1))

describe('groupMembers()', () => {
  test('what is grouped is read back, each row once', () => {
    fc.assert(
      fc.property(rowsInOrder, (rows) => {
        expect(byId(read(groupMembers(rows)))).toEqual(rows)
      }),
    )
  })

  test('puts rows into one group only when they say the same', () => {
    fc.assert(
      fc.property(rowsInOrder, (rows) => {
        const answers = rows.map(({ zone, via, labels }) => canonicalJson({ zone, via, labels } as CanonicalValue))
        expect(groupMembers(rows)).toHaveLength(new Set(answers).size)
      }),
    )
  })

  test('20,000 identities that a label placed take less than a sixth of what they took as rows', () => {
    const rows = Array.from({ length: 20_000 }, (_, at): IdentityRow => ({
      spiffeId: `spiffe://prod.acme.example/ns/team-${String(at % 500).padStart(3, '0')}/sa/service-${String(at)}`,
      zone: `zone-${at % 20}`,
      via: `label placed=zone-${at % 20}`,
      labels: {},
    }))
    const sizeOf = (value: unknown): number => JSON.stringify(value).length
    expect(sizeOf(groupMembers(byId(rows)))).toBeLessThan(sizeOf(rows) / 6)
  })
})

describe('rowsOfGroup()', () => {
  const answer = { zone: 'pay', via: '', labels: {} }

  test.for([
    ['more characters than there are before', ['spiffe://a/b', '99 c']],
    ['no number', ['spiffe://a/b', 'x c']],
    ['no space', ['spiffe://a/b', '12']],
    ['an empty text', ['spiffe://a/b', '']],
  ] as const)('refuses what shares %s', ([, spiffeIds]) => {
    expect(rowsOfGroup({ ...answer, spiffeIds }, Infinity)).toBeUndefined()
  })

  test('refuses short texts that come to too much', () => {
    const spiffeIds = [`spiffe://a/${'b'.repeat(989)}`, ...Array.from({ length: 9 }, () => '999 c')]
    expect(rowsOfGroup({ ...answer, spiffeIds }, 10_000)).toHaveLength(10)
    expect(rowsOfGroup({ ...answer, spiffeIds }, 9_999)).toBeUndefined()
  })
})
