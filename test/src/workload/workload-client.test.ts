import { beforeAll, describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { printJwks } from '../../../src/bundle/jwks.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import type { X509Context } from '../../../src/workload/x509-context.ts'
import { HurryingClock } from '../../fakes/hurrying-clock.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { ScriptedWorkloadApi, type Step } from '../../fakes/workload-api.ts'
import { svidMessageOf, x509MessageOf } from '../../fakes/workload-messages.ts'

let home: TestAuthority
let partner: TestAuthority
let web: TestSvid
let api: TestSvid

beforeAll(async () => {
  ;[home, partner] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'partner.test' })])
  ;[web, api] = await Promise.all([home.issue('/web'), home.issue('/api')])
})

const svidMessage = (svid: TestSvid, changes?: object) => svidMessageOf(svid, home, changes)
const message = (svids: readonly object[] = [svidMessage(web)], federatedBundles: Record<string, Buffer> = {}) =>
  x509MessageOf(svids, federatedBundles)

function clientOf(scripts: Record<string, readonly (readonly Step[])[]>) {
  const agent = new ScriptedWorkloadApi(scripts)
  const clock = new HurryingClock()
  const errors: Error[] = []
  const client = new WorkloadClient({
    transport: agent,
    clock,
    random: () => 0.5,
    onError: (error) => errors.push(error),
  })
  return { agent, clock, errors, client }
}

/** The first states of a watch. */
async function states<T>(count: number, watch: AsyncGenerator<T>): Promise<T[]> {
  const seen: T[] = []
  for await (const state of watch) if (seen.push(state) === count) break
  return seen
}

const names = ({ svids }: X509Context): string[] => svids.map(({ spiffeId }) => spiffeId.path)
const forever = new AbortController().signal

describe('fetchX509Svids()', () => {
  test('WA-18 WA-31 returns SVIDs in order, with own and foreign bundles', async () => {
    const { client } = clientOf({
      fetchX509Svid: [
        [message([svidMessage(web), svidMessage(api)], { 'spiffe://partner.test': partner.certificate.der })],
      ],
    })
    const context = await client.fetchX509Svids()
    expect(names(context)).toEqual(['/web', '/api'])
    expect(context.bundles.values().map(({ trustDomain }) => trustDomain.name)).toEqual(['partner.test', 'example.org'])
    expect(context.bundles.get('partner.test')?.x509Authorities[0]?.certificate.der).toEqual(partner.certificate.der)
    expect(context.bundles.get('partner.test')?.jwtAuthorities).toEqual([])
  })

  test('WE-04 every call carries the security header, once', async () => {
    const { client, agent } = clientOf({
      fetchX509Svid: [[message()], [message()]],
      fetchX509Bundles: [[{ bundles: { 'spiffe://example.org': home.certificate.der } }]],
      fetchJwtBundles: [[{ bundles: { 'spiffe://example.org': Buffer.from('{"keys":[]}') } }]],
      validateJwtSvid: [[{ spiffeId: 'spiffe://example.org/a', claims: { fields: {} } }]],
      fetchJwtSvid: [[{ svids: [] }]],
    })
    await client.fetchX509Svids({ metadata: { 'workload.spiffe.io': 'false', other: 'x' } })
    await states(1, client.watchX509Svids(forever))
    await client.fetchX509Bundles()
    await client.fetchJwtBundles()
    await client.validateJwtSvid('token', 'x')
    await client.fetchJwtSvids({ audience: 'x' }).catch(() => {})
    expect(agent.calls.map(({ options }) => options.metadata?.['workload.spiffe.io'])).toEqual(
      agent.calls.map(() => 'true'),
    )
    expect(agent.calls).toHaveLength(6)
  })

  test.for<readonly [string, () => object]>([
    ['no SVIDs', () => message([])],
    ['an SVID without certificate', () => message([svidMessage(web, { x509Svid: Buffer.of() })])],
    ['an SVID without key', () => message([svidMessage(web), svidMessage(api, { x509SvidKey: Buffer.of() })])],
    ['an SVID without bundle', () => message([svidMessage(web, { bundle: Buffer.of() })])],
    [
      'an id that is not that of the certificate',
      () => message([svidMessage(web, { spiffeId: 'spiffe://example.org/api' })]),
    ],
    ['no id', () => message([svidMessage(web, { spiffeId: '' })])],
  ])('WA-12 IO-06 refuses a message with %s', async ([, bad]) => {
    const { client } = clientOf({ fetchX509Svid: [[bad()]] })
    await expect(client.fetchX509Svids()).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
  })

  test('WA-23 refuses a key that does not fit', async () => {
    const key = api.keyPair.privateKey.export({ type: 'pkcs8', format: 'der' })
    const { client } = clientOf({ fetchX509Svid: [[message([svidMessage(web, { x509SvidKey: key })])]] })
    await expect(client.fetchX509Svids()).rejects.toThrowCode('X509_SVID_INVALID')
  })

  test('IO-37 an empty foreign bundle is one without authorities, and bare names are taken', async () => {
    const { client } = clientOf({ fetchX509Svid: [[message(undefined, { 'partner.test': Buffer.of() })]] })
    expect((await client.fetchX509Svids()).bundles.get('partner.test')?.x509Authorities).toEqual([])
  })

  test('a partner cannot put itself in the place of the own bundle', async () => {
    const { client } = clientOf({
      fetchX509Svid: [[message(undefined, { 'spiffe://example.org': partner.certificate.der })]],
    })
    const own = (await client.fetchX509Svids()).bundles.get('example.org')
    expect(own?.x509Authorities.map(({ certificate }) => certificate.der)).toEqual([home.certificate.der])
  })

  test('WA-32 tolerates CRLs', async () => {
    const { client } = clientOf({ fetchX509Svid: [[{ ...message(), crl: [Buffer.from('crl')] }]] })
    expect(names(await client.fetchX509Svids())).toEqual(['/web'])
  })

  test('a stream that ends without a message is an error', async () => {
    const { client } = clientOf({ fetchX509Svid: [[]] })
    await expect(client.fetchX509Svids()).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID', 'without a message')
  })
})

