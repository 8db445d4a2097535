import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EntryMask } from '../../../src/wire/messages/spire-api-types.ts'
import { SYNC_PAGE_SIZE } from '../../../server/rpc/sync-authorized-entries.ts'
import type {
  SyncAuthorizedEntriesRequest,
  SyncAuthorizedEntriesResponse,
} from '../../../src/wire/messages/spire-api-server-entry-v1.ts'
import { entryMessage, idMessage, selectorsOf, testServer, type TestServer } from './test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const NOTHING: EntryMask = {
  spiffeId: false,
  parentId: false,
  selectors: false,
  x509SvidTtl: false,
  federatesWith: false,
  admin: false,
  downstream: false,
  expiresAt: false,
  dnsNames: false,
  revisionNumber: false,
  storeSvid: false,
  jwtSvidTtl: false,
  hint: false,
  createdAt: false,
  additionalAttributes: false,
}
const NO_FILTER = {
  bySpiffeId: null,
  byParentId: null,
  bySelectors: null,
  byFederatesWith: null,
  byHint: null,
  byDownstream: null,
}
const NODE = '/spire/agent/join_token/a'

const create = (...entries: ReturnType<typeof entryMessage>[]) =>
  server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())

async function created(path: string, changes: Parameters<typeof entryMessage>[2] = {}, parent = NODE): Promise<string> {
  const { results } = await create(entryMessage(path, parent, changes))
  expect(results?.[0]?.status).toEqual({ code: 0, message: 'OK' })
  return results?.[0]?.entry?.id ?? ''
}

describe('BatchCreateEntry', () => {
  test('answers each item by itself, a status in every one, and a duplicate with the entry that exists', async () => {
    const good = entryMessage('/web', NODE)
    const { results = [] } = await create(
      entryMessage('/web', NODE, { spiffeId: idMessage('/x', 'another.org') }),
      good,
      entryMessage('/spire/agent/x', NODE),
      entryMessage('/none', NODE, { selectors: [] }),
      good,
      entryMessage('/ttl', NODE, { x509SvidTtl: -1 }),
      entryMessage('/id', NODE, { id: 'a b' }),
    )
    expect(results.map(({ status }) => status?.code)).toEqual([3, 0, 3, 3, 6, 3, 3])
    expect(results[4]?.status?.message).toContain('similar entry already exists')
    expect(results[4]?.entry?.id).toBe(results[1]?.entry?.id)
    expect(results[1]?.entry).toMatchObject({ revisionNumber: 0, spiffeId: idMessage('/web'), createdAt: 1767225600 })
  })

  test('refuses the own trust domain and one without a stored bundle in federates_with', async () => {
    const { results = [] } = await create(
      entryMessage('/a', NODE, { federatesWith: ['example.org'] }),
      entryMessage('/b', NODE, { federatesWith: ['partner.org'] }),
    )
    expect(results.map(({ status }) => status?.code)).toEqual([3, 3])
    expect(results[1]?.status?.message).toContain('unable to find federated bundle "partner.org"')
  })

  test('SE-12 refuses admin and downstream entries below an alias', async () => {
    const { results = [] } = await create(
      entryMessage('/admin', '/node/web', { admin: true }),
      entryMessage('/down', '/node/web', { downstream: true }),
      entryMessage('/admin', NODE, { admin: true }),
    )
    expect(results.map(({ status }) => status?.code)).toEqual([3, 3, 0])
  })

  test('keeps the order of results whatever is good or bad', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), async (isGood) => {
        await using fresh = await testServer()
        const entries = isGood.map((good, index) => entryMessage(good ? `/w${index}` : '/spire/x', NODE))
        const { results = [] } = await fresh.entries.batchCreateEntry({ entries, outputMask: null }, fresh.local())
        expect(results.map(({ status }) => status?.code === 0)).toEqual(isGood)
        expect(results.map(({ entry }) => entry?.spiffeId?.path ?? '')).toEqual(
          isGood.map((good, index) => (good ? `/w${index}` : '')),
        )
      }),
      { numRuns: 15 },
    )
  })

  test('records who created what, in the transaction that did it', async () => {
    const id = await created('/web')
    const record = (await server.audit()).find(({ type }) => type === 'entry.created')
    expect(JSON.parse(record?.facts ?? '{}')).toMatchObject({ entryId: id, callerId: 'local:uid:0' })
  })
})

