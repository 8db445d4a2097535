import { randomInt, X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { decodeCertificates } from '../../src/x509/decode-certificate.ts'
import { House, type HouseOptions } from './house.ts'
import { adminClient, StockClient, workloadClient } from './stock-clients.ts'

interface X509Response {
  readonly svids: readonly { readonly spiffeId: string; readonly x509Svid: Buffer }[]
}

async function houseFor(options: HouseOptions = {}): Promise<House> {
  const house = await House.open(options)
  onTestFinished(async () => house[Symbol.asyncDispose]())
  return house
}

/** A folder that is in memory, as /run is. */
function memoryFolder(): string {
  const folder = mkdtempSync('/dev/shm/sallyport-e2e-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function firstX509(house: House): Promise<X509Response> {
  using client = workloadClient(house)
  using stream = client.stream<X509Response>('FetchX509SVID')
  return await stream.next()
}

const serialOf = ({ x509Svid }: X509Response['svids'][number]): string =>
  BigInt(`0x${new X509Certificate(x509Svid).serialNumber}`).toString()

const KILLING_MS = 12_000

describe('kill -9', () => {
  test('of server and agent at random moments loses nothing that was acknowledged', async () => {
    const house = await houseFor()
    await house.register('/crash/witness')
    const acknowledged = new Set<string>()
    const served = new Set<string>()
    const stop = new AbortController()

    /** Creates entries one after the other; what was answered must outlive every crash. */
    async function create(): Promise<void> {
      for (let number = 0; !stop.signal.aborted; number++) {
        using client = adminClient(house, 'spire.api.server.entry.v1.Entry')
        const entry = {
          id: `crash-${number}`,
          spiffeId: { trustDomain: 'example.org', path: `/crash/${number}` },
          parentId: { trustDomain: 'example.org', path: '/node/web-1' },
          selectors: [{ type: 'unix', value: 'uid:4242' }],
        }
        const answer = await client
          .call<{ results: { status: { code: number } }[] }>('BatchCreateEntry', { entries: [entry] })
          .catch(() => undefined)
        if (answer?.results[0]?.status.code === 0) acknowledged.add(entry.id)
        else await sleep(20)
      }
    }

    /** Takes whatever SVIDs come: each must be in the journal that survives. */
    async function watch(): Promise<void> {
      while (!stop.signal.aborted) {
        using client = workloadClient(house)
        using stream = client.stream<X509Response>('FetchX509SVID')
        const quit = (): void => stream[Symbol.dispose]()
        stop.signal.addEventListener('abort', quit)
        try {
          for (;;) for (const svid of (await stream.next()).svids) served.add(serialOf(svid))
        } catch {
          await sleep(20)
        } finally {
          stop.signal.removeEventListener('abort', quit)
        }
      }
    }

    const working = [create(), watch()]
    const until = performance.now() + KILLING_MS
    let kills = 0
    while (performance.now() < until) {
      await sleep(randomInt(30, 400))
      const victim = (['server', 'agent', 'both'] as const)[kills++ % 3]!
      if (victim !== 'agent') await house.server?.stop('SIGKILL')
      if (victim !== 'server') await house.agent?.stop('SIGKILL')
      // A crash leaves the sockets behind; the next start is not bothered.
      if (victim !== 'agent') expect(existsSync(house.serverSocket)).toBe(true)
      if (victim !== 'server') expect(existsSync(house.agentSocket)).toBe(true)
      // Half of the time the agent starts before there is a server.
      if (victim === 'both' && kills % 2 === 0) await house.startAgent()
      if (victim !== 'agent') await house.startServer()
      if (victim === 'agent' || (victim === 'both' && kills % 2 === 1)) await house.startAgent()
    }
    stop.abort()
    await Promise.all(working)

    const stored = await house.json<{ id: string }[]>('entry', 'list')
    const ids = new Set(stored.map(({ id }) => id))
    expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(10)
    const last = await firstX509(house)
    expect(last.svids.map(({ spiffeId }) => spiffeId)).toEqual(['spiffe://example.org/crash/witness'])
    const { stdout } = await house.cli(
      'audit',
      'list',
      '--type',
      'x509-svid.issued',
      '--limit',
      '100000',
      '--json-lines',
    )
    const unrecorded = [...served, ...last.svids.map(serialOf)].filter((serial) => !stdout.includes(`"${serial}"`))
    expect(unrecorded).toEqual([])
    const verified = await house.cli('audit', 'verify')
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('Intact') })
  }, 60_000)
})

