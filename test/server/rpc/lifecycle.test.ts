import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lifecycleUpkeep } from '../../../server/lifecycle/upkeep.ts'
import { applyFastLane, type FastLaneEntry } from '../../../src/policy/fast-lane.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../../src/policy/lifecycle.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import type { Call } from '../../../src/wire/call.ts'
import type {
  AddQuarantineRequest,
  RequestGrantRequest,
  StartBreakGlassRequest,
} from '../../../src/wire/messages/sallyport-server-v1.ts'
import { silentLog } from '../../../src/log/log.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anId, creating, doing } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from '../policy/shop-policy.ts'
import { testServer, type TestServer } from './test-server.ts'

const id = (path: string): string => anId(path).toString()
/** Waits for what a loop does by itself. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000 && !(await condition()); turn += 1) await settled()
}

const groups = { 'data-owners': ['uid:1', 'uid:2'], commanders: ['uid:1', 'uid:2', 'uid:3'] }

describe('Lifecycle', () => {
  let server: TestServer
  const as = (uid: number): Call => server.callBy({ kind: 'local', uid, pid: 1 })

  beforeEach(async () => {
    server = await testServer({ groups })
    await commit(...shopEntries)
    await server.policies.apply({ source: shopPolicy(), dryRun: false, acceptLoss: false, note: '' }, as(0))
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const commit = (...entries: readonly RegistrationEntry[]) => server.commit(creating(...entries))
  const fastLane = async (): Promise<FastLaneEntry[]> =>
    (await server.store.fastLane(0, 99)).map(({ content }) => JSON.parse(content) as FastLaneEntry)
  const kinds = async (): Promise<string[]> => (await fastLane()).map(({ kind }) => kind)
  /** What an agent that heard every entry holds. */
  const heard = async (): Promise<Lifecycle> =>
    (await fastLane()).reduce<Lifecycle>((lifecycle, entry) => applyFastLane(lifecycle, entry), NO_LIFECYCLE)
  const audited = async (type: string): Promise<number> =>
    (await server.audit()).filter((record) => record.type === type).length
  /** Applies the policy of the shop with one passage changed. */
  const applied = async (before: string, after: string): Promise<void> => {
    const source = shopPolicy().replace(before, after)
    expect(source).not.toBe(shopPolicy())
    await server.policies.apply({ source, dryRun: false, acceptLoss: true, note: '' }, as(0))
  }
  const refusalOf = (path: string, agent?: string) =>
    server.gate.refusal(anId(path), agent === undefined ? undefined : anId(agent))

  describe('quarantine', () => {
    const add = (fields: Partial<AddQuarantineRequest>) =>
      server.lifecycle.addQuarantine({ forensics: [], reason: 'stolen key', ...fields }, as(0))
    const remove = (target: string) => server.lifecycle.removeQuarantine({ id: target, reason: 'clean' }, as(0))

    test('ZO-03: of an identity stops its issuance, stands in the fast lane and ends by command', async () => {
      const { id: name } = await add({ identity: id('/web/store') })
      expect(refusalOf('/web/store')).toMatchObject({ code: 'ISSUANCE_REFUSED' })
      expect(refusalOf('/shop/orders')).toBeUndefined()
      expect((await heard()).quarantines).toEqual([
        {
          ...{ id: name, target: { identity: id('/web/store') }, forensics: [], reason: 'stolen key' },
          since: expect.any(Number),
        },
      ])
      await expect(add({ identity: id('/web/store') })).rejects.toThrowCode('LIFECYCLE_REFUSED', name ?? '')
      await remove(id('/web/store'))
      expect(refusalOf('/web/store')).toBeUndefined()
      expect((await heard()).quarantines).toEqual([])
      expect(await kinds()).toEqual(['quarantine.add', 'quarantine.remove'])
      expect([await audited('quarantine.added'), await audited('quarantine.removed')]).toEqual([1, 1])
      await expect(remove('q-none')).rejects.toMatchObject({
        code: 'LIFECYCLE_NOT_FOUND',
        hint: expect.stringContaining('`sallyport quarantine list`'),
      })
    })

    test('ZO-03: of one entry covers its id, of a zone whoever is in it now', async () => {
      await add({ entryId: 'store' })
      expect(refusalOf('/web/store')?.code).toBe('ISSUANCE_REFUSED')
      await add({ zone: 'data' })
      expect(refusalOf('/data/pg')?.code).toBe('ISSUANCE_REFUSED')
      await commit(shopEntry('new', '/data/later'))
      expect(refusalOf('/data/later')?.code).toBe('ISSUANCE_REFUSED')
      await expect(add({ zone: 'nowhere' })).rejects.toThrowCode('LIFECYCLE_NOT_FOUND', 'nowhere')
      await expect(add({ entryId: 'none' })).rejects.toMatchObject({
        code: 'LIFECYCLE_NOT_FOUND',
        hint: expect.stringContaining('`sallyport entry list`'),
      })
    })

    test('of a node lists every id that was issued to it, those of entries that are gone too', async () => {
      await server.store.commit({
        mutations: [],
        audit: [
          {
            ...{ type: 'x509-svid.issued', at: server.clock.now() },
            facts: { spiffeId: id('/web/gone'), agentId: id('/spire/agent/1') },
          },
          {
            ...{ type: 'x509-svid.issued', at: server.clock.now() },
            facts: { spiffeId: id('/web/elsewhere'), agentId: id('/spire/agent/2') },
          },
          ...(['jwt', 'wit'] as const).map((kind) => ({
            ...{ type: `${kind}-svid.issued`, at: server.clock.now() },
            facts: { spiffeId: id(`/web/${kind}-only`), agentId: id('/spire/agent/1') },
          })),
        ],
      })
      await add({ node: id('/spire/agent/1') })
      const [quarantine] = (await heard()).quarantines
      const entries = ['/data/pg', '/ops/alice', '/ops/bob', '/shop/orders']
      const paths = [...entries, '/web/gone', '/web/jwt-only', '/web/store', '/web/wit-only']
      expect(quarantine?.target).toEqual({ node: id('/spire/agent/1'), identities: paths.map(id) })
      expect(refusalOf('/web/unheard-of', '/spire/agent/1')?.code).toBe('ISSUANCE_REFUSED')
      expect(refusalOf('/web/unheard-of', '/spire/agent/2')).toBeUndefined()
    })

    test('needs a reason, and conduits that exist', async () => {
      await expect(add({ identity: id('/web/store'), reason: ' ' })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'reason')
      await expect(add({ identity: id('/web/store'), forensics: ['x'] })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'x')
      await add({ identity: id('/web/store'), forensics: ['web-to-shop'] })
      expect((await heard()).quarantines[0]?.forensics).toEqual(['web-to-shop'])
    })
  })

  describe('offboarding', () => {
    const offboard = (target: object) => server.lifecycle.offboard({ reason: 'retired', ...target }, as(0))
    const reinstate = (target: object) => server.lifecycle.reinstate({ reason: 'mistake', ...target }, as(0))

    test('of an identity stops its issuance until it is reinstated', async () => {
      await offboard({ spiffeId: id('/web/store') })
      expect(refusalOf('/web/store')?.code).toBe('ISSUANCE_REFUSED')
      await reinstate({ spiffeId: id('/web/store') })
      expect(refusalOf('/web/store')).toBeUndefined()
      await offboard({ spiffeId: id('/web/store') })
      expect(await kinds()).toEqual(['offboard', 'reinstate', 'offboard'])
    })

    test('ZO-03: an id is offboarded when all of its entries are, and no longer when one is back', async () => {
      await commit(shopEntry('store-2', '/web/store', { parentId: anId('/spire/agent/2') }))
      expect(await offboard({ entryId: 'store' })).toMatchObject({ complete: false })
      expect(refusalOf('/web/store')).toBeUndefined()
      expect(await offboard({ entryId: 'store-2' })).toMatchObject({ complete: true })
      expect((await heard()).offboarded).toEqual([id('/web/store')])
      await reinstate({ entryId: 'store' })
      expect((await heard()).offboarded).toEqual([])
      expect(refusalOf('/web/store')).toBeUndefined()
    })

    test('ZO-03: a new entry brings an id back, and the end of the last one in service takes it out', async () => {
      const stop = new AbortController()
      const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
      await offboard({ entryId: 'store' })
      await commit(shopEntry('store-2', '/web/store', { parentId: anId('/spire/agent/2') }))
      await eventually(async () => (await kinds()).length === 2)
      expect((await heard()).offboarded).toEqual([])
      await server.store.commit(doing({ kind: 'entry.delete', id: 'store-2' }))
      await eventually(async () => (await kinds()).length === 3)
      expect((await heard()).offboarded).toEqual([id('/web/store')])
      stop.abort()
      await running
    })

    test('case 37: an id whose offboarded entry is deleted stays offboarded: its SVID may be valid still', async () => {
      const stop = new AbortController()
      const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
      await settled()
      await offboard({ entryId: 'store' })
      await server.store.commit(doing({ kind: 'entry.delete', id: 'store' }))
      for (let turn = 0; turn < 50; turn += 1) await settled()
      expect(await kinds()).toEqual(['offboard'])
      expect(refusalOf('/web/store')?.code).toBe('ISSUANCE_REFUSED')
      await commit(shopEntry('store-2', '/web/store'))
      await eventually(async () => (await kinds()).length === 2)
      expect((await heard()).offboarded).toEqual([])
      stop.abort()
      await running
    })

    test('ZO-03: entries that went just before the server was killed are seen at its next start', async () => {
      await commit(shopEntry('store-2', '/web/store', { parentId: anId('/spire/agent/2') }))
      await offboard({ entryId: 'store' })
      await server.commit(doing({ kind: 'entry.delete', id: 'store-2' }))
      expect(await kinds()).toEqual([])
      const stop = new AbortController()
      const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
      await eventually(async () => (await kinds()).length === 1)
      expect((await heard()).offboarded).toEqual([id('/web/store')])
      stop.abort()
      await running
    })
  })

  describe('grants', () => {
    const request = (fields: Partial<RequestGrantRequest> = {}, uid = 7) =>
      server.lifecycle.requestGrant(
        {
          ...{ template: 'oncall-db', subject: id('/ops/alice'), durationSeconds: 600, reason: 'slow', ticket: 'T-1' },
          ...fields,
        },
        as(uid),
      )
    const approve = (name: string | undefined, uid: number) =>
      server.lifecycle.approveGrant({ id: name ?? '' }, as(uid))

    test('ZO-60: is live once somebody else of the named group approves, for as long as was asked', async () => {
      const { id: name, state } = await request()
      expect([state, await kinds()]).toEqual(['pending', []])
      await expect(approve(name, 7)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'whoever asked')
      await expect(approve(name, 9)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'not in group:data-owners')
      expect(await approve(name, 1)).toMatchObject({ state: 'live', approvers: ['local:uid:1'] })
      const now = server.clock.now().getTime()
      expect((await heard()).grants).toEqual([
        {
          ...{ id: name, template: 'oncall-db', subject: id('/ops/alice'), from: now, until: now + 600_000 },
          movement: {
            from: { zone: 'ops' },
            to: { zone: 'data', identities: ['/data/pg'] },
            allow: [{ protocol: 'tcp', ports: [5432] }],
          },
          ...{ access: { to: 'db', actions: ['connect'] }, requester: 'local:uid:7', approvers: ['local:uid:1'] },
        },
      ])
      await expect(approve(name, 2)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'does not wait')
    })

    test('case 65: is refused beyond the template, for another subject, without what it requires', async () => {
      await expect(request({ durationSeconds: 7201 })).rejects.toThrowCode('LIFECYCLE_REFUSED', '120 minutes at most')
      await expect(request({ durationSeconds: -1 })).rejects.toThrowCode('LIFECYCLE_REFUSED', '120 minutes')
      await expect(request({ ticket: '' })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'ticket')
      await expect(request({ reason: '' })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'reason')
      await expect(request({ subject: id('/web/store') })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'no subject')
      await expect(request({ subject: id('/ops/nobody') })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'not registered')
      await expect(request({ template: 'none' })).rejects.toThrowCode('LIFECYCLE_NOT_FOUND', 'none')
      expect(await kinds()).toEqual([])
    })

    test('does not overlap another one of the same subject, and there is no renewal', async () => {
      const { id: name } = await request()
      await expect(request()).rejects.toThrowCode('LIFECYCLE_REFUSED', name ?? '')
      await request({ subject: id('/ops/bob') })
      await approve(name, 1)
      await expect(request()).rejects.toThrowCode('LIFECYCLE_REFUSED', name ?? '')
      server.advance(600_000)
      expect((await request()).state).toBe('pending')
    })

    test('does not cross a hard guard, also one that came after the request', async () => {
      const { id: name } = await request()
      const guards =
        'guards:\n  - { id: g-ops, gate: movement, from: { identities: [ /ops/alice ] }, to: { sensitivity: restricted }, hard: true }\n'
      const source = shopPolicy({ more: guards })
      await server.policies.apply({ source, dryRun: false, acceptLoss: true, note: '' }, as(0))
      await expect(approve(name, 1)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'hard guard g-ops')
      expect((await request({ subject: id('/ops/bob') })).state).toBe('pending')
    })

    test.for([
      [
        'another service',
        'to: db, actions: [ connect ] }\n    maxDuration',
        'to: orders, actions: [ read ] }\n    maxDuration',
      ],
      ['fewer ports', 'ports: [5432] } ] }\n      access', 'ports: [5433] } ] }\n      access'],
      [
        'fewer identities',
        'to: { zone: data, identities: [ /data/pg ] }',
        'to: { zone: data, identities: [ /data/other ] }',
      ],
      ['other people', 'from: "group:data-owners", notSelf', 'from: "group:commanders", notSelf'],
    ] as const)('§3.9: what the template offers no longer cannot be approved: %s', async ([, before, after]) => {
      const { id: name } = await request()
      await applied(before, after)
      await expect(approve(name, 1)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'says something else')
      expect(await kinds()).toEqual([])
    })

    test('§3.9: a template that asks for one approval more gets it for what waits too', async () => {
      const { id: name } = await request()
      await applied('approvals: { count: 1', 'approvals: { count: 2')
      expect(await approve(name, 1)).toMatchObject({ state: 'pending', approvalsNeeded: 2 })
      expect(await approve(name, 2)).toMatchObject({ state: 'live' })
    })

    test('ends early by one command, which refuses one that waits', async () => {
      const { id: name } = await request()
      await approve(name, 1)
      const revoke = (one?: string) => server.lifecycle.revokeGrant({ id: one ?? '', reason: 'done' }, as(0))
      expect(await revoke(name)).toMatchObject({ state: 'revoked' })
      expect((await heard()).grants).toEqual([])
      await expect(revoke(name)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'ended already')
      const { id: waiting } = await request()
      expect(await revoke(waiting)).toMatchObject({ state: 'refused' })
      expect(await kinds()).toEqual(['grant.add', 'grant.end'])
      expect((await server.lifecycle.listGrants({ includeEnded: false }, as(0))).grants).toEqual([])
      expect((await server.lifecycle.listGrants({ includeEnded: true }, as(0))).grants).toHaveLength(2)
    })
  })

  describe('grants and sessions that nobody approves in time', () => {
    const HOUR_MS = 3_600_000
    const request = () =>
      server.lifecycle.requestGrant(
        { template: 'oncall-db', subject: id('/ops/alice'), durationSeconds: 600, reason: 'slow', ticket: 'T-1' },
        as(7),
      )
    const start = () =>
      server.lifecycle.startBreakGlass(
        { declaration: 'bg-shop', subjects: [id('/ops/alice')], durationSeconds: 0, reason: 'outage' },
        as(1),
      )
    const listed = async (includeEnded = true) => ({
      grants: (await server.lifecycle.listGrants({ includeEnded }, as(0))).grants ?? [],
      sessions: (await server.lifecycle.listBreakGlass({ includeEnded }, as(0))).sessions ?? [],
    })

    test('say until when they wait: a day and half an hour, where the configuration says nothing else', async () => {
      const now = server.clock.now().getTime()
      expect(await request()).toMatchObject({ state: 'pending', approveByMs: now + 24 * HOUR_MS })
      expect(await start()).toMatchObject({ state: 'pending', approveByMs: now + HOUR_MS / 2 })
    })

    test('lapse by the clock: at that instant nobody can approve them, before anything was written down', async () => {
      const [{ id: session = '' }, { id: grant = '' }] = [await start(), await request()]
      server.advance(HOUR_MS / 2 - 1)
      expect((await listed()).sessions).toMatchObject([{ state: 'pending' }])
      server.advance(1)
      await expect(server.lifecycle.approveBreakGlass({ id: session }, as(2))).rejects.toThrowCode(
        'LIFECYCLE_REFUSED',
        'it was to be approved by 2026-01-01T00:30:00.000Z',
      )
      expect(await listed()).toMatchObject({ sessions: [{ state: 'lapsed' }], grants: [{ state: 'pending' }] })
      server.advance(23.5 * HOUR_MS)
      await expect(server.lifecycle.approveGrant({ id: grant }, as(1))).rejects.toThrowCode(
        'LIFECYCLE_REFUSED',
        'it was to be approved by 2026-01-02T00:00:00.000Z',
      )
      expect(await listed(false)).toEqual({ grants: [], sessions: [] })
      expect(await kinds()).toEqual([])
    })

    test('one that is approved an instant before is live, for as long as was asked', async () => {
      const { id: grant = '' } = await request()
      server.advance(24 * HOUR_MS - 1)
      expect(await server.lifecycle.approveGrant({ id: grant }, as(1))).toMatchObject({ state: 'live', approveByMs: 0 })
      server.advance(600_000)
      expect((await listed()).grants).toMatchObject([{ state: 'ended' }])
    })

    test('stand in the journal once, by the server, and stay lapsed', async () => {
      await Promise.all([request(), start()])
      server.advance(24 * HOUR_MS)
      const stop = new AbortController()
      const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
      await eventually(async () => (await audited('grant.lapsed')) + (await audited('break-glass.lapsed')) === 2)
      for (let turn = 0; turn < 20; turn += 1) await settled()
      stop.abort()
      await running
      const [record] = (await server.audit()).filter(({ type }) => type === 'grant.lapsed')
      expect(JSON.parse(record?.facts ?? '')).toMatchObject({
        ...{ spiffeId: id('/ops/alice'), template: 'oncall-db', requester: 'local:uid:7' },
        approveBy: '2026-01-02T00:00:00.000Z',
      })
      expect([await audited('grant.lapsed'), await audited('break-glass.lapsed'), await kinds()]).toEqual([1, 1, []])
      expect(await listed()).toMatchObject({ sessions: [{ state: 'lapsed' }], grants: [{ state: 'lapsed' }] })
      const [grant] = (await listed()).grants
      await expect(server.lifecycle.revokeGrant({ id: grant?.id ?? '', reason: '' }, as(0))).rejects.toThrowCode(
        'LIFECYCLE_REFUSED',
        'ended already',
      )
    })

    test('leave the way free for another request', async () => {
      await request()
      await expect(request()).rejects.toThrowCode('LIFECYCLE_REFUSED', 'already')
      server.advance(24 * HOUR_MS)
      expect(await request()).toMatchObject({ state: 'pending' })
    })
  })

  describe('what a grant rests on', () => {
    let stop: AbortController
    let running: Promise<void>
    beforeEach(async () => {
      stop = new AbortController()
      const { signal } = stop
      // Time stands: only what changes is looked at.
      const sleep = () => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      const deps = { ...server.deps.lifecycle, clock: { ...server.clock, sleep } }
      running = lifecycleUpkeep({ ...deps, log: silentLog, retentionMs: 1e9 }, signal)
      await settled()
    })
    afterEach(async () => {
      stop.abort()
      await running
    })
    const granted = async (path = '/ops/alice'): Promise<string> => {
      const { id: name = '' } = await server.lifecycle.requestGrant(
        { template: 'oncall-db', subject: id(path), durationSeconds: 600, reason: 'slow', ticket: 'T-1' },
        as(7),
      )
      await server.lifecycle.approveGrant({ id: name }, as(1))
      return name
    }
    const entryOf = (path: string): RegistrationEntry => {
      const [entry] = server.directory.entriesWithSpiffeId(anId(path))
      if (entry === undefined) throw new Error(`${path} is not registered`)
      return entry
    }
    const change = async (path: string, fields: Partial<RegistrationEntry>): Promise<void> => {
      const entry = entryOf(path)
      const next = { ...entry, ...fields, revisionNumber: entry.revisionNumber + 1 }
      const outcome = await server.store.commit(doing({ kind: 'entry.update', entry: next }))
      if (!outcome.ok) throw new Error(outcome.reason)
    }
    const whyEnded = async () =>
      (await server.audit())
        .filter(({ type }) => type === 'grant.ended')
        .map(({ facts }) => (JSON.parse(facts) as { reason: string }).reason)

    test('§3.11: labels that move its subject elsewhere revoke it, with the reason in the journal', async () => {
      const [alice] = [await granted(), await granted('/ops/bob')]
      await change('/ops/alice', { labels: { pci: 'true' } })
      await eventually(async () => (await kinds()).includes('grant.end'))
      expect((await heard()).grants.map(({ subject }) => subject)).toEqual([id('/ops/bob')])
      expect(await whyEnded()).toEqual([`${id('/ops/alice')} is not where template oncall-db starts, in zone ops`])
      const { grants } = await server.lifecycle.listGrants({ includeEnded: true }, as(0))
      expect(grants?.find((one) => one.id === alice)).toMatchObject({ state: 'revoked', endedBy: 'server' })
      // It does not come back with the label.
      await change('/ops/alice', { labels: {} })
      for (let turn = 0; turn < 20; turn += 1) await settled()
      expect((await heard()).grants).toHaveLength(1)
    })

    test('§3.11: labels that change nothing about it leave it alone', async () => {
      await granted()
      await change('/ops/alice', { labels: { team: 'night' } })
      for (let turn = 0; turn < 20; turn += 1) await settled()
      expect([await kinds(), await whyEnded()]).toEqual([['grant.add'], []])
    })

    test('the end of the last entry of its subject revokes it', async () => {
      await granted()
      await server.store.commit(doing({ kind: 'entry.delete', id: entryOf('/ops/alice').id }))
      await eventually(async () => (await kinds()).includes('grant.end'))
      expect(await whyEnded()).toEqual([`${id('/ops/alice')} is not registered any more`])
    })

    test('a policy with a hard guard in between, or without the template, revokes it', async () => {
      await granted()
      const guards =
        'guards:\n  - { id: g-ops, gate: movement, from: { identities: [ /ops/alice ] }, to: { sensitivity: restricted }, hard: true }\n'
      const apply = (source: string) =>
        server.policies.apply({ source, dryRun: false, acceptLoss: true, note: '' }, as(0))
      await apply(shopPolicy({ more: guards }))
      await eventually(async () => (await kinds()).includes('grant.end'))
      expect(await whyEnded()).toEqual([`hard guard g-ops stands between ${id('/ops/alice')} and db`])
      await granted('/ops/bob')
      await apply(shopPolicy().replace(/id: oncall-db/, 'id: another'))
      await eventually(async () => (await whyEnded()).length === 2)
      expect((await whyEnded())[1]).toBe('the policy has no template oncall-db any more')
    })

    test('a template that offers less than it opens revokes it, one that offers more does not', async () => {
      await granted()
      await applied('ports: [5432] } ] }\n      access', 'ports: [5432, 5433] } ] }\n      access')
      for (let turn = 0; turn < 20; turn += 1) await settled()
      expect(await kinds()).toEqual(['grant.add'])
      await applied('ports: [5432] } ] }\n      access', 'ports: [5433] } ] }\n      access')
      await eventually(async () => (await kinds()).includes('grant.end'))
      expect(await whyEnded()).toEqual(['template oncall-db does not offer all of what it opens any more'])
    })

    test.for([
      ['a shorter time', 'maxDuration: 2h', 'maxDuration: 5m', 'template oncall-db allows 5 minutes at most now'],
      [
        'more approvals',
        'approvals: { count: 1',
        'approvals: { count: 2',
        'template oncall-db asks for 2 approvals now, and it has 1',
      ],
    ] as const)('a template that allows %s than it has revokes it, and the list says why', async (row) => {
      const [, before, after, why] = row
      const name = await granted()
      await applied(before, after)
      await eventually(async () => (await kinds()).includes('grant.end'))
      expect([(await heard()).grants, await whyEnded()]).toEqual([[], [why]])
      const { grants = [] } = await server.lifecycle.listGrants({ includeEnded: true }, as(0))
      const ended = { id: name, state: 'revoked', endedBy: 'server', endedReason: why }
      expect(grants).toEqual([expect.objectContaining(ended)])
    })

    test('a template that asks for what it has leaves it alone', async () => {
      await granted()
      await applied('maxDuration: 2h', 'maxDuration: 10m')
      for (let turn = 0; turn < 20; turn += 1) await settled()
      expect(await kinds()).toEqual(['grant.add'])
    })

    test.for([
      ['a shorter time', 'maxDuration: 60m', 'maxDuration: 30m', 'declaration bg-shop allows 30 minutes at most now'],
      [
        'more people',
        'commanders", approvals: 2',
        'commanders", approvals: 3',
        'declaration bg-shop asks for 3 people now, and it has 2',
      ],
    ] as const)('a declaration that allows %s than it has stops the session, and the list says why', async (row) => {
      const [, before, after, why] = row
      const order = { declaration: 'bg-shop', durationSeconds: 0, reason: 'outage', subjects: [id('/ops/alice')] }
      const { id: name = '' } = await server.lifecycle.startBreakGlass(order, as(1))
      await server.lifecycle.approveBreakGlass({ id: name }, as(2))
      await applied(before, after)
      await eventually(async () => (await kinds()).includes('breakGlass.end'))
      const { sessions = [] } = await server.lifecycle.listBreakGlass({ includeEnded: true }, as(0))
      const ended = { id: name, state: 'stopped', endedBy: 'server', endedReason: why }
      expect([(await heard()).breakGlass, sessions]).toEqual([[], [expect.objectContaining(ended)]])
    })

    test('a declaration that opens less stops the session, and lets none that waits be approved', async () => {
      const order = { declaration: 'bg-shop', durationSeconds: 0, reason: 'outage', subjects: [id('/ops/alice')] }
      const start = async () => (await server.lifecycle.startBreakGlass(order, as(1))).id ?? ''
      const [live, waiting] = [await start(), await start()]
      await server.lifecycle.approveBreakGlass({ id: live }, as(2))
      await applied('to: [ shop, data ], overrides', 'to: [ shop ], overrides')
      await eventually(async () => (await kinds()).includes('breakGlass.end'))
      expect((await heard()).breakGlass).toEqual([])
      await expect(server.lifecycle.approveBreakGlass({ id: waiting }, as(2))).rejects.toThrowCode(
        'LIFECYCLE_REFUSED',
        'opens less',
      )
    })

    test('a change of labels while it is approved is not missed', async () => {
      const { id: name = '' } = await server.lifecycle.requestGrant(
        { template: 'oncall-db', subject: id('/ops/alice'), durationSeconds: 600, reason: 'slow', ticket: 'T-1' },
        as(7),
      )
      // Either order will do: it is refused, or revoked.
      const approved = server.lifecycle.approveGrant({ id: name }, as(1)).catch(() => undefined)
      await Promise.all([change('/ops/alice', { labels: { pci: 'true' } }), approved])
      await eventually(async () => (await heard()).grants.length === 0)
      expect((await heard()).grants).toEqual([])
    })

    test('a session of which no subject is left where it starts is stopped', async () => {
      const order = { declaration: 'bg-shop', durationSeconds: 0, reason: 'outage' }
      const subjects = [id('/ops/alice'), id('/ops/bob')]
      const { id: name = '' } = await server.lifecycle.startBreakGlass({ ...order, subjects }, as(1))
      await server.lifecycle.approveBreakGlass({ id: name }, as(2))
      await change('/ops/alice', { labels: { pci: 'true' } })
      for (let turn = 0; turn < 20; turn += 1) await settled()
      expect(await kinds()).toEqual(['breakGlass.start'])
      await change('/ops/bob', { labels: { pci: 'true' } })
      await eventually(async () => (await kinds()).includes('breakGlass.end'))
      expect((await heard()).breakGlass).toEqual([])
      expect(await audited('break-glass.stopped')).toBe(1)
    })
  })

  describe('break-glass', () => {
    const start = (fields: Partial<StartBreakGlassRequest> = {}, uid = 1) =>
      server.lifecycle.startBreakGlass(
        {
          ...{ declaration: 'bg-shop', subjects: [id('/ops/alice')], durationSeconds: 0, reason: 'outage' },
          ...fields,
        },
        as(uid),
      )
    const approve = (name: string | undefined, uid: number) =>
      server.lifecycle.approveBreakGlass({ id: name ?? '' }, as(uid))

    test('SE-46: takes two different people of the declared group', async () => {
      await expect(start({}, 7)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'not in group:commanders')
      const { id: name, state } = await start()
      expect([state, await kinds()]).toEqual(['pending', []])
      await expect(approve(name, 1)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'another person')
      await expect(approve(name, 7)).rejects.toThrowCode('LIFECYCLE_REFUSED', 'not in group:commanders')
      expect(await approve(name, 2)).toMatchObject({ state: 'live', startedBy: ['local:uid:1', 'local:uid:2'] })
      const [session] = (await heard()).breakGlass
      expect(session).toMatchObject({ from: ['ops'], to: ['shop', 'data'], overrides: ['default-deny', 'rules'] })
      expect((session?.until ?? 0) - (session?.since ?? 0)).toBe(3_600_000)
    })

    test('ZO-60: names its subjects, who are in the zones that it starts from, for at most 60 minutes', async () => {
      await expect(start({ subjects: [] })).rejects.toThrowCode('LIFECYCLE_REFUSED', 'must name')
      await expect(start({ subjects: [id('/web/store')] })).rejects.toThrowCode(
        'LIFECYCLE_REFUSED',
        'none of the zones',
      )
      await expect(start({ durationSeconds: 3601 })).rejects.toThrowCode('LIFECYCLE_REFUSED', '60 minutes at most')
      await expect(start({ declaration: 'none' })).rejects.toThrowCode('LIFECYCLE_NOT_FOUND')
    })

    test('stops by command', async () => {
      const { id: name = '' } = await start()
      await approve(name, 2)
      expect(await server.lifecycle.stopBreakGlass({ id: name, reason: 'over' }, as(3))).toMatchObject({
        state: 'stopped',
      })
      expect((await heard()).breakGlass).toEqual([])
      expect(await audited('break-glass.stopped')).toBe(1)
    })
  })

  test('a revoked serial is normalised, and forgotten when its certificate has ended', async () => {
    const notAfter = new Date(server.clock.now().getTime() + 60_000).toISOString()
    await server.store.commit({
      mutations: [],
      audit: [
        {
          ...{ type: 'x509-svid.issued', at: server.clock.now() },
          facts: { spiffeId: id('/web/store'), serialNumber: '2748', notAfter },
        },
      ],
    })
    const revoke = (serialNumber: string) =>
      server.lifecycle.revokeSerial({ spiffeId: id('/web/store'), serialNumber, reason: 'leaked' }, as(0))
    await expect(revoke('xyz')).rejects.toThrowCode('LIFECYCLE_REFUSED', 'hex')
    expect(await revoke('0A:BC')).toMatchObject({ serialNumber: 'abc', expiresMs: Date.parse(notAfter) })
    expect((await heard()).revokedSerials).toEqual([{ spiffeId: id('/web/store'), serialNumber: 'abc' }])
    server.advance(60_000)
    const stop = new AbortController()
    const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
    await eventually(async () => (await kinds()).length === 2)
    stop.abort()
    await running
    expect((await heard()).revokedSerials).toEqual([])
  })

  test('the quarantine of an evicted node is proposed, and closes nothing before somebody adds it', async () => {
    const stop = new AbortController()
    const running = lifecycleUpkeep({ ...server.deps.lifecycle, log: silentLog, retentionMs: 1e9 }, stop.signal)
    await settled()
    const node = await server.addAgent('1')
    await server.store.commit(doing({ kind: 'agent.delete', spiffeId: node }))
    const list = async () => (await server.lifecycle.listQuarantines({ includeEnded: false }, as(0))).quarantines ?? []
    await eventually(async () => (await list()).length === 1)
    expect(await list()).toMatchObject([{ kind: 'node', target: node.toString(), proposed: true }])
    expect([await kinds(), refusalOf('/web/store')]).toEqual([[], undefined])
    await server.lifecycle.addQuarantine({ node: node.toString(), forensics: [], reason: 'evicted' }, as(0))
    expect(await list()).toMatchObject([{ proposed: false }])
    expect(refusalOf('/web/store')?.code).toBe('ISSUANCE_REFUSED')
    stop.abort()
    await running
  })

  test('SE-40: entries have no gap, each names the one before, and the snapshot says what all of them say', async () => {
    await Promise.all(
      ['/web/store', '/shop/orders', '/data/pg'].map((path) =>
        server.lifecycle.addQuarantine({ identity: id(path), forensics: [], reason: 'drill' }, as(0)),
      ),
    )
    await server.lifecycle.removeQuarantine({ id: id('/data/pg'), reason: '' }, as(0))
    const entries = await fastLane()
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
    expect(new Set(entries.map(({ previous }) => previous)).size).toBe(4)
    const { lifecycle, sequence } = await server.lifecycle.getLifecycle({}, as(0))
    const document = JSON.parse(Buffer.from(lifecycle?.content ?? []).toString()) as { lifecycle: Lifecycle }
    expect(sequence).toBe(4)
    expect(document.lifecycle).toEqual(await heard())
  })
})
