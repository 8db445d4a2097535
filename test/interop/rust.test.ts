import { realpathSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { BY_PATH } from '../e2e/zone-process.ts'
import { ForeignPeer } from './foreign-peer.ts'
import { testSources } from './tls-sources.ts'
import { facts, runForeign, rustProgram, type ForeignProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('cargo'), 'Rust programs on the crates spiffe and spiffe-rustls', () => {
  let rust: ForeignProgram
  let house: House
  const spiffeId = 'spiffe://example.org/interop/rust'

  beforeAll(async () => {
    rust = await rustProgram()
    house = await House.open()
    await house.register('/interop/rust', '--hint', 'internal', '--x509-ttl', '12s')
  }, 500_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const say = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    facts(await runForeign(rust, args))

  test('fetches X509-SVIDs and bundles', async () => {
    expect(await say('fetch-x509', house.endpoint)).toMatchObject([
      { spiffeId, hint: 'internal', chain: 1 },
      { bundles: 1 },
    ])
  })

  test('X509Source', async () => {
    expect(await say('x509-source', house.endpoint)).toEqual([{ spiffeId, authorities: 1 }])
  })

  test('fetches a JWT-SVID for two audiences, validates it remotely, and has another audience refused', async () => {
    expect(await say('fetch-jwt', house.endpoint, 'orders', 'billing')).toEqual([
      { spiffeId, audience: ['orders', 'billing'], valid: spiffeId },
      { refused: expect.stringContaining('aud') as string },
    ])
  })

  test('JwtSource verifies with the bundle', async () => {
    expect(await say('jwt-source', house.endpoint, 'orders')).toEqual([{ spiffeId, anotherRefused: true }])
  })

  testSources(
    () => house,
    spiffeId,
    () => new ForeignPeer(rust),
    ['tls'],
  )

  test('a watch sees renewals without a break', async () => {
    const seen = await say('watch-x509', house.endpoint, '3')
    expect(seen.at(-1)).toMatchObject({ seen: 3 })
  }, 160_000)

  test('BE-01 BE-04 BE-06 BA-01 BA-25: a broker is given what another process is entitled to, and nothing of nobody', async () => {
    const broker = 'spiffe://example.org/interop/broker'
    const agentYaml = `${BY_PATH}\nexperimental: { broker: { socket: broker.sock, allow: [{ id: '${broker}', references: [pid] }] } }`
    await using brokered = await House.open({ agentYaml })
    await brokered.register('/interop/broker', '--selector', `unix:path:${realpathSync(rust.command)}`)
    await brokered.register('/interop/brokered', '--selector', `unix:path:${realpathSync(process.execPath)}`)
    const socket = brokered.path('agent/broker.sock')
    const [agent] = await brokered.json<{ spiffeId: string }[]>('agent', 'list')
    expect(
      await say('broker', brokered.endpoint, socket, agent?.spiffeId ?? '', String(process.pid), 'orders'),
    ).toEqual([
      { spiffeId: 'spiffe://example.org/interop/brokered', hasKey: true, hasBundle: true },
      { jwtOf: 'spiffe://example.org/interop/brokered' },
      { nobody: 'NotFound' },
    ])
  })
})
