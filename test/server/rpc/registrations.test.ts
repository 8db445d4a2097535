import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { entryToMessage } from '../../../src/wire/entry-message.ts'
import type { LabelledEntriesResponse } from '../../../src/wire/messages/sallyport-server-v1.ts'
import type { Entry } from '../../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../../src/wire/service.ts'
import { shopEntry } from '../policy/shop-policy.ts'
import { testServer, type TestServer } from './test-server.ts'

const message = (id: string, path = '/web/store', parent = 1): Entry =>
  entryToMessage(shopEntry(id, path, { selectors: [{ type: 'unix', value: `uid:${parent}` }] })) as Entry

describe('ZO-11: entries of one id agree in their labels', () => {
  let server: TestServer

  beforeEach(async () => {
    server = await testServer()
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const create = (...entries: readonly (readonly [Entry, Record<string, string>])[]) =>
    server.registrations.createEntries(
      { entries: entries.map(([entry, labels]) => ({ entry, labels })) },
      server.local(),
    )
  const update = (together: boolean, ...updates: readonly (readonly [string, Record<string, string>, string[]?])[]) =>
    server.registrations.updateEntries(
      {
        together,
        updates: updates.map(([id, labels, removedLabels = []]) => ({
          ...{ entry: { ...message(id), id }, mask: null, labels, removedLabels },
        })),
      },
      server.local(),
    )
  const codes = ({ results = [] }: Sent<LabelledEntriesResponse>): (number | undefined)[] =>
    results.map(({ status }) => status?.code)
  const labels = async (): Promise<unknown[]> => {
    const { entries = [] } = await server.registrations.listLabels({ entryIds: [] }, server.local())
    return entries.map((one) => [one.entryId, one.labels])
  }

  test('an entry is made with its labels, and both are told', async () => {
    const { results } = await create([message('a'), { env: 'prod' }])
    expect(results).toMatchObject([{ status: { code: 0 }, entry: { id: 'a' }, labels: { env: 'prod' } }])
    expect(await labels()).toEqual([['a', { env: 'prod' }]])
    const created = (await server.audit()).find(({ type }) => type === 'entry.created')
    expect(created?.facts).toContain('"labels":["env=prod"]')
  })

  test('a second entry that differs is refused, within a batch too; one that names none takes those of the id', async () => {
    const made = await create([message('a'), { env: 'prod' }], [message('b', '/web/store', 2), { env: 'stage' }])
    expect(codes(made)).toEqual([0, 9])
    expect(made.results?.[1]?.status?.message).toContain('env=stage')
    expect(codes(await create([message('b', '/web/store', 2), {}]))).toEqual([0])
    expect(await labels()).toEqual([
      ['a', { env: 'prod' }],
      ['b', { env: 'prod' }],
    ])
  })

  test("SPIRE's calls keep labels on update, and take those of the id when they create", async () => {
    await create([message('a'), { env: 'prod' }])
    const call = server.local()
    const changed = { ...message('a'), hint: 'changed' }
    await server.entries.batchUpdateEntry({ entries: [changed], inputMask: null, outputMask: null }, call)
    await server.entries.batchCreateEntry({ entries: [message('b', '/web/store', 2)], outputMask: null }, call)
    expect(server.directory.entry('a')).toMatchObject({ hint: 'changed', labels: { env: 'prod' } })
    expect(await labels()).toEqual([
      ['a', { env: 'prod' }],
      ['b', { env: 'prod' }],
    ])
  })

  test("an entry cannot move to an id whose entries say otherwise, not by SPIRE's calls either", async () => {
    await create([message('a'), { env: 'prod' }], [message('c', '/web/other', 3), { env: 'stage' }])
    const moved = { ...message('c', '/web/store', 3) }
    const { results } = await server.entries.batchUpdateEntry(
      { entries: [moved], inputMask: null, outputMask: null },
      server.local(),
    )
    expect(results?.[0]?.status).toMatchObject({ code: 9 })
    expect(server.directory.entry('c')?.spiffeId.path).toBe('/web/other')
  })

  test('labels of all entries of an id change in one go, or not at all', async () => {
    await create([message('a'), { env: 'prod', old: 'x' }], [message('b', '/web/store', 2), {}])
    expect(codes(await update(false, ['a', { env: 'stage' }]))).toEqual([9])
    expect(codes(await update(true, ['a', { env: 'stage' }], ['b', { env: 'prod' }]))).toEqual([9, 9])
    expect(codes(await update(true, ['a', { env: 'stage' }, ['old']], ['b', { env: 'stage' }, ['old']]))).toEqual([
      0, 0,
    ])
    expect(await labels()).toEqual([
      ['a', { env: 'stage' }],
      ['b', { env: 'stage' }],
    ])
    expect(codes(await update(true, ['none', { env: 'x' }]))).toEqual([5])
    expect(codes(await update(true, ['a', { 'no name': 'x' }], ['b', { 'no name': 'x' }]))).toEqual([3, 3])
  })
})
