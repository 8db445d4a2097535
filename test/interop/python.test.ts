import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { ForeignPeer } from './foreign-peer.ts'
import { testSources } from './tls-sources.ts'
import { describeTlsTable } from './tls-table.ts'
import { facts, pythonProgram, runForeign, type ForeignProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('python3'), 'Python programs on the package spiffe', () => {
  let python: ForeignProgram
  let house: House
  const spiffeId = 'spiffe://example.org/interop/python'

  beforeAll(async () => {
    python = await pythonProgram()
    house = await House.open()
    await house.register('/interop/python', '--x509-ttl', '12s')
  }, 500_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const say = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    facts(await runForeign(python, args))

  test('fetches X509-SVIDs and bundles', async () => {
    expect(await say('fetch-x509', house.endpoint)).toMatchObject([{ spiffeId, chain: 1 }, { bundles: 1 }])
  })

  test('X509Source', async () => {
    expect(await say('x509-source', house.endpoint)).toEqual([{ spiffeId }])
  })

  test('fetches a JWT-SVID, validates it remotely and with the bundle, and has another audience refused', async () => {
    expect(await say('fetch-jwt', house.endpoint, 'orders')).toMatchObject([
      { spiffeId, parsed: spiffeId, keys: 1 },
      { refused: expect.any(String) as string },
    ])
  })

  test('JwtSource', async () => {
    expect(await say('jwt-source', house.endpoint, 'orders')).toEqual([{ spiffeId }])
  })

  const open = (): ForeignPeer => new ForeignPeer(python)
  testSources(() => house, spiffeId, open, ['tls'])
  describeTlsTable('python', open, ['tls'])

  test('a watch sees renewals without a break', async () => {
    const seen = await say('watch-x509', house.endpoint, '3')
    expect(seen.at(-1)).toMatchObject({ seen: 3 })
    expect(seen.filter((fact) => 'error' in fact)).toEqual([])
  }, 160_000)
})