describe('watchX509Svids()', () => {
  test('WA-09 WA-10 each message replaces everything before it', async () => {
    const first = message([svidMessage(web), svidMessage(api)], { 'spiffe://partner.test': partner.certificate.der })
    const { client } = clientOf({ fetchX509Svid: [[first, message([svidMessage(api)])]] })
    const [before, after] = await states(2, client.watchX509Svids(forever))
    expect([names(before!), names(after!)]).toEqual([['/web', '/api'], ['/api']])
    expect(before!.bundles.get('partner.test')).toBeDefined()
    expect(after!.bundles.get('partner.test')).toBeUndefined()
  })

  test.for([
    ['OK', undefined],
    ['UNAVAILABLE', new RpcError('UNAVAILABLE', 'restarting')],
    ['CANCELLED by the other side', new RpcError('CANCELLED', 'x')],
    ['INTERNAL', new RpcError('INTERNAL', 'reset')],
    ['UNAUTHENTICATED', new RpcError('UNAUTHENTICATED', 'x')],
    ['FAILED_PRECONDITION', new RpcError('FAILED_PRECONDITION', 'x')],
  ] as const)('WA-05 IO-37 IO-39 subscribes again at once when a stream ends with %s', async ([, end]) => {
    const { client, clock, agent } = clientOf({
      fetchX509Svid: [
        [message(), () => clock.pass(60_000), ...(end === undefined ? [] : [end])],
        [message([svidMessage(api)])],
      ],
    })
    const seen = await states(2, client.watchX509Svids(forever))
    expect(seen.map(names)).toEqual([['/web'], ['/api']])
    expect([clock.slept, agent.calls.length]).toEqual([[], 2])
  })

  test('WE-20 IO-38 waits longer after each failure, up to 30 s, and starts over after a success', async () => {
    const down = new RpcError('UNAVAILABLE', 'no such socket')
    const { client, clock, errors } = clientOf({
      fetchX509Svid: [
        ...Array.from({ length: 32 }, () => [down]),
        [message(), () => clock.pass(60_000), down],
        [down],
        [message()],
      ],
    })
    await states(2, client.watchX509Svids(forever))
    expect(clock.slept.slice(0, 4)).toEqual([1000, 2000, 3000, 4000])
    expect(clock.slept.slice(29, 32)).toEqual([30_000, 30_000, 30_000])
    expect(clock.slept.slice(32)).toEqual([1000])
    expect(errors).toHaveLength(34)
  })

  test('an agent that answers and fails at once is not asked without a pause', async () => {
    const { client, clock } = clientOf({ fetchX509Svid: [[message()], [message()], [message()]] })
    await states(3, client.watchX509Svids(forever))
    expect(clock.slept).toEqual([1000, 1000])
  })

  test('WE-21 WA-25 PERMISSION_DENIED withdraws what was held, and a later registration is found', async () => {
    const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
    const { client, clock } = clientOf({
      fetchX509Svid: [[message(), denied], [denied], [denied], [message([svidMessage(api)])]],
    })
    const seen = await states(3, client.watchX509Svids(forever))
    expect(seen.map(names)).toEqual([['/web'], [], ['/api']])
    expect(seen[1]!.bundles.values()).toEqual([])
    expect(clock.slept).toHaveLength(3)
  })

  test('WE-21 denied before anything was held: nothing is withdrawn', async () => {
    const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
    const { client } = clientOf({ fetchX509Svid: [[denied], [message()]] })
    expect((await states(1, client.watchX509Svids(forever))).map(names)).toEqual([['/web']])
  })

  test.for(['INVALID_ARGUMENT', 'UNIMPLEMENTED'] as const)(
    'WE-19 WE-22 IO-39 does not repeat a call answered with %s',
    async (status) => {
      const { client, agent } = clientOf({ fetchX509Svid: [[new RpcError(status, 'x')]] })
      await expect(states(1, client.watchX509Svids(forever))).rejects.toThrow(status)
      expect(agent.calls).toHaveLength(1)
    },
  )

  test('WA-12 IO-40 a message that cannot be used is reported, and the stream goes on', async () => {
    const garbage = svidMessage(web, { x509Svid: Buffer.from('garbage') })
    const { client, errors, agent } = clientOf({
      fetchX509Svid: [[message(), message([]), message([garbage]), message([svidMessage(api)])]],
    })
    const seen = await states(2, client.watchX509Svids(forever))
    expect(seen.map(names)).toEqual([['/web'], ['/api']])
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual([
      'WORKLOAD_RESPONSE_INVALID',
      'CERTIFICATE_INVALID',
    ])
    expect(agent.calls).toHaveLength(1)
  })

  test('IO-39 ends when it is aborted, also while it waits', async () => {
    const stop = new AbortController()
    const { client } = clientOf({
      fetchX509Svid: [[() => stop.abort(new Error('enough')), new RpcError('CANCELLED', 'x')]],
    })
    await expect(states(1, client.watchX509Svids(stop.signal))).rejects.toThrow('enough')
  })
})

