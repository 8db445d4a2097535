import { beforeEach, describe, expect, test } from 'vitest'
import { printWitJwks } from '../../../src/bundle/jwks.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { RpcError } from '../../../src/wire/status.ts'
import type { WitSvidWithKey } from '../../../src/wit/wit-svid.ts'
import { WitSource, type WitSourceOptions } from '../../../src/workload/wit-source.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { ScriptedWorkloadApi, silence, type Step } from '../../fakes/workload-api.ts'
import { authorityKeys, bundleWith, ecKeys, heldWit, now as start, seconds } from '../wit/wit-world.ts'

const HOUR_MS = 3_600_000
const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
const down = new RpcError('UNAVAILABLE', 'restarting')
const unimplemented = new RpcError('UNIMPLEMENTED', 'WIT-SVIDs are not offered by this agent')

const web = heldWit()
const api = heldWit({ sub: 'spiffe://example.org/api' }, ecKeys())

const svidMessage = (svid: WitSvidWithKey, changes: object = {}) => ({
  spiffeId: svid.spiffeId.toString(),
  witSvid: svid.token,
  witSvidKey: JSON.stringify(svid.privateKey.export({ format: 'jwk' })),
  hint: '',
  ...changes,
})
const message = (...svids: readonly WitSvidWithKey[]) => ({ svids: svids.map((svid) => svidMessage(svid)) })
const bundlesMessage = (kid = 'k1', trustDomains = ['example.org']) => ({
  bundles: Object.fromEntries(
    trustDomains.map((name) => [
      `spiffe://${name}`,
      printWitJwks(bundleWith({ [kid]: authorityKeys.publicKey }, name)),
    ]),
  ),
})

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock(start)
})

type Script = readonly (readonly Step[])[]
function clientOf(fetchWitSvid: Script, fetchWitBundles: Script = [[bundlesMessage(), silence]]) {
  const agent = new ScriptedWorkloadApi({ fetchWitSvid, fetchWitBundles })
  const client = new WorkloadClient({ transport: agent, clock, address: 'unix:/run/a.sock', random: () => 0.5 })
  return { agent, client }
}
const open = (svids: Script, options: WitSourceOptions = {}, bundles?: Script): Promise<WitSource> =>
  WitSource.open({ client: clientOf(svids, bundles).client, ...options })

/** A message that comes when the test says so. */
function later() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wait: Step = async (options) => Promise.race([promise, silence(options)])
  return { wait, come: async () => (resolve(), settled()) }
}

describe('WorkloadClient for WIT-SVIDs', () => {
  test('WA-49 WA-50 fetches tokens with their keys, of one identity where that is asked for', async () => {
    const { agent, client } = clientOf([[{ svids: [svidMessage(web, { hint: 'internal' }), svidMessage(api)] }]])
    const [first, second] = await client.fetchWitSvids({ spiffeId: SpiffeId.parse('spiffe://example.org/web') })
    expect([first?.spiffeId.path, first?.hint, second?.spiffeId.path]).toEqual(['/web', 'internal', '/api'])
    expect(first?.privateKey.equals(web.privateKey)).toBe(true)
    expect(agent.calls[0]?.request).toEqual({ spiffeId: 'spiffe://example.org/web' })
    expect(agent.calls[0]?.options.metadata).toEqual({ 'workload.spiffe.io': 'true' })
  })

  test.for<readonly [string, object]>([
    ['without any', { svids: [] }],
    ['without a token', { svids: [svidMessage(web, { witSvid: '' })] }],
    ['without a key', { svids: [svidMessage(web, { witSvidKey: '' })] }],
    ['announced as another', { svids: [svidMessage(web, { spiffeId: 'spiffe://example.org/api' })] }],
    ['with the key of another', { svids: [svidMessage(web, { witSvidKey: svidMessage(api).witSvidKey })] }],
    ['that is no WIT-SVID', { svids: [svidMessage(web, { witSvid: 'a.b.c' })] }],
  ])('WA-12 WA-50 SV-06 refuses an answer %s, and keeps what it held', async ([, wrong]) => {
    const { client } = clientOf([[wrong]])
    const failure = await client.fetchWitSvids().catch((error: unknown) => error)
    expect(['WORKLOAD_RESPONSE_INVALID', 'WIT_SVID_INVALID', 'JWS_INVALID']).toContain(
      (failure as { code: string }).code,
    )
    expect(String(failure)).not.toContain(JSON.parse(svidMessage(web).witSvidKey).d)
    await using source = await open([[message(web), wrong, silence]])
    await settled()
    expect(source.current().svid.spiffeId.path).toBe('/web')
    expect(source.health.status).toBe('degraded')
  })

  test('WA-53 bundles hold keys for WIT-SVIDs alone; an empty map is refused', async () => {
    const { client } = clientOf([], [[bundlesMessage('k1', ['example.org', 'partner.test'])], [{ bundles: {} }]])
    const bundles = await client.fetchWitBundles()
    const own = bundles.get('example.org')
    expect([own?.x509Authorities, own?.jwtAuthorities, own?.witAuthorities.length]).toEqual([[], [], 1])
    expect(bundles.get('partner.test')?.witAuthorities).toHaveLength(1)
    await expect(client.fetchWitBundles()).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
  })
})

