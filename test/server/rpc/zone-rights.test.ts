import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { entryToMessage } from '../../../src/wire/entry-message.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { Entry } from '../../../src/wire/messages/spire-api-types.ts'
import { anId, creating } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from '../policy/shop-policy.ts'
import { testServer, type TestServer } from './test-server.ts'

const admin = anId('/ops/web-admin')
const other = anId('/web/boss')
const messageOf = (id: string, path: string): Entry => entryToMessage(shopEntry(id, path)) as Entry

describe('SE-44: an administrator who is bound to zones', () => {
  let server: TestServer
  let call: Call

  beforeEach(async () => {
    server = await testServer({ admins: { [admin.toString()]: ['web'], [other.toString()]: ['data'] } })
    const outcome = await server.store.commit(creating(...shopEntries))
    await server.directory.reached(outcome.ok ? outcome.revision : 0)
    await server.policies.apply({ source: shopPolicy(), dryRun: false, acceptLoss: false, note: '' }, server.local())
    call = server.callBy({
      ...{ kind: 'zone-admin', spiffeId: admin, expiresAt: new Date(0), address: '', roles: ['zone-admin'] },
      entryId: undefined,
    })
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const mask = { inputMask: null, outputMask: null }
  const create = async (id: string, path: string) =>
    (await server.entries.batchCreateEntry({ entries: [messageOf(id, path)], outputMask: null }, call)).results?.[0]
      ?.status
  const move = async (id: string, path: string) =>
    (await server.entries.batchUpdateEntry({ entries: [messageOf(id, path)], ...mask }, call)).results?.[0]?.status

  test('sees the identities of its zones only', async () => {
    const list = { filter: null, outputMask: null, pageSize: 0, pageToken: '' }
    expect((await server.entries.listEntries(list, call)).entries?.map(({ id }) => id)).toEqual(['store'])
    expect(await server.entries.countEntries({ filter: null }, call)).toEqual({ count: 1 })
    await server.entries.getEntry({ id: 'store', outputMask: null }, call)
    await expect(server.entries.getEntry({ id: 'pg', outputMask: null }, call)).rejects.toThrowCode('ENTRY_NOT_FOUND')
    const pages = await Array.fromAsync(server.policies.listMembers({ spiffeIds: [], zone: '' }, call))
    expect(pages.flatMap(({ members = [] }) => members.map((one) => one.spiffeId))).toEqual([
      anId('/web/store').toString(),
    ])
  })

  test('registers in its zones only, and in none by a path that is in no zone', async () => {
    expect(await create('blog', '/web/blog')).toMatchObject({ code: 0 })
    expect(await create('db2', '/data/db2')).toMatchObject({ code: 7 })
    expect(await create('free', '/nowhere/free')).toMatchObject({ code: 7 })
  })

  test('gives nobody rights on the server, and no way to an id that has some', async () => {
    const parentId = (path: string) => ({ trustDomain: 'example.org', path })
    const agent = parentId('/spire/agent/join_token/a')
    const make = async (id: string, path: string, fields: Partial<Entry>, by = call) => {
      const entries = [{ ...messageOf(id, path), parentId: agent, selectors: [{ type: 'unix', value: id }], ...fields }]
      return (await server.entries.batchCreateEntry({ entries, outputMask: null }, by)).results?.[0]?.status
    }
    expect(await make('root', '/web/root', { admin: true })).toMatchObject({ code: 7 })
    expect(await make('ca', '/web/ca', { downstream: true })).toMatchObject({ code: 7 })
    // By configuration, and by an entry that somebody else has made.
    expect(await make('boss', other.path, {})).toMatchObject({ code: 7 })
    expect(await make('deploy', '/web/deploy', { admin: true }, server.local())).toMatchObject({ code: 0 })
    expect(await make('twin', '/web/deploy', {})).toMatchObject({ code: 7 })
    expect(await move('store', '/web/deploy')).toMatchObject({ code: 7 })
    const demoted = { ...messageOf('deploy', '/web/deploy'), admin: false }
    const { results } = await server.entries.batchUpdateEntry({ entries: [demoted], ...mask }, call)
    expect(results?.[0]?.status).toMatchObject({ code: 7 })
    await expect(server.entries.batchDeleteEntry({ ids: ['deploy'] }, call)).rejects.toThrowCode('ZONE_REFUSED')
  })

  test('gives no identity a DNS name that one of another zone has, nor one that stands for many', async () => {
    const parentId = { trustDomain: 'example.org', path: '/spire/agent/join_token/a' }
    const make = async (id: string, path: string, dnsNames: readonly string[], by = call) => {
      const selectors = [{ type: 'unix', value: id }]
      const entries = [{ ...messageOf(id, path), parentId, selectors, dnsNames }]
      return (await server.entries.batchCreateEntry({ entries, outputMask: null }, by)).results?.[0]?.status
    }
    expect(await make('ledger', '/data/ledger', ['orders.internal'], server.local())).toMatchObject({ code: 0 })
    expect(await make('front', '/web/front', ['front.internal'])).toMatchObject({ code: 0 })
    expect(await make('twin', '/web/twin', ['front.internal'])).toMatchObject({ code: 0 })
    for (const name of ['orders.internal', 'Orders.Internal', '*.internal']) {
      const message = expect.stringContaining(`the DNS name ${name}`) as string
      expect(await make('fake', '/web/fake', [name])).toMatchObject({ code: 7, message })
    }
    // What it has already stays its own, whoever else got the name since.
    expect(await make('late', '/data/late', ['front.internal'], server.local())).toMatchObject({ code: 0 })
    const renamed = { ...messageOf('front', '/web/front'), parentId, dnsNames: ['front.internal'], hint: 'x' }
    const { results } = await server.entries.batchUpdateEntry(
      { entries: [{ ...renamed, selectors: [{ type: 'unix', value: 'front' }] }], ...mask },
      call,
    )
    expect(results?.[0]?.status).toMatchObject({ code: 0 })
  })

  test('gives no agent what is below an id of its zones and not in them', async () => {
    const below = (id: string, path: string, parent: string) =>
      server.entries.batchCreateEntry(
        {
          entries: [{ ...messageOf(id, path), parentId: { trustDomain: 'example.org', path: parent } }],
          outputMask: null,
        },
        server.local(),
      )
    await below('own', '/web/own', '/web/node')
    expect(await create('node', '/web/node')).toMatchObject({ code: 0 })
    await below('db3', '/data/db3', '/web/own')
    expect(await create('node2', '/web/node')).toMatchObject({ code: 7 })
  })

  test('is shown no entry of others that has the id of its own', async () => {
    const request = { entries: [messageOf('pg', '/web/pg')], outputMask: null }
    const [taken] = (await server.entries.batchCreateEntry(request, call)).results ?? []
    expect([taken?.status?.code, taken?.entry]).toEqual([6, null])
    const [own] =
      (await server.entries.batchCreateEntry({ ...request, entries: [messageOf('store', '/web/x')] }, call)).results ??
      []
    expect(own?.entry?.spiffeId?.path).toBe('/web/store')
  })

  test('moves no identity between zones without rights in both', async () => {
    expect(await move('store', '/data/store')).toMatchObject({ code: 7 })
    expect(await move('pg', '/web/pg')).toMatchObject({ code: 7 })
    expect(await move('store', '/web/shop-window')).toMatchObject({ code: 0 })
    const labelled = { entries: [{ entry: messageOf('pci', '/web/pci'), labels: { pci: 'true' } }] }
    expect((await server.registrations.createEntries(labelled, call)).results?.[0]?.status).toMatchObject({ code: 7 })
    const update = { entry: messageOf('store', ''), mask: null, labels: { pci: 'true' }, removedLabels: [] }
    const { results } = await server.registrations.updateEntries({ updates: [update], together: true }, call)
    expect(results?.[0]?.status).toMatchObject({ code: 7 })
    expect(server.directory.entry('store')?.labels).toEqual({})
  })

  test('deletes nothing outside of its zones, and then nothing of the batch', async () => {
    await expect(server.entries.batchDeleteEntry({ ids: ['store', 'pg'] }, call)).rejects.toThrowCode('ZONE_REFUSED')
    expect(server.directory.entry('store')).toBeDefined()
    const { results } = await server.entries.batchDeleteEntry({ ids: ['store'] }, call)
    expect(results?.[0]?.status).toMatchObject({ code: 0 })
  })

  test('quarantines in its zones only, and sees no quarantine of others', async () => {
    const add = (target: object, by: Call = call) =>
      server.lifecycle.addQuarantine({ forensics: [], reason: 'drill', ...target }, by)
    await expect(add({ identity: anId('/data/pg').toString() })).rejects.toThrowCode('ZONE_REFUSED')
    await expect(add({ zone: 'data' })).rejects.toThrowCode('ZONE_REFUSED')
    await expect(add({ entryId: 'pg' })).rejects.toThrowCode('ZONE_REFUSED')
    await expect(add({ node: anId('/spire/agent/1').toString() })).rejects.toThrowCode('ZONE_REFUSED')
    await add({ identity: anId('/web/store').toString() })
    const { id } = await add({ identity: anId('/data/pg').toString() }, server.local())
    const { quarantines = [] } = await server.lifecycle.listQuarantines({ includeEnded: false }, call)
    expect(quarantines.map(({ target }) => target)).toEqual([anId('/web/store').toString()])
    await expect(server.lifecycle.removeQuarantine({ id: id ?? '', reason: '' }, call)).rejects.toThrowCode(
      'ZONE_REFUSED',
    )
    await server.lifecycle.removeQuarantine({ id: anId('/web/store').toString(), reason: '' }, call)
  })

  test('ends no quarantine of others by an entry that has the id of theirs', async () => {
    await server.lifecycle.addQuarantine({ entryId: 'pg', forensics: [], reason: 'drill' }, server.local())
    await server.entries.batchDeleteEntry({ ids: ['pg'] }, server.local())
    expect(await create('pg', '/web/pg')).toMatchObject({ code: 0 })
    const { quarantines } = await server.lifecycle.listQuarantines({ includeEnded: false }, call)
    expect(quarantines).toEqual([])
    const end = server.lifecycle.removeQuarantine({ id: 'pg', reason: '' }, call)
    await expect(end).rejects.toThrowCode('ZONE_REFUSED')
  })
})
