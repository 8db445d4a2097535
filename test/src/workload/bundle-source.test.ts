import { beforeAll, beforeEach, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { printJwks } from '../../../src/bundle/jwks.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { BundleSource } from '../../../src/workload/bundle-source.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { ScriptedWorkloadApi, silence, type Step } from '../../fakes/workload-api.ts'

const notServed = new RpcError('UNIMPLEMENTED', 'turned off')
const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')

let home: TestAuthority
let partner: TestAuthority
let clock: FakeClock

beforeAll(async () => {
  ;[home, partner] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'partner.test' })])
})

beforeEach(() => {
  clock = new FakeClock()
})

const x509 = (...authorities: readonly TestAuthority[]) => ({
  bundles: Object.fromEntries(authorities.map((one) => [one.trustDomain.idString, one.certificate.der])),
  crl: [],
})
const jwt = (...authorities: readonly TestAuthority[]) => ({
  bundles: Object.fromEntries(
    authorities.map(({ trustDomain, keyPair }) => {
      const key = { keyId: 'k', publicKey: keyPair.publicKey, expiresAt: undefined, tainted: false }
      return [trustDomain.idString, Buffer.from(printJwks(bundleOf({ trustDomain, jwtAuthorities: [key] })))]
    }),
  ),
})

function open(x509Steps: readonly Step[], jwtSteps: readonly Step[], timeoutMs?: number): Promise<BundleSource> {
  const scripts = { fetchX509Bundles: [x509Steps, [silence]], fetchJwtBundles: [jwtSteps, [silence]] }
  const client = new WorkloadClient({ transport: new ScriptedWorkloadApi(scripts), clock, random: () => 0.5 })
  return BundleSource.open({ client, timeoutMs })
}

const summary = (source: BundleSource) =>
  source
    .current()
    .values()
    .map((one) => `${one.trustDomain.name} ${one.x509Authorities.length} ${one.jwtAuthorities.length}`)
    .toSorted()

test('offers authorities of both kinds by trust domain, the same object until a change', async () => {
  await using source = await open([x509(home, partner), silence], [jwt(home), silence])
  expect(summary(source)).toEqual(['example.org 1 1', 'partner.test 1 0'])
  expect(source.current()).toBe(source.current())
})

test('WA-10 TB-21: what is left out of a later message is no longer held', async () => {
  const change = Promise.withResolvers<void>()
  await using source = await open(
    [x509(home, partner), () => change.promise, x509(home), silence],
    [jwt(partner), silence],
  )
  const seen: unknown[] = []
  using _listening = source.onChange(() => seen.push(summary(source)))
  const states = source.watch()
  expect((await states.next()).value?.get('partner.test')?.x509Authorities).toHaveLength(1)
  change.resolve()
  expect((await states.next()).value?.get('partner.test')?.x509Authorities).toEqual([])
  expect(seen).toEqual([['example.org 1 0', 'partner.test 0 1']])
})

test('waits for both kinds', async () => {
  const come = Promise.withResolvers<void>()
  let isOpen = false
  const opening = open([x509(home), silence], [() => come.promise, jwt(home), silence]).then((source) => {
    isOpen = true
    return source
  })
  await settled()
  expect(isOpen).toBe(false)
  come.resolve()
  await using source = await opening
  expect(summary(source)).toEqual(['example.org 1 1'])
})

test('WE-22: takes an agent that serves one kind alone as it is', async () => {
  await using source = await open([x509(home), silence], [notServed])
  expect(summary(source)).toEqual(['example.org 1 0'])
  expect(source.health.status).toBe('current')
  await using other = await open([notServed], [jwt(home), silence])
  expect(summary(other)).toEqual(['example.org 0 1'])
  expect(other.health.status).toBe('current')
})

test('fails when neither is served, or the call is wrong', async () => {
  await expect(open([notServed], [notServed])).rejects.toThrowCode('METHOD_UNIMPLEMENTED', 'turned off')
  const wrong = new RpcError('INVALID_ARGUMENT', 'header missing')
  await expect(open([x509(home), silence], [wrong])).rejects.toThrowCode('REQUEST_INVALID', 'header missing')
})

test('says in time what is missing', async () => {
  const failure = open([x509(home), silence], [denied], 500).catch((error: unknown) => error)
  await clock.advance(500)
  expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'no identity issued')
})

test('WA-46: bundles that are withdrawn are no longer held, and its health says so', async () => {
  await using source = await open([x509(home), silence], [jwt(home), denied])
  await settled()
  expect(summary(source)).toEqual(['example.org 1 0'])
  expect(source.health.status).toBe('withdrawn')
})

test('a message that cannot be used changes nothing', async () => {
  const garbage = { bundles: { 'spiffe://example.org': Buffer.from('garbage') } }
  await using source = await open([x509(home), garbage, silence], [jwt(home), garbage, silence])
  expect(summary(source)).toEqual(['example.org 1 1'])
  expect(source.health.status).toBe('degraded')
})

test('closed, it offers nothing, and watches end', async () => {
  const source = await open([x509(home), silence], [jwt(home), silence])
  const states = source.watch()
  await states.next()
  const next = states.next()
  await source.close()
  expect((await next).done).toBe(true)
  expect(() => source.current()).toThrowCode('SOURCE_CLOSED')
})