describe('BatchUpdateEntry', () => {
  test('sets the fields of the input mask only, counts the revision number up, and shows the output mask only', async () => {
    const id = await created('/web', { x509SvidTtl: 600, hint: 'internal' })
    const { results = [] } = await server.entries.batchUpdateEntry(
      {
        entries: [entryMessage('/other', NODE, { id, x509SvidTtl: 1200, hint: 'ignored' })],
        inputMask: { ...NOTHING, x509SvidTtl: true },
        outputMask: { ...NOTHING, x509SvidTtl: true, revisionNumber: true, hint: true },
      },
      server.local(),
    )
    expect(results[0]?.entry).toEqual({ id, x509SvidTtl: 1200, hint: 'internal', revisionNumber: 1 })
    expect(await server.entries.getEntry({ id, outputMask: null }, server.local())).toMatchObject({
      spiffeId: idMessage('/web'),
      x509SvidTtl: 1200,
    })
  })

  test('without a mask replaces everything but the flags that are not mentioned', async () => {
    const attributes = { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false }
    const id = await created('/web', { hint: 'internal', additionalAttributes: attributes })
    const { results = [] } = await server.entries.batchUpdateEntry(
      { entries: [entryMessage('/web2', NODE, { id })], inputMask: null, outputMask: null },
      server.local(),
    )
    expect(results[0]?.entry).toMatchObject({
      spiffeId: idMessage('/web2'),
      hint: '',
      additionalAttributes: attributes,
    })
  })

  test('the same entry twice in one batch is updated twice; a missing one is NotFound, a similar one AlreadyExists', async () => {
    const id = await created('/web')
    const other = await created('/other')
    const { results = [] } = await server.entries.batchUpdateEntry(
      {
        entries: [
          entryMessage('/web', NODE, {
            id,
            hint: 'a',
          }),
          entryMessage('/web', NODE, {
            id,
            hint: 'b',
          }),
          entryMessage('/web', NODE, { id: 'missing' }),
          entryMessage('/web', NODE, { id: other }),
        ],
        inputMask: null,
        outputMask: null,
      },
      server.local(),
    )
    expect(results.map(({ status }) => status?.code)).toEqual([0, 0, 5, 6])
    expect(results[3]?.entry?.id).toBe(id)
    expect(server.directory.entry(id)?.revisionNumber).toBe(2)
  })
})

describe('BatchDeleteEntry, lists and filters', () => {
  test('deletes per item and names each id', async () => {
    const id = await created('/web')
    const { results } = await server.entries.batchDeleteEntry({ ids: ['missing', id, id] }, server.local())
    expect(results?.map(({ status, id: of }) => [status?.code, of])).toEqual([
      [5, 'missing'],
      [0, id],
      [5, id],
    ])
  })

  test('pages every entry exactly once, though entries come and go meanwhile', async () => {
    await create(...Array.from({ length: 25 }, (_, index) => entryMessage(`/w${index}`, NODE)))
    const seen: string[] = []
    let pageToken = ''
    do {
      const page = await server.entries.listEntries(
        { filter: null, outputMask: null, pageSize: 10, pageToken },
        server.local(),
      )
      seen.push(...(page.entries ?? []).map(({ id = '' }) => id))
      if (seen.length === 10) await server.entries.batchDeleteEntry({ ids: [seen[9]!] }, server.local())
      pageToken = page.nextPageToken ?? ''
    } while (pageToken !== '')
    expect(new Set(seen).size).toBe(25)
    expect(seen).toHaveLength(25)
  })

  test('filters by parent and selectors, and refuses an empty set', async () => {
    const id = await created('/web', { selectors: selectorsOf('unix:uid:1', 'unix:gid:1') })
    await created('/db', { selectors: selectorsOf('unix:uid:1') })
    const list = (match: 'MATCH_EXACT' | 'MATCH_SUPERSET' | 'MATCH_SUBSET' | 'MATCH_ANY', ...texts: string[]) =>
      server.entries.listEntries(
        {
          filter: {
            ...NO_FILTER,
            byParentId: idMessage(NODE),
            bySelectors: {
              selectors: selectorsOf(...texts),
              match,
            },
          },
          outputMask: NOTHING,
          pageSize: 0,
          pageToken: '',
        },
        server.local(),
      )
    expect((await list('MATCH_EXACT', 'unix:gid:1', 'unix:uid:1')).entries).toEqual([{ id }])
    expect((await list('MATCH_SUPERSET', 'unix:uid:1')).entries).toHaveLength(2)
    expect((await list('MATCH_SUBSET', 'unix:uid:1', 'unix:uid:2')).entries).toHaveLength(1)
    await expect(list('MATCH_ANY')).rejects.toThrowCode('REQUEST_INVALID', 'by_selectors is empty')
    // As the decoder leaves a number that has no name: a client newer than this server.
    await expect(list(9 as unknown as 'MATCH_ANY', 'unix:uid:1')).rejects.toThrowCode('REQUEST_INVALID', 'by_selectors')
    const byFederatesWith = { trustDomains: ['a.org'], match: 9 as unknown as 'MATCH_ANY' }
    const federated = server.entries.countEntries({ filter: { ...NO_FILTER, byFederatesWith } }, server.local())
    await expect(federated).rejects.toThrowCode('REQUEST_INVALID', 'by_federates_with')
    const count = { ...NO_FILTER, byHint: { value: 'none' } }
    expect(await server.entries.countEntries({ filter: count }, server.local())).toEqual({ count: 0 })
  })

  test.for(['pageSize', 'pageToken'] as const)('refuses a bad %s', async (field) => {
    const request = { filter: null, outputMask: null, pageSize: field === 'pageSize' ? -1 : 1, pageToken: '' }
    const bad = field === 'pageToken' ? { ...request, pageToken: '§' } : request
    await expect(server.entries.listEntries(bad, server.local())).rejects.toThrowCode('REQUEST_INVALID')
  })
})

