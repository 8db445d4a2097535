import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { facts, goProgram, runForeign, type ForeignProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

const ON = 'experimental: {witSvid: true}'

describeUnless(missing('go'), 'A Go program on the WIT-SVIDs of go-spiffe and spire-api-sdk', () => {
  let go: ForeignProgram
  let house: House
  const [one, other] = ['spiffe://example.org/interop/wit', 'spiffe://example.org/interop/other']

  beforeAll(async () => {
    go = await goProgram('go-wit')
    house = await House.open({ serverYaml: ON, agentYaml: ON })
    await house.register('/interop/wit', '--hint', 'internal', '--x509-ttl', '6s')
    await house.register('/interop/other')
  }, 500_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const say = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    facts(await runForeign(go, args))

  test('WA-49 WA-50 WA-53 WI-04 WI-10 fetches all, and validates them with the bundles', async () => {
    // Which comes first is by the second of the registration: both may be of the same.
    const fetched = await say('fetch', house.endpoint)
    expect(fetched).toHaveLength(2)
    expect(fetched).toContainEqual({ spiffeId: one, hint: 'internal', bundles: 1 })
    expect(fetched).toContainEqual({ spiffeId: other, hint: '', bundles: 1 })
    expect(await say('fetch', house.endpoint, other)).toMatchObject([{ spiffeId: other }])
  })

  test('WA-51 an identity that is not held is PermissionDenied', async () => {
    const { code, stderr } = await runForeign(go, ['fetch', house.endpoint, 'spiffe://example.org/nobody'])
    expect(code).toBe(1)
    expect(stderr).toContain('PermissionDenied')
  })

  test('WI-31 a source is told of each renewal, which has a key of its own', { timeout: 150_000 }, async () => {
    expect(await say('watch', house.endpoint, one, '4')).toEqual([{ tokens: 4, keys: 4, authorities: 1 }])
  })

  test("WI-05 WI-08 SPIRE's API mints one for a key of the caller, and its bundle verifies it", async () => {
    expect(await say('mint', house.serverSocket, 'spiffe://example.org/minted')).toEqual([
      { spiffeId: 'spiffe://example.org/minted', path: '/minted', lives: 60, ends: true },
    ])
  })

  test('WA-03 ST-01 where they are off its source is not made, and does not ask again', async () => {
    await using plain = await House.open()
    await plain.register('/interop/wit')
    for (const args of [
      ['fetch', plain.endpoint],
      ['watch', plain.endpoint, one, '1'],
    ]) {
      const { code, stderr } = await runForeign(go, args)
      expect(code).toBe(1)
      expect(stderr).toContain('Unimplemented')
    }
  })
})
