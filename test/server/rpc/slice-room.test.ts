import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { entryToMessage } from '../../../src/wire/entry-message.ts'
import type { Entry } from '../../../src/wire/messages/spire-api-types.ts'
import { anId, creating } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from '../policy/shop-policy.ts'
import { testServer, type TestServer } from './test-server.ts'

/** An identity that takes about 2 KB of every slice once its label places it elsewhere. */
const long = (at: number, labels: Record<string, string> = {}): RegistrationEntry =>
  shopEntry(`long-${at}`, `/web/${at}-${'x'.repeat(1950)}`, { labels })
const many = (from: number, count: number, labels: Record<string, string> = {}): RegistrationEntry[] =>
  Array.from({ length: count }, (_, at) => long(from + at, labels))
const PCI = { pci: 'true' }
const message = (entry: RegistrationEntry): Entry => entryToMessage(entry) as Entry

describe('changes of entries, when slices are nearly as long as agents take', () => {
  let server: TestServer

  beforeEach(async () => {
    server = await testServer()
    // 3.0 of 3.1 MB.
    await commit(...shopEntries, ...many(0, 1500, PCI), ...many(5000, 200))
    const policy = { source: shopPolicy(), dryRun: false, acceptLoss: true, note: '' }
    await server.policies.apply(policy, server.local())
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const commit = (...entries: readonly RegistrationEntry[]) => server.commit(creating(...entries))
  const create = (...entries: readonly RegistrationEntry[]) =>
    server.registrations.createEntries(
      { entries: entries.map((entry) => ({ entry: message(entry), labels: entry.labels })) },
      server.local(),
    )
  const sliceOf = (path: string) => server.deps.slices.digestOf(anId(path).toString())
  const warnings = async () => (await server.admin.getStatus({}, server.local())).warnings

  test('entries whose labels leave no room are refused, the others of the batch are made, and every slice stays', async () => {
    const before = sliceOf('/web/store')
    const { results = [] } = await create(shopEntry('plain', '/web/plain'), ...many(9000, 200, PCI))
    expect(results.map(({ status }) => status?.code)).toEqual([0, ...Array.from({ length: 200 }, () => 9)])
    expect(results.slice(0, 2)).toMatchObject([{}, { code: 'ENTRY_WOULD_LOSE' }])
    expect(results[1]?.status?.message).toMatch(/the slice of spiffe:\/\/example.org\/.* would take 3.3 MB/)
    expect(server.directory.entry('long-9000')).toBeUndefined()
    expect([before !== undefined, sliceOf('/web/store')]).toEqual([true, before])
    expect(await warnings()).toEqual([])
  })

  test('labels that leave no room are refused together, and a few that fit are set', async () => {
    const label = (count: number) =>
      server.registrations.updateEntries(
        {
          together: true,
          updates: many(5000, count).map(({ id }) => ({
            ...{ entry: { ...message(long(0)), id }, mask: null, labels: PCI, removedLabels: [] },
          })),
        },
        server.local(),
      )
    const { results = [] } = await label(200)
    expect(new Set(results.map(({ status }) => status?.code))).toEqual(new Set([9]))
    expect(server.directory.entry('long-5000')?.labels).toEqual({})
    expect((await label(10)).results?.[0]?.status?.code).toBe(0)
    expect(server.directory.entry('long-5000')?.labels).toEqual(PCI)
    expect(sliceOf('/web/store')).toBeDefined()
  })

  test("selectors that leave no room are refused by SPIRE's call too", async () => {
    const zones =
      '  - { id: root, target: 1, sensitivity: internal, admin: none, mode: enforce, owner: a, members: [ { selector: "unix:uid:0" } ] }'
    const source = shopPolicy({ zones })
    await server.policies.apply({ source, dryRun: false, acceptLoss: true, note: '' }, server.local())
    const entries = many(5000, 200).map((entry) => ({
      ...message(entry),
      selectors: [{ type: 'unix', value: 'uid:0' }],
    }))
    const request = { entries, inputMask: null, outputMask: null }
    const { results = [] } = await server.entries.batchUpdateEntry(request, server.local())
    expect(new Set(results.map(({ status }) => status?.code))).toEqual(new Set([9]))
    expect(sliceOf('/web/store')).toBeDefined()
  })

  test('what is too long already is said by the status and to whoever registers an identity, and holds up nothing', async () => {
    await commit(...many(9000, 200, PCI))
    expect(sliceOf('/web/store')).toBeUndefined()
    expect(await warnings()).toEqual([expect.stringMatching(/^Policy: the slice of .* would take 3.\d MB/)])
    const { results = [] } = await create(shopEntry('new', '/web/new'), long(9900, PCI))
    expect(results.map(({ status }) => status?.code)).toEqual([0, 0])
    expect(results[0]?.warnings).toEqual([expect.stringContaining('/web/new gets SVIDs but no policy')])
  })
})
