import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { silentLog } from '../../../src/log/log.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import type { Mutation, Store, Transaction } from '../../../server/store/store.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { aFastLaneRow, aPolicyRow, aPolicyState, aQuarantineRow } from '../../fakes/policy-objects.ts'
import { plain } from '../../fakes/plain.ts'
import { aBundle, aToken, anAgent, anAuthority, anEntry, anEvent, anId, anInstant } from '../../fakes/store-objects.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))
afterAll(() => rmSync(folder, { recursive: true }))

// Few names and numbers, so that mutations meet.
const name = fc.constantFrom('a', 'b', 'c')
const small = fc.nat({ max: 3 })
const selectors = fc
  .uniqueArray(fc.constantFrom('unix:uid:1', 'unix:uid:2', 'docker:x:y'), { minLength: 1 })
  .map((texts) => texts.map(parseSelector))

const anyEntry = fc
  .record({ id: name, path: fc.constantFrom('/x', '/y'), selectors, revisionNumber: small, hint: fc.string() })
  .map(({ id, path, ...fields }) => anEntry(id, { spiffeId: anId(path), ...fields }))

const anyMutation: fc.Arbitrary<Mutation> = fc.oneof(
  anyEntry.map((entry): Mutation => ({ kind: 'entry.create', entry })),
  anyEntry.map((entry): Mutation => ({ kind: 'entry.update', entry })),
  name.map((id): Mutation => ({ kind: 'entry.delete', id })),
  fc
    .tuple(name, small)
    .map(([id, revisionNumber]): Mutation => ({ kind: 'agent.put', agent: anAgent(id, { revisionNumber }) })),
  name.map((id): Mutation => ({ kind: 'agent.delete', spiffeId: anAgent(id).spiffeId })),
  fc
    .tuple(name, small)
    .map(([hash, at]): Mutation => ({ kind: 'token.create', token: aToken(hash, { expiresAt: anInstant(at) }) })),
  fc
    .tuple(name, small)
    .map(([hash, at]): Mutation => ({ kind: 'token.spend', hash, at: anInstant(at), address: '10.0.0.1' })),
  small.map((at): Mutation => ({ kind: 'token.prune', expiredBefore: anInstant(at) })),
  fc.tuple(name, small, fc.option(small, { nil: undefined })).map(([id, sequence, ifSequence]): Mutation => ({
    kind: 'bundle.put',
    bundle: aBundle(`${id}.org`, sequence),
    ifSequence,
  })),
  name.map((id): Mutation => ({ kind: 'bundle.delete', trustDomain: `${id}.org` })),
  fc
    .tuple(name, fc.constantFrom('x509' as const, 'jwt' as const))
    .map(([id, kind]): Mutation => ({ kind: 'authority.put', row: anAuthority(id, { kind }) })),
  name.map((authorityId): Mutation => ({
    kind: 'authority.delete',
    serverId: 'server-1',
    authorityKind: 'x509',
    authorityId,
  })),
  small.map((n): Mutation => ({ kind: 'policy.put', row: aPolicyRow(n) })),
  small.map((n): Mutation => ({ kind: 'fastLane.append', row: aFastLaneRow(n) })),
  small.map((revisionNumber): Mutation => ({ kind: 'policyState.put', row: aPolicyState({ revisionNumber }) })),
  fc
    .tuple(name, small)
    .map(([id, revisionNumber]): Mutation => ({ kind: 'lifecycle.put', row: aQuarantineRow(id, { revisionNumber }) })),
  name.map((id): Mutation => ({ kind: 'lifecycle.delete', id })),
)

const anyTransaction: fc.Arbitrary<Transaction> = fc.record({
  mutations: fc.array(anyMutation, { maxLength: 4 }),
  audit: fc.array(
    fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())).map((facts) => anEvent('any', facts)),
    { maxLength: 2 },
  ),
})

const everything = async (store: Store) => {
  const snapshot = await store.snapshot()
  const entries = snapshot.entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const tokens = await Promise.all(['a', 'b', 'c'].map((hash) => store.token(hash)))
  const audit = (await Array.fromAsync(store.audit({}))).map(({ sequence, type, facts }) => ({ sequence, type, facts }))
  const policy = await store.policySnapshot()
  return plain({ ...snapshot, policy, entries, tokens, audit, log: await store.changesSince(0) })
}

test('memory and SQLite answer alike and hold the same after any sequence of transactions', async () => {
  let runs = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyTransaction, { minLength: 1, maxLength: 5 }), { maxLength: 8 }),
      async (calls) => {
        const path = join(folder, `${runs++}.db`)
        const now = () => anInstant(1)
        const memory = new MemoryStore({ clock: { now } })
        const open = () => openSqliteStore({ path, clock: { ...systemClock, now }, log: silentLog })
        const sqlite = await open()
        for (const transactions of calls) {
          const outcomes = await sqlite.commitAll(transactions)
          expect(plain(outcomes)).toEqual(plain(await memory.commitAll(transactions)))
        }
        expect(await everything(sqlite)).toEqual(await everything(memory))
        await sqlite[Symbol.asyncDispose]()
        await using again = await open()
        expect(await everything(again)).toEqual(await everything(memory))
      },
    ),
    { numRuns: 40 },
  )
})