describe('bundles', () => {
  test('WA-28 X.509 bundles hold nothing for JWTs, and are complete at each message', async () => {
    const bundles = { 'spiffe://example.org': home.certificate.der, 'spiffe://partner.test': partner.certificate.der }
    const { client } = clientOf({
      fetchX509Bundles: [[{ bundles, crl: [] }, { bundles: { 'spiffe://example.org': home.certificate.der } }]],
    })
    const [before, after] = await states(2, client.watchX509Bundles(forever))
    expect(before!.values().flatMap(({ jwtAuthorities }) => jwtAuthorities)).toEqual([])
    expect([before!.values().length, after!.values().length]).toEqual([2, 1])
  })

  test('WA-45 JWT bundles hold nothing for X.509', async () => {
    const jwtAuthorities = [{ keyId: 'k', publicKey: home.keyPair.publicKey, expiresAt: undefined, tainted: false }]
    const jwks = Buffer.from(printJwks(bundleOf({ ...home.bundle(), jwtAuthorities })))
    const { client } = clientOf({ fetchJwtBundles: [[{ bundles: { 'spiffe://example.org': jwks } }]] })
    const bundle = (await client.fetchJwtBundles()).get('example.org')
    expect([bundle?.x509Authorities, bundle?.jwtAuthorities.map(({ keyId }) => keyId)]).toEqual([[], ['k']])
  })

  test.for(['fetchX509Bundles', 'fetchJwtBundles'] as const)('WA-12 %s refuses an empty map', async (method) => {
    const { client } = clientOf({ [method]: [[{ bundles: {}, crl: [] }]] })
    await expect(client[method]()).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
  })

  test('WA-46 PERMISSION_DENIED withdraws bundles', async () => {
    const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
    const { client } = clientOf({
      fetchJwtBundles: [[{ bundles: { 'spiffe://example.org': Buffer.from('{"keys":[]}') } }, denied]],
    })
    const [before, after] = await states(2, client.watchJwtBundles(forever))
    expect([before!.values().length, after!.values().length]).toEqual([1, 0])
  })
})