describe('SyncAuthorizedEntries', () => {
  async function sync(agentPath: string, ...requests: Partial<SyncAuthorizedEntriesRequest>[]) {
    const agentId = server.directory.agent(`spiffe://example.org${agentPath}`)!.spiffeId
    const stream = (async function* () {
      for (const request of requests) yield { outputMask: null, ids: [], ...request }
    })()
    const responses: Partial<SyncAuthorizedEntriesResponse>[] = []
    for await (const response of server.entries.syncAuthorizedEntries(stream, server.asAgent(agentId))) {
      responses.push(response as SyncAuthorizedEntriesResponse)
    }
    return responses
  }

  test('sends up to 500 entries in full in one response', async () => {
    await server.addAgent('join_token/a')
    const id = await created('/web')
    await created('/elsewhere', {}, '/spire/agent/join_token/b')
    const [only, ...more] = await sync(NODE, {})
    expect(only?.entries?.map((entry) => entry.id)).toEqual([id])
    expect([only?.entryRevisions ?? [], only?.more, more]).toEqual([[], false, []])
  })

  test('SE-12 sends revisions in pages of 500, then only entries that are the agent’s, whatever it asks for', async () => {
    await server.addAgent('join_token/a')
    const entries = Array.from({ length: 501 }, (_, index) => entryMessage(`/w${index}`, NODE))
    await create(...entries)
    const foreign = await created('/elsewhere', {}, '/spire/agent/join_token/b')
    const mine = [...server.directory.entries()].map(({ id }) => id).filter((id) => id !== foreign)
    const responses = await sync(NODE, {}, { ids: [foreign, 'missing', mine[3]!] })
    expect(
      responses.map(({ entryRevisions = [], entries: full = [], more }) => [entryRevisions.length, full.length, more]),
    ).toEqual([
      [SYNC_PAGE_SIZE, 0, true],
      [1, 0, false],
      [0, 1, false],
    ])
    expect(responses[0]?.entryRevisions?.[0]).toEqual({
      id: expect.any(String),
      revisionNumber: 0,
      createdAt: 1767225600,
    })
    expect(responses[2]?.entries?.[0]?.id).toBe(mine[3])
  })

  test('refuses ids in the first message and a mask without revision_number', async () => {
    await server.addAgent('join_token/a')
    await expect(sync(NODE, { ids: ['x'] })).rejects.toThrowCode('REQUEST_INVALID', 'specifying IDs on initial request')
    await expect(sync(NODE, { outputMask: NOTHING })).rejects.toThrowCode('REQUEST_INVALID', 'cannot be masked')
  })

  test('GetAuthorizedEntries gives an agent its own entries under the mask', async () => {
    const agentId = await server.addAgent('join_token/a')
    const id = await created('/web')
    await created('/elsewhere', {}, '/spire/agent/join_token/b')
    const answer = await server.entries.getAuthorizedEntries({ outputMask: NOTHING }, server.asAgent(agentId))
    expect(answer.entries).toEqual([{ id }])
  })
})
