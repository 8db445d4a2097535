import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseJoinString } from '../../src/config/join-string.ts'
import { House } from '../e2e/house.ts'
import { RunningProcess } from '../e2e/processes.ts'
import { ForeignPeer } from './foreign-peer.ts'
import { testSources } from './tls-sources.ts'
import { describeTlsTable } from './tls-table.ts'
import { facts, goProgram, runForeign, type ForeignProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('go'), 'Go programs on go-spiffe and spire-api-sdk', () => {
  let go: ForeignProgram
  let house: House
  const spiffeId = 'spiffe://example.org/interop/go'

  beforeAll(async () => {
    go = await goProgram()
    house = await House.open()
    await house.register('/interop/go', '--dns', 'go.internal', '--hint', 'internal', '--x509-ttl', '12s')
  }, 500_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const say = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    facts(await runForeign(go, args))

  test('WE-01 WE-07 WE-13 WA-22 WA-27 FetchX509Context', async () => {
    expect(await say('fetch-x509', house.endpoint)).toMatchObject([
      { spiffeId, hint: 'internal', chain: 1, authorities: 1, dns: ['go.internal'] },
    ])
  })

  test('X509Source', async () => {
    expect(await say('x509-source', house.endpoint)).toEqual([{ spiffeId }])
  })

  test('WA-33 FetchJWTSVIDs with two audiences, in the order asked for', async () => {
    expect(await say('fetch-jwt', house.endpoint, 'orders', 'billing')).toMatchObject([
      { spiffeId, audience: ['orders', 'billing'] },
    ])
  })

  test('WA-37 JWTSource fetches and validates, and refuses another audience', async () => {
    expect(await say('jwt-source', house.endpoint, 'orders')).toEqual([{ spiffeId }])
  })

  test('WA-40 WA-42 ValidateJWTSVID', async () => {
    const [svid] = await say('fetch-jwt', house.endpoint, 'orders')
    expect(await say('validate-jwt', house.endpoint, 'orders', String(svid?.['token']))).toEqual([{ spiffeId }])
    expect((await runForeign(go, ['validate-jwt', house.endpoint, 'other', String(svid?.['token'])])).stderr).toContain(
      'InvalidArgument',
    )
  })

  test('WE-06 WE-25 RF-01 RF-02: a client without a .proto file finds every service by reflection, and calls one', async () => {
    const [svid] = await say('fetch-jwt', house.endpoint, 'orders')
    const [listed, validated] = await say('reflection', house.endpoint, 'orders', String(svid?.['token']))
    expect(listed?.['services']).toEqual([
      'SpiffeWorkloadAPI',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'sallyport.agent.v1.Admin',
      'sallyport.policy.v1.WorkloadPolicy',
    ])
    expect(validated).toMatchObject({ spiffeId, claims: { aud: ['orders'], sub: spiffeId } })
  })

  test('mutual TLS between two go-spiffe peers, by id', async () => {
    expect(await say('mtls', house.endpoint)).toEqual([{ peer: spiffeId }])
  })

  const open = (): ForeignPeer => new ForeignPeer(go)
  testSources(() => house, spiffeId, open, ['tls', 'https', 'h2', 'grpc'])
  describeTlsTable('go', open, ['tls', 'https', 'h2', 'grpc'])

  test('a watch sees renewals without a break', async () => {
    await using watch = new RunningProcess(go.command, ['watch-x509', house.endpoint, '3'])
    expect(await watch.exited).toBe(0)
    expect(watch.stdout).not.toContain('"error"')
  }, 130_000)

  test("SPIRE's admin API: entries, masks, filters, paging, bundles, tokens, minting, batch errors", async () => {
    expect(await say('admin', house.serverSocket, 'example.org')).toEqual([{ steps: 6 }])
  })

  test("a node that joins as SPIRE's agent: token, renewal, sync, batch signing, JWT, refusals with details", async () => {
    const { stdout: pem } = await house.cli('bundle', 'show')
    const join = parseJoinString(
      (await house.cli('token', 'create', '--spiffe-id', 'spiffe://example.org/node/go')).stdout,
    )
    writeFileSync(house.path('bundle.pem'), pem)
    writeFileSync(house.path('token.txt'), join.token)
    await house.json(
      'entry',
      'create',
      '--spiffe-id',
      'spiffe://example.org/go/work',
      '--parent',
      'spiffe://example.org/node/go',
      '--selector',
      'unix:uid:7',
    )
    const answer = await say(
      'join',
      `127.0.0.1:${house.port}`,
      'example.org',
      house.path('bundle.pem'),
      house.path('token.txt'),
      '/go/work',
    )
    expect(answer).toMatchObject([
      { reattestable: false },
      { detail: 'AGENT_NOT_ACTIVE' },
      { signed: 'spiffe://example.org/go/work' },
    ])
  })
})
