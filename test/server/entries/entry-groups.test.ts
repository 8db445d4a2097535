import { expect, test } from 'vitest'
import { EntryGroups } from '../../../server/entries/entry-groups.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'

const entry = (id: string): RegistrationEntry => ({ id }) as RegistrationEntry
const idsOf = (groups: EntryGroups, key: string): string[] => [...groups.get(key).values()].map(({ id }) => id)

test('a group grows from nothing to one and to many, and back', () => {
  const groups = new EntryGroups()
  expect([groups.get('k').size, idsOf(groups, 'k')]).toEqual([0, []])
  for (const [index, id] of ['a', 'b', 'c'].entries()) {
    groups.join('k', entry(id))
    expect(groups.get('k').size).toBe(index + 1)
  }
  groups.join('other', entry('d'))
  expect(idsOf(groups, 'k')).toEqual(['a', 'b', 'c'])
  groups.leave('k', 'b')
  groups.leave('k', 'a')
  expect([groups.get('k').size, idsOf(groups, 'k')]).toEqual([1, ['c']])
  groups.leave('k', 'c')
  expect([groups.get('k').size, idsOf(groups, 'other')]).toEqual([0, ['d']])
})

test('who is not in a group leaves it as it is', () => {
  const groups = new EntryGroups()
  groups.leave('k', 'a')
  groups.join('k', entry('a'))
  groups.leave('k', 'b')
  expect(idsOf(groups, 'k')).toEqual(['a'])
})
