import { beforeAll, describe, expect, test } from 'vitest'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { FakeWorkloadApi } from '../../../src/testing/fake-workload-api.ts'
import { type Mischief, mischiefs } from '../../../src/testing/mischief.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import type { WorkloadState } from '../../../src/testing/workload-state.ts'
import { JwtSource } from '../../../src/workload/jwt-source.ts'
import { WitSource } from '../../../src/workload/wit-source.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { X509Source } from '../../../src/workload/x509-source.ts'
import { verifyWitSvid } from '../../../src/wit/verify-wit-svid.ts'

let home: TestAuthority
let partner: TestAuthority

beforeAll(async () => {
  home = await TestAuthority.create({ trustDomain: 'example.org' })
  partner = await TestAuthority.create({ trustDomain: 'partner.test' })
})

const stateOf = async (...paths: readonly string[]): Promise<WorkloadState> => ({
  svids: await Promise.all(paths.map((path) => home.issue(path))),
  authorities: [home, partner],
})

/** The first state of the source that satisfies the test. */
async function become(source: X509Source, fits: (path: string | undefined) => boolean): Promise<string | undefined> {
  for await (const { svid } of source.watch()) if (fits(svid?.spiffeId.path)) return svid?.spiffeId.path
  throw new Error('the source was closed')
}

describe('FakeWorkloadApi', () => {
  test('serves identities, the bundles of all authorities, and what is set later', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web', '/api'))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    expect(source.svids.map(({ spiffeId }) => spiffeId.path)).toEqual(['/web', '/api'])
    expect(source.current().bundles.get('partner.test')?.x509Authorities).toHaveLength(1)
    agent.set(await stateOf('/next'))
    expect(await become(source, (path) => path === '/next')).toBe('/next')
    expect(agent.calls.map(({ method }) => method)).toEqual(['/SpiffeWorkloadAPI/FetchX509SVID'])
  })

  test('tells identities apart by hint', async () => {
    const svids = [await home.issue('/a'), { svid: await home.issue('/b'), hint: 'internal' }]
    await using agent = await FakeWorkloadApi.open({ svids, authorities: [home] })
    await using source = await X509Source.open({ endpoint: agent.endpoint, picker: { hint: 'internal' } })
    expect(source.current().svid.spiffeId.path).toBe('/b')
  })

  test('has every authority of a trust domain in one bundle, as during a rotation', async () => {
    const next = await TestAuthority.create({ trustDomain: 'example.org' })
    await using agent = await FakeWorkloadApi.open({ svids: [await next.issue('/a')], authorities: [home, next] })
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    expect(source.current().bundles.get('example.org')?.x509Authorities).toHaveLength(2)
  })

  test('ST-01 serves WIT-SVIDs where they are turned on, a new key with each change, and the bundles to them', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web', '/api'), { witSvids: true })
    await using source = await WitSource.open({
      endpoint: agent.endpoint,
      picker: { spiffeId: 'spiffe://example.org/api' },
    })
    const { svid, bundles } = source.current()
    expect((await verifyWitSvid(svid.token, bundles)).spiffeId.path).toBe('/api')
    expect(bundles.get('partner.test')?.witAuthorities).toHaveLength(1)
    agent.set(await stateOf('/api'))
    for await (const next of source.watch()) if (next.svid?.token !== svid.token) break
    expect(source.current().svid.publicKey.equals(svid.publicKey)).toBe(false)
    await using off = await FakeWorkloadApi.open(await stateOf('/web'))
    await expect(WitSource.open({ endpoint: off.endpoint })).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
  })

  test('withdraws, and gives again', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web'))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    agent.withdraw()
    await become(source, (path) => path === undefined)
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD')
    agent.set(await stateOf('/web'))
    expect(await become(source, (path) => path !== undefined)).toBe('/web')
  })

  test('issues tokens that verify with its bundles, and validates them', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web', '/api'))
    await using source = await JwtSource.open({ endpoint: agent.endpoint })
    const { token, spiffeId } = await source.fetch('orders')
    expect(spiffeId.path).toBe('/web')
    expect((await source.verify(token, 'orders')).spiffeId.path).toBe('/web')
    await expect(source.verify(token, 'others')).rejects.toThrowCode('JWT_SVID_AUDIENCE')
    const api = SpiffeId.parse('spiffe://example.org/api')
    expect((await source.fetch('orders', { picker: { spiffeId: api } })).spiffeId.path).toBe('/api')
    await using client = await WorkloadClient.open({ endpoint: agent.endpoint })
    expect((await client.validateJwtSvid(token, 'orders')).spiffeId.path).toBe('/web')
    await expect(client.validateJwtSvid(token, 'others')).rejects.toThrow()
  })

  test('fails with the status that a test wants', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web'))
    await using client = await WorkloadClient.open({ endpoint: agent.endpoint })
    agent.fail('RESOURCE_EXHAUSTED')
    await expect(client.fetchX509Svids()).rejects.toMatchObject({
      message: expect.stringContaining('the test') as string,
    })
    agent.set(await stateOf('/web'))
    expect((await client.fetchX509Svids()).svids).toHaveLength(1)
  })

  test('is gone and comes back, and a source with it', async () => {
    await using agent = await FakeWorkloadApi.open(await stateOf('/web'))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    await agent.stop()
    expect(source.current().svid.spiffeId.path).toBe('/web')
    agent.set(await stateOf('/back'))
    await agent.start()
    expect(await become(source, (path) => path === '/back')).toBe('/back')
  })

  test.for(mischiefs)(
    'misbehaves: %s; a source keeps the last good value, a new one is refused',
    async (mischief: Mischief) => {
      await using agent = await FakeWorkloadApi.open(await stateOf('/web'))
      await using source = await X509Source.open({ endpoint: agent.endpoint })
      agent.misbehave(mischief)
      await expect(X509Source.open({ endpoint: agent.endpoint, timeoutMs: 300 })).rejects.toThrowCode('SOURCE_TIMEOUT')
      expect(source.current().svid.spiffeId.path).toBe('/web')
    },
  )
})