describe('WitSource.open()', () => {
  test('waits for the first WIT-SVID and bundles, and offers them', async () => {
    await using source = await open([[message(web, api), silence]])
    expect(source.current().svid.spiffeId.path).toBe('/web')
    expect(source.current()).toBe(source.current())
    expect(source.svids.map(({ spiffeId }) => spiffeId.path)).toEqual(['/web', '/api'])
    expect(source.bundles.get('example.org')?.witAuthorities[0]?.keyId).toBe('k1')
    expect(source.health).toMatchObject({ status: 'current', expiresAt: web.expiresAt })
  })

  test('WA-03 ST-01 fails at once where the agent has none, and asks no more', async () => {
    const { agent, client } = clientOf([[unimplemented], [message(web)]], [[unimplemented], [bundlesMessage()]])
    await expect(WitSource.open({ client })).rejects.toThrowCode('METHOD_UNIMPLEMENTED', 'not offered')
    await clock.advance(HOUR_MS)
    expect(agent.calls.map(({ method }) => method).toSorted()).toEqual(['fetchWitBundles', 'fetchWitSvid'])
  })

  test('WE-20 WE-21: an agent or an entry that is not there yet is waited for', async () => {
    const opening = open([[down], [denied], [message(web), silence]], {}, [[down], [bundlesMessage(), silence]])
    await clock.advance(5_000)
    await using source = await opening
    expect(source.health.status).toBe('current')
  })

  test.for<readonly [string, Script, Script | undefined, string]>([
    ['no WIT-SVID comes', [[silence]], undefined, 'no WIT-SVID has arrived yet'],
    ['no bundle comes', [[message(web), silence]], [[silence]], 'no WIT bundle has arrived yet'],
    ['no entry matches', Array.from({ length: 20 }, () => [denied]), undefined, 'no identity issued'],
  ])('IO-41: when %s it says in time what is missing', async ([, svids, bundles, why]) => {
    const failure = open(svids, { timeoutMs: 5_000 }, bundles).catch((error: unknown) => error)
    await clock.advance(5_000)
    expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'a WIT-SVID from unix:/run/a.sock within 5000 ms')
    expect(await failure).toMatchObject({ message: expect.stringContaining(why) })
  })

  test('WA-19: picks by hint or id, and never falls back to the default', async () => {
    const both = { svids: [svidMessage(web, { hint: 'internal' }), svidMessage(api, { hint: 'external' })] }
    await using byHint = await open([[both, silence]], { picker: { hint: 'external' } })
    expect(byHint.current().svid.spiffeId.path).toBe('/api')
    const failure = open([[both, silence]], { picker: { hint: 'other' }, timeoutMs: 10 }).catch(
      (error: unknown) => error,
    )
    await clock.advance(10)
    expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'with hint "other" among the 2 held')
    await expect(open([], { picker: { spiffeId: 'example.org/web' } })).rejects.toThrowCode('SPIFFE_ID_INVALID')
  })
})