describe('without its server', () => {
  test('SE-21 a restarted agent serves what is still valid, from memory, until the server is back', async () => {
    const house = await houseFor({ runtimeDir: memoryFolder() })
    await house.register('/kept', '--x509-ttl', '10m')
    const [before] = (await firstX509(house)).svids
    // The runtime folder is written a moment after the SVID was issued.
    await sleep(600)
    await house.server?.stop('SIGKILL')
    await house.agent?.stop('SIGKILL')
    await house.startAgent()
    const [after] = (await firstX509(house)).svids
    expect(after?.spiffeId).toBe('spiffe://example.org/kept')
    expect(serialOf(after!)).toBe(serialOf(before!))
    expect(decodeCertificates(after!.x509Svid)).toHaveLength(1)
    using client = workloadClient(house)
    using bundles = client.stream<{ bundles: Record<string, Buffer> }>('FetchX509Bundles')
    expect(Object.keys((await bundles.next()).bundles)).toEqual(['spiffe://example.org'])
    // What would need the server is not denied: it may be had later.
    await expect(client.call('FetchJWTSVID', { audience: ['orders'] })).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
    })
    await house.startServer()
    await expect
      .poll(() => client.call('FetchJWTSVID', { audience: ['orders'] }).catch(() => undefined), { timeout: 15_000 })
      .toMatchObject({ svids: [{ spiffeId: 'spiffe://example.org/kept' }] })
  }, 60_000)
})

describe('SIGSTOP', () => {
  test('IO-08 an agent frozen for longer than its SVID lives joins again by itself and hands out nothing that has expired', async () => {
    const house = await houseFor({ serverYaml: 'svid: {x509Ttl: 4s, agentTtl: 5s}' })
    await house.register('/frozen')
    await firstX509(house)
    house.agent?.child.kill('SIGSTOP')
    await sleep(6_500)
    house.agent?.child.kill('SIGCONT')
    const fetched = async (): Promise<string> => {
      const [svid] = (await firstX509(house)).svids
      expect(decodeCertificates(svid!.x509Svid)[0]!.notAfter.getTime()).toBeGreaterThan(Date.now())
      return svid!.spiffeId
    }
    await expect.poll(() => fetched().catch(String), { timeout: 15_000 }).toBe('spiffe://example.org/frozen')
  }, 40_000)
})

describe('SIGTERM', () => {
  test('IO-13 IO-16 quirk 9: an agent ends its streams with UNAVAILABLE and exits with 0; clients are served after the restart', async () => {
    const house = await houseFor()
    await house.register('/drained')
    using client = workloadClient(house)
    using stream = client.stream<X509Response>('FetchX509SVID')
    using bundles = client.stream('FetchX509Bundles')
    await Promise.all([stream.next(), bundles.next()])
    const started = performance.now()
    expect(await house.agent?.stop('SIGTERM')).toBe(0)
    expect(performance.now() - started).toBeLessThan(5_000)
    expect((await stream.ended()).code).toBe(grpc.status.UNAVAILABLE)
    expect((await bundles.ended()).code).toBe(grpc.status.UNAVAILABLE)
    expect(existsSync(house.agentSocket)).toBe(false)
    await house.startAgent()
    expect((await firstX509(house)).svids).toHaveLength(1)

    // The server: its agent stays in service and comes back by itself, connected when the next change is made.
    using watching = workloadClient(house)
    using open = watching.stream<X509Response>('FetchX509SVID')
    await open.next()
    expect(await house.server?.stop('SIGTERM')).toBe(0)
    expect(existsSync(house.serverSocket)).toBe(false)
    using admin = new StockClient('grpc.health.v1.Health', `unix:${house.serverSocket}`)
    await expect(admin.call('Check')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE })
    await house.startServer()
    await house.register('/drained-2')
    const { svids } = await open.until((message) => message.svids.length === 2)
    expect(svids.map(({ spiffeId }) => spiffeId)).toEqual([
      'spiffe://example.org/drained',
      'spiffe://example.org/drained-2',
    ])
  }, 60_000)
})
