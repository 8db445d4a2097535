import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyAudit } from '../../server/audit/verify-audit.ts'
import type { AttestedAgent, Revision, Store, Transaction } from '../../server/store/store.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { plain } from '../fakes/plain.ts'
import {
  aBundle,
  aFullEntry,
  aToken,
  anAgent,
  anAuthority,
  anEntry,
  anEvent,
  anId,
  anInstant,
  creating,
  doing,
  recording,
} from '../fakes/store-objects.ts'

/** How a test gets a store: an empty one, and the same data opened again after it was closed. */
export interface StoreUnderTest {
  open(now: () => Date): Promise<Store>
  reopen(store: Store): Promise<Store>
  cleanUp(): Promise<void>
}

/** What every store must do, whatever it is made of. */
export function storeContract(name: string, make: () => StoreUnderTest): void {
  describe(name, () => {
    let under: StoreUnderTest
    let store: Store
    let now = anInstant(0)

    beforeEach(async () => {
      now = anInstant(0)
      under = make()
      store = await under.open(() => now)
    })
    afterEach(async () => {
      await store[Symbol.asyncDispose]()
      await under.cleanUp()
    })

    const committed = async (transaction: Transaction): Promise<number> => {
      const outcome = await store.commit(transaction)
      if (!outcome.ok) throw new Error(`refused: ${outcome.reason}`)
      return outcome.revision
    }

    describe('revisions', () => {
      test('grow by one with each transaction that changes something, and by none with others', async () => {
        expect(await committed(creating(anEntry('a')))).toBe(1)
        expect(await committed(recording(anEvent('x')))).toBe(1)
        expect(await committed(doing({ kind: 'token.prune', expiredBefore: anInstant(0) }))).toBe(1)
        expect((await store.commit(creating(anEntry('a')))).ok).toBe(false)
        expect(await committed(creating(anEntry('b'), anEntry('c')))).toBe(2)
        expect((await store.snapshot()).revision).toBe(2)
      })

      test('have no gaps and come in the order of commits, however many commit at once', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 300 }, (_, index) => store.commit(creating(anEntry(`e${index % 200}`)))),
        )
        const revisions = outcomes.filter((outcome) => outcome.ok).map(({ revision }) => revision)
        expect(revisions).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
        const log = await store.changesSince(0)
        expect(log?.map(({ revision }) => revision)).toEqual(revisions)
      })

      test('go on after the store was opened again', async () => {
        await committed(creating(anEntry('a')))
        const { epoch } = store
        store = await under.reopen(store)
        expect(store.epoch).toBe(epoch)
        expect(await committed(creating(anEntry('b')))).toBe(2)
        expect((await store.changesSince(0))?.length).toBe(2)
      })
    })

    describe('a transaction', () => {
      test('is made whole or not at all', async () => {
        const outcome = await store.commit({
          mutations: [
            { kind: 'entry.create', entry: anEntry('a') },
            { kind: 'agent.put', agent: anAgent('1') },
            { kind: 'token.create', token: aToken('t') },
            { kind: 'bundle.put', bundle: aBundle('other.org', 1) },
            { kind: 'authority.put', row: anAuthority('x') },
            { kind: 'entry.delete', id: 'missing' },
          ],
          audit: [anEvent('entry.created')],
        })
        expect(outcome).toMatchObject({ ok: false, index: 5, reason: 'missing' })
        const { entries, agents, bundles, authorities, revision } = await store.snapshot()
        expect([entries, agents, bundles, authorities, revision]).toEqual([[], [], [], [], 0])
        expect(await store.token('t')).toBeUndefined()
        expect(store.auditHead().sequence).toBe(0)
      })

      test('sees what it did before', async () => {
        await committed(
          doing(
            { kind: 'entry.create', entry: anEntry('a') },
            { kind: 'entry.update', entry: anEntry('a', { hint: 'new', revisionNumber: 1 }) },
            { kind: 'entry.delete', id: 'a' },
            { kind: 'entry.create', entry: anEntry('a') },
          ),
        )
        expect((await store.changesSince(0))?.[0]?.changes.length).toBe(4)
      })

      test('that is refused leaves the others of its call alone', async () => {
        const outcomes = await store.commitAll([creating(anEntry('a')), creating(anEntry('a')), creating(anEntry('b'))])
        expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true])
        expect(await store.commitAll([])).toEqual([])
      })
    })

    describe('entries', () => {
      test('come back as they were given', async () => {
        const entries = [anEntry('plain'), aFullEntry('full')]
        await committed(creating(...entries))
        store = await under.reopen(store)
        const read = (await store.snapshot()).entries.toSorted((a, b) => (a.id < b.id ? 1 : -1))
        expect(plain(read)).toEqual(plain(entries))
      })

      test('are refused when the id or a similar entry exists, with that entry', async () => {
        const first = aFullEntry('a')
        await committed(creating(first))
        const sameId = await store.commit(creating(anEntry('a', { spiffeId: anId('/other') })))
        const turned = aFullEntry('b').selectors.toReversed()
        const similar = await store.commit(creating({ ...first, id: 'b', selectors: turned, hint: 'other' }))
        for (const outcome of [sameId, similar]) {
          expect(plain(outcome)).toEqual(plain({ ok: false, index: 0, reason: 'exists', existingEntry: first }))
        }
        await committed(creating({ ...first, id: 'c', selectors: first.selectors.slice(1) }))
        await committed(creating({ ...first, id: 'd', parentId: anId('/node/2') }))
      })

      test('are updated only by who has read the last one', async () => {
        await committed(creating(anEntry('a')))
        const update = (id: string, revisionNumber: number, hint = '') =>
          store.commit(doing({ kind: 'entry.update', entry: anEntry(id, { revisionNumber, hint }) }))
        expect(await update('a', 1, 'one')).toMatchObject({ ok: true })
        expect(await update('a', 1, 'two')).toMatchObject({ reason: 'stale', existingEntry: { hint: 'one' } })
        expect(await update('a', 3)).toMatchObject({ reason: 'stale' })
        expect(await update('b', 1)).toMatchObject({ reason: 'missing' })
        expect((await store.snapshot()).entries[0]).toMatchObject({ hint: 'one', revisionNumber: 1 })
      })

      test('may not be made similar to another, and leave their place free', async () => {
        await committed(creating(anEntry('a'), anEntry('b')))
        const asB = anEntry('a', { spiffeId: anId('/workload/b'), revisionNumber: 1 })
        const refused = await store.commit(doing({ kind: 'entry.update', entry: asB }))
        expect(refused).toMatchObject({ reason: 'exists', existingEntry: { id: 'b' } })
        await committed(doing({ kind: 'entry.update', entry: { ...asB, spiffeId: anId('/workload/c') } }))
        await committed(creating(anEntry('d', { spiffeId: anId('/workload/a') })))
        await committed(doing({ kind: 'entry.delete', id: 'b' }))
        await committed(creating(anEntry('e', { spiffeId: anId('/workload/b') })))
      })
    })

    describe('agents', () => {
      const put = (agent: AttestedAgent) => store.commit(doing({ kind: 'agent.put', agent }))

      test('come back as they were given', async () => {
        const agents = [
          anAgent('1'),
          anAgent('2', {
            pendingSerialNumber: '77',
            pendingExpiresAt: anInstant(9),
            banned: true,
            canReattest: true,
            serialNumber: '',
            selectors: [],
            keyHashes: ['a', 'b'],
          }),
        ]
        for (const agent of agents) expect((await put(agent)).ok).toBe(true)
        store = await under.reopen(store)
        expect(plain((await store.snapshot()).agents)).toEqual(plain(agents))
      })

      test('are replaced only by who has read the last one', async () => {
        expect(await put(anAgent('1', { revisionNumber: 1 }))).toMatchObject({ reason: 'missing' })
        expect(await put(anAgent('1'))).toMatchObject({ ok: true })
        expect(await put(anAgent('1'))).toMatchObject({ reason: 'exists' })
        expect(await put(anAgent('1', { revisionNumber: 1, banned: true }))).toMatchObject({ ok: true })
        expect(await put(anAgent('1', { revisionNumber: 1 }))).toMatchObject({ reason: 'stale' })
        expect(await put(anAgent('1', { revisionNumber: 3 }))).toMatchObject({ reason: 'stale' })
        expect((await store.snapshot()).agents).toMatchObject([{ banned: true }])
      })

      test('are gone when deleted', async () => {
        const deletion = doing({ kind: 'agent.delete', spiffeId: anAgent('1').spiffeId })
        await put(anAgent('1'))
        await committed(deletion)
        expect(await store.commit(deletion)).toMatchObject({ reason: 'missing' })
        expect((await put(anAgent('1'))).ok).toBe(true)
      })
    })

    describe('join tokens', () => {
      const spend = (hash: string, at: Date, address = '10.0.0.1') =>
        store.commit(doing({ kind: 'token.spend', hash, at, address }))

      test('come back as they were given', async () => {
        const token = aToken('t', { aliasId: anId('/node/web'), addressRange: '10.0.0.0/8' })
        await committed(doing({ kind: 'token.create', token }))
        expect(plain(await store.token('t'))).toEqual(plain(token))
        expect(await store.token('u')).toBeUndefined()
      })

      test('SE-13 are spent once, before they expire; a second use names the first', async () => {
        await committed(
          doing({ kind: 'token.create', token: aToken('t') }, { kind: 'token.create', token: aToken('u') }),
        )
        expect(await spend('missing', anInstant(1))).toMatchObject({ reason: 'missing' })
        expect(await spend('t', anInstant(599))).toMatchObject({ ok: true })
        expect(plain(await spend('t', anInstant(2), '10.9.9.9'))).toMatchObject({
          reason: 'spent',
          existingToken: { spent: { at: anInstant(599).toISOString(), address: '10.0.0.1' } },
        })
        expect(await spend('u', anInstant(600))).toMatchObject({ reason: 'expired' })
      })

      test('SE-13 of 10,000 simultaneous pairs of uses, exactly one of each succeeds', async () => {
        const hashes = Array.from({ length: 10_000 }, (_, index) => `token-${index}`)
        await store.commitAll(hashes.map((hash) => doing({ kind: 'token.create', token: aToken(hash) })))
        const uses = (address: string) =>
          store.commitAll(hashes.map((hash) => doing({ kind: 'token.spend', hash, at: anInstant(1), address })))
        const [ones, others] = await Promise.all([uses('10.0.0.1'), uses('10.0.0.2')])
        const successes = hashes.map((_, index) => Number(ones[index]?.ok) + Number(others[index]?.ok))
        expect(new Set(successes)).toEqual(new Set([1]))
      })

      test('are pruned when they have expired', async () => {
        const tokens = [aToken('t'), aToken('u', { expiresAt: anInstant(601) })]
        for (const token of tokens) await committed(doing({ kind: 'token.create', token }))
        await committed(doing({ kind: 'token.prune', expiredBefore: anInstant(601) }))
        expect(await store.token('t')).toBeUndefined()
        expect(await store.token('u')).toBeDefined()
        expect((await store.changesSince(2))?.[0]?.changes).toEqual([{ kind: 'token', hash: 't' }])
        expect(await store.commit(doing({ kind: 'token.create', token: aToken('u') }))).toMatchObject({
          reason: 'exists',
        })
      })
    })

    describe('bundles', () => {
      test('come back as they were given, certificates and keys too', async () => {
        const authority = await TestAuthority.create()
        const bundle = aBundle('example.org', 3, {
          x509Authorities: [{ certificate: authority.certificate, tainted: true }],
          witAuthorities: aBundle('example.org', 4).jwtAuthorities,
        })
        await committed(doing({ kind: 'bundle.put', bundle }))
        store = await under.reopen(store)
        const [read] = (await store.snapshot()).bundles
        expect(read?.x509Authorities[0]?.certificate.der).toEqual(authority.certificate.der)
        expect(read?.x509Authorities[0]?.tainted).toBe(true)
        expect(plain({ ...read, x509Authorities: [] })).toEqual(plain({ ...bundle, x509Authorities: [] }))
      })

      test('are replaced only over the sequence that was read, where one is given', async () => {
        const put = (sequenceNumber: number, ifSequence?: number) =>
          store.commit(doing({ kind: 'bundle.put', bundle: aBundle('other.org', sequenceNumber), ifSequence }))
        expect(await put(1, 1)).toMatchObject({ reason: 'stale' })
        expect(await put(1, 0)).toMatchObject({ ok: true })
        expect(await put(2, 0)).toMatchObject({ reason: 'stale' })
        expect(await put(2, 1)).toMatchObject({ ok: true })
        expect(await put(7)).toMatchObject({ ok: true })
        const deletion = doing({ kind: 'bundle.delete', trustDomain: 'other.org' })
        await committed(deletion)
        expect(await store.commit(deletion)).toMatchObject({ reason: 'missing' })
      })
    })

    describe('authorities', () => {
      test('come back as they were given, apart by server and kind', async () => {
        const rows = [
          anAuthority('a', { kind: 'jwt', state: 'active', tainted: true, publishedRevision: 7 }),
          anAuthority('a', { kind: 'wit', state: 'published' }),
          anAuthority('a'),
          anAuthority('a', { serverId: 'server-2' }),
        ]
        for (const row of rows) await committed(doing({ kind: 'authority.put', row }))
        store = await under.reopen(store)
        expect(plain((await store.snapshot()).authorities)).toEqual(plain(rows))
      })

      test('leave the journal as removed', async () => {
        await committed(doing({ kind: 'authority.put', row: anAuthority('a') }))
        await committed(doing({ kind: 'authority.put', row: anAuthority('a', { state: 'old' }) }))
        const key = { serverId: 'server-1', authorityKind: 'x509', authorityId: 'a' } as const
        await committed(doing({ kind: 'authority.delete', ...key }))
        expect(await store.commit(doing({ kind: 'authority.delete', ...key }))).toMatchObject({ reason: 'missing' })
        expect((await store.changesSince(2))?.[0]?.changes).toMatchObject([{ row: { state: 'removed' } }])
      })
    })

    describe('watch()', () => {
      test('gives every revision once, in order, whether committed before or after it began', async () => {
        for (const id of ['a', 'b']) await committed(creating(anEntry(id)))
        const stop = new AbortController()
        const seen: Revision[] = []
        for await (const revisions of store.watch(0, stop.signal)) {
          seen.push(...revisions)
          if (seen.length === 2) {
            await Promise.all(['c', 'd', 'e'].map((id) => store.commit(creating(anEntry(id)))))
          }
          if (seen.length === 5) stop.abort()
        }
        expect(seen.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5])
      })

      test('tells old and new values', async () => {
        await committed(creating(anEntry('a')))
        await committed(doing({ kind: 'entry.update', entry: anEntry('a', { revisionNumber: 1, hint: 'new' }) }))
        await committed(doing({ kind: 'entry.delete', id: 'a' }))
        await committed(doing({ kind: 'agent.put', agent: anAgent('1') }))
        await committed(doing({ kind: 'agent.delete', spiffeId: anAgent('1').spiffeId }))
        const live = (await store.changesSince(0)) ?? []
        store = await under.reopen(store)
        const logged = (await store.changesSince(0)) ?? []
        expect(plain(logged)).toEqual(plain(live))
        expect(live.map(({ changes: [change] }) => change)).toMatchObject([
          { kind: 'entry', before: undefined, after: { hint: '' } },
          { before: { hint: '' }, after: { hint: 'new' } },
          { before: { hint: 'new' }, after: undefined },
          { kind: 'agent', before: undefined, after: { banned: false } },
          { kind: 'agent', before: { banned: false }, after: undefined },
        ])
      })

      test('is told before the commit is answered', async () => {
        const stop = new AbortController()
        const order: string[] = []
        const watching = (async () => {
          for await (const _ of store.watch(0, stop.signal)) order.push('watched')
        })()
        await store.commit(creating(anEntry('a')))
        await Promise.resolve()
        order.push('answered')
        stop.abort()
        await watching
        expect(order[0]).toBe('watched')
      })

      test('ends when told to, and when the store is closed', async () => {
        const count = async (signal: AbortSignal): Promise<number> => {
          let portions = 0
          for await (const _ of store.watch(0, signal)) portions++
          return portions
        }
        expect(await count(AbortSignal.abort())).toBe(0)
        const open = count(new AbortController().signal)
        await store[Symbol.asyncDispose]()
        expect(await open).toBe(0)
      })

      test('refuses a place in the log that is not kept, or not yet there', async () => {
        await committed(creating(anEntry('a')))
        now = anInstant(100)
        await committed(creating(anEntry('b')))
        store = await under.reopen(store)
        await store.prune({ logBefore: anInstant(50), auditBefore: anInstant(0) })
        expect(await store.changesSince(0)).toBeUndefined()
        expect((await store.changesSince(1))?.length).toBe(1)
        expect(await store.changesSince(2)).toEqual([])
        expect(await store.changesSince(3)).toBeUndefined()
        for (const after of [0, 3]) {
          const next = store.watch(after, new AbortController().signal)[Symbol.asyncIterator]().next()
          await expect(next).rejects.toThrowCode('STORE_LOG_PRUNED')
        }
      })
    })

    describe('the audit journal', () => {
      const read = async (query = {}) => await Array.fromAsync(store.audit(query))

      test('holds what was committed, in order, with canonical facts', async () => {
        await committed({
          mutations: [{ kind: 'entry.create', entry: anEntry('a') }],
          audit: [anEvent('one', { b: 1, a: ['x'] })],
        })
        await committed(
          recording(anEvent('two', { gone: undefined, spiffeId: 's', serialNumber: '7' }), anEvent('three')),
        )
        const records = await read()
        expect(records.map(({ sequence, type, facts }) => [sequence, type, facts])).toEqual([
          [1, 'one', '{"a":["x"],"b":1}'],
          [2, 'two', '{"serialNumber":"7","spiffeId":"s"}'],
          [3, 'three', '{}'],
        ])
        expect(records[0]?.at).toEqual(anInstant(5))
        expect(store.auditHead()).toEqual({ sequence: 3, hash: records[2]?.linkHash })
      })

      test('is asked by sequence, number, type, id, serial and time', async () => {
        await store.commitAll(
          Array.from({ length: 6 }, (_, index) =>
            recording(
              anEvent(
                index % 2 ? 'odd' : 'even',
                { spiffeId: `s${index}`, serialNumber: `n${index}` },
                anInstant(index),
              ),
            ),
          ),
        )
        const sequences = async (query: object) => (await read(query)).map(({ sequence }) => sequence)
        expect(await sequences({ afterSequence: 2, limit: 2 })).toEqual([3, 4])
        expect(await sequences({ type: 'odd' })).toEqual([2, 4, 6])
        expect(await sequences({ spiffeId: 's3' })).toEqual([4])
        expect(await sequences({ serialNumber: 'n0', type: 'even' })).toEqual([1])
        expect(await sequences({ since: anInstant(2), until: anInstant(3) })).toEqual([3, 4])
        expect(await sequences({ limit: 0 })).toEqual([])
        expect(await sequences({ newest: true, limit: 2 })).toEqual([5, 6])
        expect(await sequences({ newest: true, limit: 2, type: 'odd' })).toEqual([4, 6])
        expect(await sequences({ newest: true, limit: 5, spiffeId: 's3' })).toEqual([4])
        expect(await sequences({ newest: true, limit: 9, afterSequence: 4 })).toEqual([5, 6])
        expect(await sequences({ newest: true })).toEqual([1, 2, 3, 4, 5, 6])
      })

      test('SE-22 is a chain that goes on after pruning and opening again', async () => {
        for (let index = 0; index < 6; index++) {
          await committed(recording(anEvent('a', {}, anInstant(index)), anEvent('b', {}, anInstant(index))))
        }
        await store.prune({ logBefore: anInstant(0), auditBefore: anInstant(3) })
        const start = await store.auditStart()
        expect(start.sequence).toBe(6)
        store = await under.reopen(store)
        await committed(recording(anEvent('c', {}, anInstant(9))))
        expect((await read()).map(({ sequence }) => sequence)).toEqual([7, 8, 9, 10, 11, 12, 13])
        expect(await verifyAudit(store, [])).toMatchObject({ problems: [], start, records: 7, links: 4 })
        await store.prune({ logBefore: anInstant(0), auditBefore: anInstant(100) })
        expect(await verifyAudit(store, [])).toMatchObject({ problems: [], records: 0, start: { sequence: 13 } })
      })
    })

    test('gives memory back between changes, and loses nothing', async () => {
      const entries = Array.from({ length: 20 }, (_unused, index) => anEntry(`e${index}`))
      const changes = entries.map((entry) => committed(creating(entry)))
      await Promise.all([store.releaseMemory(), ...changes, store.releaseMemory()])
      await committed(creating(anEntry('last')))
      expect((await store.snapshot()).entries).toHaveLength(21)
      expect(await store.changesSince(20)).toHaveLength(1)
    })

    test('refuses everything when it is closed', async () => {
      await store[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await expect(store.commit(creating(anEntry('a')))).rejects.toThrowCode('STORE_CLOSED')
      await expect(store.snapshot()).rejects.toThrowCode('STORE_CLOSED')
      await expect(store.token('t')).rejects.toThrowCode('STORE_CLOSED')
      await expect(store.releaseMemory()).rejects.toThrowCode('STORE_CLOSED')
    })
  })
}