describe('an open source', () => {
  test('WI-31 a renewed WIT-SVID takes effect with its new key, and listeners hear of it afterwards', async () => {
    const renewed = heldWit({ exp: seconds + 7200 }, ecKeys())
    const { wait, come } = later()
    await using source = await open([[message(web), wait, message(renewed), silence]])
    const seen: unknown[] = []
    using _listening = source.onChange(() => seen.push(source.current().svid.expiresAt))
    await come()
    expect(seen).toEqual([renewed.expiresAt])
    expect(source.current().svid.privateKey.equals(renewed.privateKey)).toBe(true)
  })

  test('WA-09 WA-52 what a message no longer lists is no longer used', async () => {
    const { wait, come } = later()
    const bundles = [bundlesMessage('k1', ['example.org', 'partner.test']), wait, bundlesMessage('k2'), silence]
    await using source = await open([[message(web), silence]], {}, [bundles])
    expect(source.bundles.get('partner.test')).toBeDefined()
    await come()
    expect(source.bundles.get('partner.test')).toBeUndefined()
    expect(source.bundles.get('example.org')?.witAuthorities.map(({ keyId }) => keyId)).toEqual(['k2'])
  })

  test('WA-51 WA-52 after PERMISSION_DENIED it is nobody', async () => {
    await using source = await open([[message(web), denied], [silence]], {}, [[bundlesMessage(), denied], [silence]])
    await settled()
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD', 'withdrawn')
    expect(source.svids).toEqual([])
    expect(source.bundles.values()).toEqual([])
    expect(source.health).toMatchObject({ status: 'withdrawn', error: { code: 'NO_IDENTITY' } })
  })

  test('WI-31 keeps what it holds while the agent is away, and never beyond its end', async () => {
    const away = Array.from({ length: 400 }, () => [down])
    await using source = await open([[message(web), down], ...away])
    await clock.advance(HOUR_MS - 1)
    expect(source.current().svid.spiffeId.path).toBe('/web')
    expect(source.health).toMatchObject({ status: 'degraded', error: { code: 'IDENTITY_PENDING' } })
    await clock.advance(1)
    expect(() => source.current()).toThrowCode('SVID_EXPIRED', 'restarting')
    expect(source.health.status).toBe('expired')
  })

  test('is watched: the state of now, then each later one of either stream, until it is closed', async () => {
    const [svids, bundles] = [later(), later()]
    const source = await open([[message(web), svids.wait, message(api), silence]], {}, [
      [bundlesMessage('k1'), bundles.wait, bundlesMessage('k2'), silence],
    ])
    const seen: string[] = []
    const watching = (async () => {
      for await (const state of source.watch()) {
        const kids = state.bundles.get('example.org')?.witAuthorities.map(({ keyId }) => keyId)
        seen.push(`${state.svid?.spiffeId.path} ${kids?.join()}`)
      }
    })()
    await settled()
    await svids.come()
    await bundles.come()
    await source.close()
    await watching
    expect(seen).toEqual(['/web k1', '/api k1', '/api k2'])
  })

  test('tells of the health of both streams, and a watch ends with what ended either for good', async () => {
    const { wait, come } = later()
    await using source = await open([[message(web), silence]], {}, [[bundlesMessage(), wait, unimplemented]])
    const told: string[] = []
    using _listening = source.onHealth(({ status }) => told.push(status))
    const watched = Array.fromAsync(source.watch()).catch((error: unknown) => error)
    await come()
    expect([told, source.health.status]).toEqual([['failed'], 'failed'])
    expect(await watched).toThrowCode('METHOD_UNIMPLEMENTED')
  })

  test('once closed refuses everything and asks for nothing more', async () => {
    const { agent, client } = clientOf([[message(web), silence]])
    const source = await WitSource.open({ client })
    await source.close()
    await source.close()
    expect(() => source.current()).toThrowCode('SOURCE_CLOSED')
    expect(() => source.svids).toThrowCode('SOURCE_CLOSED')
    expect(() => source.bundles).toThrowCode('SOURCE_CLOSED')
    expect(source.health.status).toBe('closed')
    expect(agent.calls.every(({ options }) => options.signal?.aborted)).toBe(true)
    expect(agent.closed).toBe(false)
  })
})
