import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { RunningProcess } from '../e2e/processes.ts'
import { ForeignPeer } from './foreign-peer.ts'
import { testSources } from './tls-sources.ts'
import { describeTlsTable } from './tls-table.ts'
import { facts, javaProgram, runForeign, type ForeignProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('java', 'mvn'), 'Java programs on java-spiffe', () => {
  let java: ForeignProgram
  let house: House
  const spiffeId = 'spiffe://example.org/interop/java'

  beforeAll(async () => {
    java = await javaProgram()
    house = await House.open()
    await house.register('/interop/java', '--x509-ttl', '12s')
  }, 500_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const say = async (...args: readonly string[]): Promise<Record<string, unknown>[]> =>
    facts(await runForeign(java, args))

  test('X509Source connects, although its :authority is the path of the socket', async () => {
    expect(await say('x509-source', house.endpoint)).toMatchObject([{ spiffeId, authorities: 1 }])
  })

  test('JwtSource fetches and validates', async () => {
    expect(await say('jwt-source', house.endpoint, 'orders')).toMatchObject([{ spiffeId }])
  })

  test('mutual TLS by the provider', async () => {
    expect(await say('mtls', house.endpoint)).toEqual([{ peer: spiffeId }])
  })

  const open = (): ForeignPeer => new ForeignPeer(java)
  testSources(() => house, spiffeId, open, ['tls'])
  describeTlsTable('java', open, ['tls'])

  test('a watch sees renewals and outlives a restart of the agent', async () => {
    await using watch = new RunningProcess(java.command, [...java.args, 'watch-x509', house.endpoint, '3'])
    await watch.printed(/"serial"/, 30_000)
    await house.agent?.stop('SIGTERM')
    await house.startAgent()
    expect(await watch.exited).toBe(0)
  }, 170_000)
})
