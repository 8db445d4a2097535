import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, chmodSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { adminAccess, prepareAdminFolder, prepareWorkloadFolder } from '../../../agent/rpc/admin-access.ts'
import { ownProcessesApi } from '../../../agent/rpc/admin.ts'
import { explain, nearestEntries } from '../../../agent/rpc/explain.ts'
import { healthApi } from '../../../agent/rpc/health.ts'
import { loggerApi } from '../../../agent/rpc/logger.ts'
import { processPeer } from '../../../agent/rpc/process-peer.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { silentLog } from '../../../src/log/log.ts'
import { openLog } from '../../../src/log/open-log.ts'
import type { Handlers, Implementation } from '../../../src/wire/implementation.ts'
import type { adminService, ExplainResponse } from '../../../src/wire/messages/sallyport-agent-v1.ts'
import type { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import type { loggerService } from '../../../src/wire/messages/spire-api-agent-logger-v1.ts'
import { fakeCall, unixConnection } from '../../fakes/fake-call.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld } from '../agent-world.ts'

const selectors = (...texts: string[]) => texts.map(parseSelector)
const handlersOf = <S>(implementation: Implementation) => implementation.handlers as unknown as Required<Handlers<S>>
const { peer } = unixConnection(1000)

const explaining = (world: AgentWorld, ...held: string[]) => ({
  entitlements: world.entitlements,
  x509Svids: world.x509Svids,
  status: world.status,
  policy: world.policy,
  attest: async () => selectors(...held),
})

describe('explain()', () => {
  test('names the entries that match, and when their SVIDs end', async () => {
    await using world = await AgentWorld.create()
    world.hold([anEntry('a')])
    await until(() => world.x509Svids.size === 1)
    const answer = await explain(peer, explaining(world, 'unix:uid:1000'), world.signal)
    expect(answer.matching.map(({ entryId }) => entryId)).toEqual(['a'])
    expect(answer.matching[0]!.svidExpiresAt).toBeGreaterThan(0)
    expect(answer.code).toBe('')
  })

  test('names the nearest entries, the selectors that differ, and what the process has instead', async () => {
    await using world = await AgentWorld.create()
    world.hold([
      anEntry('far', { selectors: selectors('unix:uid:7', 'unix:gid:7', 'unix:path:/x') }),
      anEntry('near', { selectors: selectors('unix:gid:5', 'unix:uid:7') }),
    ])
    const answer = await explain(peer, explaining(world, 'unix:uid:1000', 'unix:gid:5'), world.signal)
    expect(answer.code).toBe('NO_IDENTITY')
    expect(answer.nearest.map(({ entryId }) => entryId)).toEqual(['near', 'far'])
    expect(answer.nearest[0]).toMatchObject({ missingSelectors: ['unix:uid:7'], actualValues: ['unix:uid:1000'] })
    expect(answer.hint).toContain('unix:uid:7')
  })

  test('tells pending from denied', async () => {
    await using world = await AgentWorld.create()
    world.status.set('connecting', 'nobody listens there')
    const answer = await explain(peer, explaining(world), world.signal)
    expect(answer).toMatchObject({ code: 'IDENTITY_PENDING', hint: expect.stringContaining('nobody listens there') })
  })

  test('says which attestor could not answer', async () => {
    await using world = await AgentWorld.create()
    const attest = () => Promise.reject(new Error('/proc is hidden'))
    const answer = await explain(peer, { ...explaining(world), attest }, world.signal)
    expect(answer.warnings).toEqual(['/proc is hidden'])
  })

  test('never offers aliases of nodes as near', () => {
    const alias = anEntry('alias', { selectors: selectors('spiffe_id:spiffe://example.org/spire/agent/x') })
    expect(nearestEntries([alias], new Set())).toEqual([])
  })
})

describe('explain on the workload socket', () => {
  test('SE-05 answers for the caller’s own processes only', async () => {
    await using world = await AgentWorld.create()
    const { explain: ask } = handlersOf<typeof adminService>(ownProcessesApi(explaining(world)))
    const own = process.getuid!()
    const answer = (await ask({ pid: process.pid }, fakeCall('x', unixConnection(own)))) as ExplainResponse
    expect(answer.pid).toBe(process.pid)
    const refused = Promise.resolve(ask({ pid: process.pid }, fakeCall('x', unixConnection(own + 1))))
    await expect(refused).rejects.toThrowCode('CALL_REFUSED', 'another user')
  })

  test('a process that does not exist is named as such', () => {
    expect(() => processPeer(2 ** 22 + 5)).toThrowCode('REQUEST_INVALID', 'there is none')
  })

  test('reads the ids of a process', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(child, 'spawn')
    try {
      const found = processPeer(child.pid!)
      expect([found.uid, found.gid]).toEqual([process.getuid!(), process.getgid!()])
      expect(found.supplementaryGids.every((gid) => Number.isInteger(gid))).toBe(true)
      expect(found.isAlive()).toBe(true)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
})

describe('the admin socket', () => {
  test('SE-05 lets in the users that are named, and leaves a trace of each call', async () => {
    const lines: string[] = []
    const log = openLog({ level: 'info', format: 'json', write: (line) => lines.push(line) })
    const before = adminAccess(new Set([0]), log)
    await before(fakeCall('/x/Y', unixConnection(0)))
    await expect(before(fakeCall('/x/Y', unixConnection(1000)))).rejects.toThrowCode('CALL_REFUSED')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'Admin call',
      'Refused an admin call',
    ])
  })

  test('SE-05 lies in a folder that only its owner may enter', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-admin-'))
    try {
      prepareAdminFolder(join(folder, 'private', 'admin.sock'))
      expect(statSync(join(folder, 'private')).mode & 0o777).toBe(0o700)
      prepareWorkloadFolder(join(folder, 'run', 'agent', 'api.sock'))
      for (const made of ['run', 'run/agent']) expect(statSync(join(folder, made)).mode & 0o777).toBe(0o755)
      mkdirSync(join(folder, 'open'))
      chmodSync(join(folder, 'open'), 0o755)
      expect(() => prepareAdminFolder(join(folder, 'open', 'admin.sock'))).toThrowCode(
        'SOCKET_FOLDER_REFUSED',
        'open to others',
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('small services', () => {
  const call = fakeCall('x', unixConnection(0))

  test('quirk 51: health with an empty name, and of unknown names', async () => {
    await using world = await AgentWorld.create()
    let serving = false
    const health = handlersOf<typeof healthService>(healthApi(() => serving, world.clock))
    expect(await health.check({ service: '' }, call)).toEqual({ status: 'NOT_SERVING' })
    serving = true
    expect(await health.check({ service: '' }, call)).toEqual({ status: 'SERVING' })
    await expect(Promise.resolve(health.check({ service: 'x' }, call))).rejects.toThrowCode('SERVICE_UNKNOWN')
  })

  test('the log level is read, changed and put back', async () => {
    const log = { ...silentLog, level: 'info' as const }
    const logger = handlersOf<typeof loggerService>(loggerApi(log))
    expect(await logger.getLogger({}, call)).toEqual({ currentLevel: 'INFO', launchLevel: 'INFO' })
    expect(await logger.setLogLevel({ newLevel: 'DEBUG' }, call)).toEqual({
      currentLevel: 'DEBUG',
      launchLevel: 'INFO',
    })
    await expect(Promise.resolve(logger.setLogLevel({ newLevel: 'UNSPECIFIED' }, call))).rejects.toThrowCode(
      'REQUEST_INVALID',
    )
    expect(await logger.resetLogLevel({}, call)).toEqual({ currentLevel: 'INFO', launchLevel: 'INFO' })
  })
})
