import { describe, expect, test } from 'vitest'
import { pollAuthorizedEntries } from '../../../agent/upstream/poll.ts'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { entryToMessage } from '../../../src/wire/entry-message.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { functionTransport } from '../../fakes/function-transport.ts'
import { anEntry, anInstant } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'

const example = TrustDomain.parse('example.org')
const bundle = bundleOf({ trustDomain: example })
const { signal } = new AbortController()
type Request = { readonly ids: readonly string[] }

/** SPIRE's server: everything at once up to `pageSize` entries, else pages of revisions, then what is asked for. */
function spire(entries: readonly RegistrationEntry[], pageSize: number) {
  const asked: (readonly string[])[] = []
  const pages = <T>(list: readonly T[]): T[][] =>
    Array.from({ length: Math.max(1, Math.ceil(list.length / pageSize)) }, (_, index) =>
      list.slice(index * pageSize, (index + 1) * pageSize),
    )
  async function* syncAuthorizedEntries(requests: AsyncIterable<Request>) {
    let isFirst = true
    for await (const { ids } of requests) {
      if (!isFirst) asked.push(ids)
      if (isFirst && entries.length <= pageSize) {
        yield { entryRevisions: [], entries: entries.map((entry) => entryToMessage(entry)), more: false }
      } else if (isFirst) {
        const all = pages(entries)
        for (const [index, page] of all.entries()) {
          const entryRevisions = page.map(({ id, revisionNumber, createdAt }) => ({
            id,
            revisionNumber,
            createdAt: createdAt.getTime() / 1000,
          }))
          yield { entryRevisions, entries: [], more: index + 1 < all.length }
        }
      } else {
        const found = entries.filter(({ id }) => ids.includes(id)).map((entry) => entryToMessage(entry))
        yield { entryRevisions: [], entries: found, more: false }
      }
      isFirst = false
    }
  }
  return { asked, transport: functionTransport({ 'spire.api.server.entry.v1.Entry': { syncAuthorizedEntries } }) }
}

const bundles = { trustDomain: example, fetchBundle: async () => bundle, fetchFederatedBundle: async () => undefined }
const held = (...entries: readonly RegistrationEntry[]) => new Map(entries.map((entry) => [entry.id, entry]))
const ids = ({ entries }: { entries: readonly RegistrationEntry[] }) => entries.map(({ id }) => id).toSorted()

describe('pollAuthorizedEntries()', () => {
  test('quirk 43: a first answer without revisions is the whole list, an empty one too', async () => {
    const { transport } = spire([anEntry('a'), anEntry('b')], 500)
    expect(ids(await pollAuthorizedEntries(held(anEntry('gone')), { ...bundles, transport }, signal))).toEqual([
      'a',
      'b',
    ])
    const nothing = spire([], 500)
    expect(
      ids(await pollAuthorizedEntries(held(anEntry('gone')), { ...bundles, transport: nothing.transport }, signal)),
    ).toEqual([])
  })

  test('quirk 43: of pages of revisions only what is stale is asked for, in pages of the same size', async () => {
    const entries = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => anEntry(id))
    const { transport, asked } = spire(entries, 3)
    const known = [
      anEntry('a'),
      anEntry('b', { revisionNumber: 9 }),
      // Deleted and made again with the same revision.
      anEntry('c', { createdAt: anInstant(-50) }),
      anEntry('gone'),
    ]
    const polled = await pollAuthorizedEntries(held(...known), { ...bundles, transport }, signal)
    expect(ids(polled)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    expect(asked).toEqual([
      ['b', 'c', 'd'],
      ['e', 'f', 'g'],
    ])
    expect(polled.entries.find(({ id }) => id === 'c')?.createdAt).toEqual(anInstant(0))
  })

  test('quirk 43: an answer that is cut off is a failure, not fewer entries', async () => {
    const revision = { id: 'a', revisionNumber: 0, createdAt: 1 }
    const cutOff = [[], [{ entryRevisions: [revision], entries: [], more: true }]]
    for (const pages of cutOff) {
      async function* syncAuthorizedEntries() {
        yield* pages
      }
      const transport = functionTransport({ 'spire.api.server.entry.v1.Entry': { syncAuthorizedEntries } })
      await expect(pollAuthorizedEntries(held(anEntry('a')), { ...bundles, transport }, signal)).rejects.toThrow(
        'cut off',
      )
    }
  })

  test('reads the stream to its end', async () => {
    let ended = false
    async function* syncAuthorizedEntries(requests: AsyncIterable<Request>) {
      for await (const _request of requests) yield { entryRevisions: [], entries: [], more: false }
      ended = true
    }
    const transport = functionTransport({ 'spire.api.server.entry.v1.Entry': { syncAuthorizedEntries } })
    await pollAuthorizedEntries(held(), { ...bundles, transport }, signal)
    await until(() => ended)
  })

  test('asks an older server for all entries', async () => {
    const transport = functionTransport({
      'spire.api.server.entry.v1.Entry': {
        // oxlint-disable-next-line require-yield -- an old server answers with nothing but a status
        async *syncAuthorizedEntries() {
          throw new RpcError('UNIMPLEMENTED', 'unknown method')
        },
        getAuthorizedEntries: async () => ({ entries: [entryToMessage(anEntry('a'))] }),
      },
    })
    expect(ids(await pollAuthorizedEntries(held(), { ...bundles, transport }, signal))).toEqual(['a'])
  })

  test('quirk 46: a federated bundle that is not found is left out; the own name among them is passed over', async () => {
    const [other, third] = ['other.org', 'third.org'].map((name) => TrustDomain.parse(name))
    const { transport } = spire([anEntry('a', { federatesWith: [other!, third!, example] })], 500)
    const asked: string[] = []
    const polled = await pollAuthorizedEntries(
      held(),
      {
        ...bundles,
        transport,
        async fetchFederatedBundle(trustDomain) {
          asked.push(trustDomain.name)
          return trustDomain.name === 'other.org' ? bundleOf({ trustDomain }) : undefined
        },
      },
      signal,
    )
    expect(asked).toEqual(['other.org', 'third.org'])
    expect(polled.bundles.map(({ trustDomain }) => trustDomain.name)).toEqual(['example.org', 'other.org'])
  })
})
