import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { healthHandlers } from '../../../server/rpc/health.ts'
import type { AuditRecord } from '../../../src/wire/messages/sallyport-server-v1.ts'
import type { Call } from '../../../src/wire/call.ts'
import { entryMessage, testServer, type TestServer } from './test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const EVERYTHING = {
  afterSequence: 0,
  limit: 0,
  type: '',
  spiffeId: '',
  serialNumber: '',
  since: 0,
  until: 0,
  follow: false,
  newest: false,
}

describe('Admin', () => {
  test('SE-12 the status lists entries that give rights beyond their own identity', async () => {
    const agentId = await server.addAgent('join_token/a')
    const entries = [entryMessage('/admin', agentId.path, { admin: true }), entryMessage('/web', agentId.path)]
    await server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())
    const status = await server.admin.getStatus({}, server.local())
    expect(status).toMatchObject({
      trustDomain: 'example.org',
      entries: 2,
      agents: 1,
      federatedBundles: 0,
      address: 'server.test:8081',
    })
    expect(status.privilegedEntries).toMatchObject([
      { spiffeId: 'spiffe://example.org/admin', admin: true, downstream: false },
    ])
    expect(status.authorities?.map(({ kind, state }) => [kind, state])).toEqual([
      ['x509', 'active'],
      ['jwt', 'active'],
    ])
    expect(status.revision).toBe(server.store.revision)
  })

  test('the journal can be listed, narrowed, followed and verified', async () => {
    const stop = new AbortController()
    const call: Call = { ...server.local(), signal: stop.signal }
    const followed: Partial<AuditRecord>[] = []
    const following = (async () => {
      for await (const record of server.admin.listAudit({ ...EVERYTHING, type: 'entry.created', follow: true }, call)) {
        followed.push(record as AuditRecord)
        if (followed.length === 2) stop.abort(new Error('enough'))
      }
    })()
    for (const path of ['/web', '/db']) {
      const entries = [entryMessage(path, '/spire/agent/join_token/a')]
      await server.entries.batchCreateEntry({ entries, outputMask: null }, server.local())
    }
    await expect(following).rejects.toThrow('enough')
    const spiffeIds = followed.map(({ facts = '{}' }) => (JSON.parse(facts) as { spiffeId: string }).spiffeId)
    expect(spiffeIds).toEqual(['spiffe://example.org/web', 'spiffe://example.org/db'])

    const [sequence, hash] = [followed[1]!.sequence!, Buffer.from(followed[1]!.hash!)]
    const verify = (checkpoint: Buffer) =>
      server.admin.verifyAudit({ checkpoints: [{ sequence, hash: checkpoint, heldBy: 'agent' }] }, server.local())
    expect(await verify(hash)).toMatchObject({ intact: true, lastSequence: sequence, problem: '' })
    expect(await verify(Buffer.alloc(32))).toMatchObject({
      intact: false,
      problem: expect.stringContaining('checkpoint'),
    })

    const limited = await Array.fromAsync(server.admin.listAudit({ ...EVERYTHING, limit: 1 }, server.local()))
    expect(limited).toHaveLength(1)
    const negative = Array.fromAsync(server.admin.listAudit({ ...EVERYTHING, limit: -1 }, server.local()))
    await expect(negative).rejects.toThrowCode('REQUEST_INVALID', 'limit')
  })
})

describe('Health', () => {
  test('an empty service name says SERVING once ready; a watch says every change; other names are unknown', async () => {
    let ready = false
    const health = healthHandlers({ isReady: () => ready, clock: server.clock }) as Required<
      ReturnType<typeof healthHandlers>
    >
    expect(await health.check({ service: '' }, server.local())).toEqual({ status: 'NOT_SERVING' })
    await expect(health.check({ service: 'x' }, server.local())).rejects.toThrowCode('SERVICE_UNKNOWN')
    const watch = health.watch({ service: '' }, server.local())[Symbol.asyncIterator]()
    expect((await watch.next()).value).toEqual({ status: 'NOT_SERVING' })
    ready = true
    expect((await watch.next()).value).toEqual({ status: 'SERVING' })
    expect(await health.list({}, server.local())).toEqual({ statuses: { '': { status: 'SERVING' } } })
  })
})