describe('JWT-SVIDs', () => {
  const token = (sub: string, aud: readonly string[]): Promise<string> =>
    signJws({ kid: 'k', typ: 'JWT' }, { sub, aud, exp: 2_000_000_000, iat: 1 }, home.signer, 'ES256')
  const webId = 'spiffe://example.org/web'

  test('fetches tokens for an audience and an identity', async () => {
    const svid = await token(webId, ['orders'])
    const { client, agent } = clientOf({ fetchJwtSvid: [[{ svids: [{ spiffeId: webId, svid, hint: 'internal' }] }]] })
    const [first] = await client.fetchJwtSvids({ audience: 'orders', spiffeId: SpiffeId.parse(webId) })
    expect(first).toMatchObject({ token: svid, hint: 'internal', audience: ['orders'] })
    expect(agent.calls[0]?.request).toEqual({ audience: ['orders'], spiffeId: webId })
  })

  test('WA-12 refuses incomplete answers and tokens for others', async () => {
    const svid = await token(webId, ['orders'])
    const wrong = [
      [],
      [{ spiffeId: webId, svid: '', hint: '' }],
      [{ spiffeId: 'spiffe://example.org/api', svid, hint: '' }],
      [{ spiffeId: webId, svid: await token(webId, ['else']), hint: '' }],
    ]
    const { client } = clientOf({ fetchJwtSvid: wrong.map((svids) => [{ svids }]) })
    for (const _ of wrong) {
      await expect(client.fetchJwtSvids({ audience: ['orders'] })).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
    }
  })

  test.for([[[]], [['']], ['']])('JW-11 asks for no token without an audience: %j', async ([audience]) => {
    const { client } = clientOf({})
    await expect(client.fetchJwtSvids({ audience: audience! })).rejects.toBeInstanceOf(TypeError)
  })

  test('WA-42 validates a token at the agent and returns its claims as JSON', async () => {
    const claims = {
      fields: {
        sub: { kind: 'stringValue', stringValue: webId },
        aud: { kind: 'listValue', listValue: { values: [{ kind: 'stringValue', stringValue: 'x' }] } },
        exp: { kind: 'numberValue', numberValue: 2_000_000_000 },
        zone: { kind: 'structValue', structValue: { fields: { secret: { kind: 'boolValue', boolValue: true } } } },
        none: { kind: 'nullValue', nullValue: 'NULL_VALUE' },
      },
    }
    const { client, agent } = clientOf({ validateJwtSvid: [[{ spiffeId: webId, claims }]] })
    const validated = await client.validateJwtSvid('token', 'x')
    expect(validated.spiffeId.toString()).toBe(webId)
    expect(validated.claims).toEqual({ sub: webId, aud: ['x'], exp: 2_000_000_000, zone: { secret: true }, none: null })
    expect(agent.calls[0]?.request).toEqual({ svid: 'token', audience: 'x' })
  })

  test('WA-12 refuses a validation without identity or claims', async () => {
    const { client } = clientOf({
      validateJwtSvid: [[{ spiffeId: '', claims: { fields: {} } }], [{ spiffeId: webId, claims: null }]],
    })
    for (const _ of [1, 2]) {
      await expect(client.validateJwtSvid('token', 'x')).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
    }
  })

  test('closes its transport', async () => {
    const { client, agent } = clientOf({})
    await client.close()
    expect(agent.closed).toBe(true)
  })
})
