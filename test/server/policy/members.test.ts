import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Members } from '../../../server/policy/members.ts'
import { SlicePrinter } from '../../../server/policy/slice-text.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { acme } from '../../src/policy/acme.ts'
import { anyWorld, paths } from '../../src/policy/small-world.ts'

/** The entries of one identity each, as a directory has them. */
class OneEach {
  readonly #byId = new Map<string, RegistrationEntry>()

  entries = (): Iterable<RegistrationEntry> => this.#byId.values()
  entry = (id: string): RegistrationEntry | undefined => this.#byId.get(id)
  entriesWithSpiffeId = (id: SpiffeId): RegistrationEntry[] =>
    [...this.entries()].filter(({ spiffeId }) => spiffeId.equals(id))
  put = (entry: RegistrationEntry): void => void this.#byId.set(entry.id, entry)
}

const anyEntry = fc
  .record({
    path: fc.constantFrom(...paths),
    labels: fc.dictionary(fc.constantFrom('env', 'pci'), fc.constantFrom('prod', 'stage', 'true')),
    group: fc.constantFrom('a', 'b', 'c', 'd'),
  })
  .map(({ path, labels, group }) =>
    anEntry(path.slice(1), {
      spiffeId: SpiffeId.parse(`spiffe://${acme.trustDomain}${path}`),
      ...{ labels, selectors: [parseSelector(`unix:group:${group}`)] },
    }),
  )

const longest = (members: Members): number =>
  Math.max(
    ...paths.map((path) => {
      const slice = new SlicePrinter().print(members.slice(`spiffe://${acme.trustDomain}${path}`))
      return Buffer.byteLength(slice.policy) + Buffer.byteLength(slice.members)
    }),
  )

describe('Members', () => {
  test('no slice is longer than what is said once and grows with each change', () => {
    fc.assert(
      fc.property(anyWorld, fc.array(anyEntry, { maxLength: 8 }), ({ set }, entries) => {
        const directory = new OneEach()
        const members = Members.of(set, directory)
        members.mostSliceBytes(Infinity)
        for (const entry of entries) {
          directory.put(entry)
          members.refresh(entry.spiffeId.toString())
          expect(members.mostSliceBytes(Infinity)).toBeGreaterThanOrEqual(longest(members))
        }
      }),
    )
  })

  test('what would be is what is once the entries are there, and leaves no trace', () => {
    fc.assert(
      fc.property(anyWorld, fc.array(anyEntry, { maxLength: 4 }), anyEntry, ({ set }, entries, next) => {
        const directory = new OneEach()
        for (const entry of entries) directory.put(entry)
        const members = Members.of(set, directory)
        const rows = () => new Map(Array.from(members.rows(), (row) => [row.spiffeId, row]))
        const before = rows()
        const would = members.asIf([next], rows)
        expect(rows()).toEqual(before)
        directory.put(next)
        members.refresh(next.spiffeId.toString())
        expect(rows()).toEqual(would)
      }),
    )
  })
})
