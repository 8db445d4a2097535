import { expect, test } from 'vitest'
import { objectText, SlicePrinter } from '../../../server/policy/slice-text.ts'
import { Members } from '../../../server/policy/members.ts'
import { canonicalText } from '../../../server/policy/signed-text.ts'
import { groupMembers } from '../../../src/policy/member-groups.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { anId } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from './shop-policy.ts'

test('a slice is printed as canonical JSON says it, also the second time', () => {
  const entries = [...shopEntries, shopEntry('pci', '/web/pci', { labels: { pci: 'true', 'a b': '"' } })]
  const directory = { entries: () => entries, entry: () => undefined, entriesWithSpiffeId: () => [] }
  const members = Members.of(readPolicy(shopPolicy()), directory)
  const printer = new SlicePrinter()
  for (const path of ['/web/store', '/shop/orders', '/web/pci', '/data/pg', '/web/store']) {
    const slice = members.slice(anId(path).toString())
    const { policy, members: rows } = printer.print(slice)
    expect(policy).toBe(canonicalText(slice.policy))
    expect(rows).toBe(canonicalText([...groupMembers(slice.displaced), ...groupMembers(slice.members)]))
  }
})

test('fields stand in the order of their names', () => {
  expect(
    objectText([
      ['b', '1'],
      ['a', '[]'],
    ]),
  ).toBe('{"a":[],"b":1}')
})
