import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { jwtBundlesResponseType, x509BundlesResponseType } from '../../src/wire/messages/spiffe-workload.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { svidMessageOf, x509MessageOf } from '../fakes/workload-messages.ts'
import { type Act, HostileAgent, send, sendBytes, sendMessage } from './hostile-agent.ts'
import { House } from './house.ts'
import { cleanEnvironment, root, RunningProcess } from './processes.ts'

// The sources in a process of their own: it may not end, whatever the agent does.

interface Held {
  readonly serial?: string
  readonly refused?: string
  readonly revision: number
  readonly jwt: string
  readonly bundles: string
}

class Service extends RunningProcess {
  constructor(endpoint: string, flags: readonly string[] = []) {
    const env = cleanEnvironment({ SPIFFE_ENDPOINT_SOCKET: endpoint })
    super(process.execPath, [...flags, join(root, 'test/e2e/sdk-service.ts')], { cwd: root, env })
  }

  #lines(): Record<string, unknown>[] {
    const whole = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1)
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** What it says about itself now. */
  async ask<T>(question: string, answer: 'held' | 'token'): Promise<T & { heapUsed: number; rss: number }> {
    const before = this.#lines().filter((line) => answer in line).length
    this.child.stdin?.write(`${question}\n`)
    await expect.poll(() => this.#lines().filter((line) => answer in line).length, { timeout: 20_000 }).toBe(before + 1)
    const line = this.#lines().findLast((each) => answer in each)!
    return { ...(line[answer] as T), heapUsed: line['heapUsed'] as number, rss: line['rss'] as number }
  }

  holds(): Promise<Held & { heapUsed: number; rss: number }> {
    return this.ask<Held>('?', 'held')
  }

  /** Every change of status; an event that tells of another error in the same status is none. */
  get health(): readonly unknown[] {
    const told = this.#lines().flatMap((line) => ('health' in line ? [line['health']] : []))
    return told.filter((status, index) => status !== told[index - 1])
  }
}

const eventually = async (check: () => Promise<unknown>, timeout = 40_000): Promise<void> =>
  expect.poll(check, { timeout, interval: 200 }).toBe(true)

test('a service lives through an agent that is killed and a server that is away, and recovers by itself', async () => {
  await using house = await House.open()
  await house.register('/sdk/web', '--x509-ttl', '10s', '--jwt-ttl', '10s')
  await using service = new Service(house.endpoint)
  await service.printed(/"ready":\{"serial"/)
  expect(await service.ask('token orders', 'token')).toMatchObject({ verified: '/sdk/web' })

  // The agent dies without a word, and another one makes the socket anew.
  const { ctimeMs } = statSync(house.agentSocket)
  await house.agent!.stop('SIGKILL')
  await service.printed(/"health":"degraded"/)
  expect(await service.holds()).toMatchObject({ serial: expect.any(String), jwt: 'degraded', bundles: 'degraded' })
  await house.startAgent()
  expect(statSync(house.agentSocket).ctimeMs).toBeGreaterThan(ctimeMs)
  await eventually(async () => (await service.holds()).jwt === 'current' && service.health.at(-1) === 'current')
  expect(service.health).toEqual(['current', 'degraded', 'current'])

  // The server is away for longer than an SVID lives: never stale silently.
  await house.server!.stop('SIGKILL')
  await service.printed(/"health":"expired"/, 60_000)
  expect(await service.holds()).toMatchObject({ refused: 'SVID_EXPIRED' })
  await house.startServer()
  await eventually(async () => (await service.holds()).refused === undefined)
  expect(service.health.at(-1)).toBe('current')
  expect(await service.ask('token orders', 'token')).toMatchObject({ verified: '/sdk/web' })

  service.child.stdin?.write('stop\n')
  expect(await service.exited).toBe(0)
  expect(service.stderr).toBe('')
}, 180_000)

test('a flood of large messages, good and bad, does not grow a service', async () => {
  const home = await TestAuthority.create()
  const [web, intermediate] = await Promise.all([home.issue('/web'), home.intermediate()])
  const svid = svidMessageOf(web, home)
  const foreign = Array.from({ length: 300 }, (_, index) => [
    `spiffe://partner-${index}.test`,
    intermediate.certificate.der,
  ])
  const large = send(x509MessageOf([svid], Object.fromEntries(foreign) as Record<string, Buffer>))
  const garbage = sendBytes(Buffer.alloc(4 * 1024 * 1024, 0x0a))
  const bundles = { 'spiffe://example.org': home.certificate.der }
  const others: Readonly<Record<string, Act>> = {
    '/SpiffeWorkloadAPI/FetchX509Bundles': sendMessage(x509BundlesResponseType, { bundles }),
    '/SpiffeWorkloadAPI/FetchJWTBundles': sendMessage(jwtBundlesResponseType, {
      bundles: { 'spiffe://example.org': Buffer.from('{"keys":[]}') },
    }),
  }
  const flood = { sent: 0, isOn: false }
  const pour: Act = (stream) => {
    const more = (): void => {
      while (flood.isOn && !stream.closed && !stream.writableNeedDrain) {
        flood.sent++
        ;(flood.sent % 20 === 0 ? garbage : large)(stream)
      }
    }
    stream.on('drain', more)
    more()
  }
  await using agent = await HostileAgent.listen((stream, path = '') => {
    const other = others[path]
    if (other !== undefined) return other(stream)
    send(x509MessageOf([svid]))(stream)
    pour(stream)
  })
  await using service = new Service(agent.endpoint, ['--expose-gc', '--max-old-space-size=128'])
  await service.printed(/"ready"/)
  const before = await service.holds()
  flood.isOn = true
  agent.hangUp()
  await eventually(async () => flood.sent > 150, 60_000)
  flood.isOn = false
  const after = await service.holds()
  expect(after.revision).toBeGreaterThan(before.revision + 50)
  expect(after.serial).toBe(before.serial)
  expect(after.heapUsed - before.heapUsed).toBeLessThan(32 * 1024 * 1024)
  expect(after.rss).toBeLessThan(400 * 1024 * 1024)
  expect(service.stderr).toBe('')
}, 120_000)
