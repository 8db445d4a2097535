import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { printJwks } from '../../../src/bundle/jwks.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import type { KeyPair } from '../../../src/key/cryptography.ts'
import { signerOf } from '../../../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { JwtSource, type JwtSourceOptions } from '../../../src/workload/jwt-source.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { ScriptedWorkloadApi, silence, type Step } from '../../fakes/workload-api.ts'

const start = new Date('2026-06-01T12:00:00Z')
const MINUTE_MS = 60_000
const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
const down = new RpcError('UNAVAILABLE', 'restarting')

let keys: Record<'old' | 'new', KeyPair>
let clock: FakeClock

beforeAll(async () => {
  keys = { old: await cryptography.generateKeyPair('ec-p256'), new: await cryptography.generateKeyPair('ec-p256') }
})

beforeEach(() => {
  clock = new FakeClock(start)
})

const bundlesMessage = (...names: readonly ('old' | 'new')[]) => {
  const jwtAuthorities = names.map((keyId) => {
    return { keyId, publicKey: keys[keyId].publicKey, expiresAt: undefined, tainted: false }
  })
  const bundle = bundleOf({ trustDomain: TrustDomain.parse('example.org'), jwtAuthorities })
  return { bundles: { 'spiffe://example.org': Buffer.from(printJwks(bundle)) } }
}

interface TokenOptions {
  readonly sub?: string
  readonly aud?: readonly string[]
  readonly kid?: 'old' | 'new'
  readonly startMs?: number
  readonly minutes?: number
}

/** A token of five minutes. */
function token({ sub = '/web', aud = ['orders'], kid = 'old', startMs = 0, minutes = 5 }: TokenOptions = {}) {
  const iat = Math.floor((start.getTime() + startMs) / 1000)
  const claims = { sub: `spiffe://example.org${sub}`, aud, exp: iat + minutes * 60, iat }
  return signJws({ kid, typ: 'JWT' }, claims, signerOf(keys[kid], cryptography), 'ES256')
}

const answer = async (options: TokenOptions = {}, hint = '') => ({
  svids: [{ spiffeId: `spiffe://example.org${options.sub ?? '/web'}`, svid: await token(options), hint }],
})

interface Agent {
  readonly tokens?: readonly Step[]
  readonly bundles?: readonly (readonly Step[])[]
}

async function open({ tokens = [], bundles }: Agent, options: JwtSourceOptions = {}) {
  const agent = new ScriptedWorkloadApi({
    fetchJwtBundles: bundles ?? [[bundlesMessage('old'), silence]],
    fetchJwtSvid: tokens.map((step) => [step]),
  })
  const client = new WorkloadClient({ transport: agent, clock, random: () => 0.5 })
  const source = await JwtSource.open({ client, ...options })
  const asked = (): unknown[] =>
    agent.calls.filter(({ method }) => method === 'fetchJwtSvid').map(({ request }) => request)
  return { source, asked, [Symbol.asyncDispose]: () => source.close() }
}

describe('fetch()', () => {
  test('asks the agent once, and hands the token out until half of its life is over', async () => {
    await using opened = await open({ tokens: [await answer()] })
    const { source, asked } = opened
    const [first, second] = await Promise.all([source.fetch('orders'), source.fetch(['orders'])])
    await clock.advance(2.5 * MINUTE_MS - 1)
    expect([second.token, (await source.fetch('orders')).token]).toEqual([first.token, first.token])
    expect(asked()).toEqual([{ audience: ['orders'], spiffeId: '' }])
  })

  test('from half of its life on renews it, and hands out the old one meanwhile', async () => {
    const renewed = await answer({ startMs: 2.5 * MINUTE_MS })
    await using opened = await open({ tokens: [await answer(), renewed] })
    const { source, asked } = opened
    const first = await source.fetch('orders')
    await clock.advance(2.5 * MINUTE_MS)
    expect((await source.fetch('orders')).token).toBe(first.token)
    await settled()
    expect((await source.fetch('orders')).token).toBe(renewed.svids[0]!.svid)
    expect(asked()).toHaveLength(2)
  })

  test('keeps the old one while the agent is away, pauses between attempts, and refuses when it ends', async () => {
    const errors: Error[] = []
    await using opened = await open(
      { tokens: [await answer(), ...Array.from({ length: 20 }, () => down)] },
      { onError: (error) => errors.push(error) },
    )
    const { source, asked } = opened
    const first = await source.fetch('orders')
    await clock.advance(2.5 * MINUTE_MS)
    for (let second = 0; second < 6; second++) {
      for (let request = 0; request < 3; request++) expect((await source.fetch('orders')).token).toBe(first.token)
      await clock.advance(1_000)
    }
    // Attempts after 0, 1 and 3 s; the next one follows 3 s later.
    expect(asked()).toHaveLength(4)
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual(Array(3).fill('IDENTITY_PENDING'))
    await clock.advance(2.5 * MINUTE_MS - 6_000 - 10_000)
    await expect(source.fetch('orders')).rejects.toThrowCode('IDENTITY_PENDING', 'restarting')
  })

  test('WA-25: a workload that is no longer entitled gets no token from memory either', async () => {
    await using opened = await open({ tokens: [await answer(), denied, denied] })
    const { source } = opened
    await source.fetch('orders')
    await clock.advance(2.5 * MINUTE_MS)
    await source.fetch('orders')
    await settled()
    await expect(source.fetch('orders')).rejects.toThrowCode('NO_IDENTITY', 'no identity issued')
  })

  test('a key that has left the bundle makes its tokens useless, however young they are', async () => {
    const rotated = Promise.withResolvers<void>()
    const bundles = [[bundlesMessage('old'), () => rotated.promise, bundlesMessage('new'), silence]]
    const fresh = await answer({ kid: 'new' })
    await using opened = await open({ bundles, tokens: [await answer(), fresh] })
    const { source, asked } = opened
    await source.fetch('orders')
    rotated.resolve()
    await settled()
    expect((await source.fetch('orders')).token).toBe(fresh.svids[0]!.svid)
    await source.fetch('orders')
    expect(asked()).toHaveLength(2)
  })

  test('a token of a key that is not in the bundle yet is not asked for again and again', async () => {
    await using opened = await open({ tokens: [await answer({ kid: 'new' })] })
    const { source, asked } = opened
    for (let request = 0; request < 5; request++) await source.fetch('orders')
    expect(asked()).toHaveLength(1)
  })

  test('tokens are kept by audience and identity', async () => {
    await using opened = await open({
      tokens: [
        await answer(),
        await answer({ aud: ['orders', 'reports'] }),
        await answer({ sub: '/api' }),
        await answer({ aud: ['reports'] }),
      ],
    })
    const { source, asked } = opened
    const picker = { spiffeId: 'spiffe://example.org/api' }
    for (let turn = 0; turn < 2; turn++) {
      await source.fetch('orders')
      await source.fetch(['orders', 'reports'])
      expect((await source.fetch('orders', { picker })).spiffeId.path).toBe('/api')
      await source.fetch('reports')
    }
    expect(asked()).toHaveLength(4)
    expect(asked()[2]).toEqual({ audience: ['orders'], spiffeId: 'spiffe://example.org/api' })
  })

  test('WA-19: picks by hint from what the agent sends, and never falls back', async () => {
    const [web, api] = [await answer({}, 'internal'), await answer({ sub: '/api' }, 'external')]
    const both = { svids: [...web.svids, ...api.svids] }
    await using opened = await open({ tokens: [both] }, { picker: { hint: 'external' } })
    const { source } = opened
    expect((await source.fetch('orders')).spiffeId.path).toBe('/api')
    await expect(source.fetch('orders', { picker: { hint: 'other' } })).rejects.toThrowCode('IDENTITY_NOT_HELD')
  })

  test('a caller may stop waiting; the others still get the token', async () => {
    const come = Promise.withResolvers<void>()
    const agent = new ScriptedWorkloadApi({
      fetchJwtBundles: [[bundlesMessage('old'), silence]],
      fetchJwtSvid: [[() => come.promise, await answer()]],
    })
    await using source = await JwtSource.open({ client: new WorkloadClient({ transport: agent, clock }) })
    const stop = new AbortController()
    const [impatient, patient] = [source.fetch('orders', { signal: stop.signal }), source.fetch('orders')]
    stop.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    come.resolve()
    expect((await patient).audience).toEqual(['orders'])
  })

  test('JW-11: without an audience it asks for nothing', async () => {
    await using opened = await open({})
    await expect(opened.source.fetch([])).rejects.toBeInstanceOf(TypeError)
    expect(opened.asked()).toEqual([])
  })

  test('WA-12: an incomplete answer is an error, and is not kept', async () => {
    await using opened = await open({ tokens: [{ svids: [] }, await answer()] })
    await expect(opened.source.fetch('orders')).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
    expect((await opened.source.fetch('orders')).spiffeId.path).toBe('/web')
  })
})

describe('verify()', () => {
  test('accepts a token for this service, with the bundles of this moment', async () => {
    const rotated = Promise.withResolvers<void>()
    const bundles = [[bundlesMessage('old'), () => rotated.promise, bundlesMessage('new'), silence]]
    await using opened = await open({ bundles })
    const { source } = opened
    const [older, newer] = [await token(), await token({ kid: 'new' })]
    expect((await source.verify(older, 'orders')).spiffeId.path).toBe('/web')
    await expect(source.verify(newer, 'orders')).rejects.toThrowCode('JWT_KEY_UNKNOWN')
    rotated.resolve()
    await settled()
    expect((await source.verify(newer, 'orders')).keyId).toBe('new')
    await expect(source.verify(older, 'orders')).rejects.toThrowCode('JWT_KEY_UNKNOWN')
  })

  test('JW-12 JW-17 JW-23: refuses another audience, an expired token, a foreign trust domain', async () => {
    await using opened = await open({})
    const { source } = opened
    const good = await token()
    await expect(source.verify(good, 'reports')).rejects.toThrowCode('JWT_SVID_AUDIENCE')
    await clock.advance(5 * MINUTE_MS + 5_000)
    await expect(source.verify(good, 'orders')).rejects.toThrowCode('JWT_SVID_EXPIRED')
    const foreign = await signJws(
      { kid: 'old', typ: 'JWT' },
      { sub: 'spiffe://other.test/a', aud: ['orders'], exp: 2_000_000_000 },
      signerOf(keys.old, cryptography),
      'ES256',
    )
    await expect(source.verify(foreign, 'orders')).rejects.toThrowCode('BUNDLE_UNKNOWN')
  })

  test('WA-46 BA-27: a withdrawal takes the tokens along that were fetched before', async () => {
    const held = Promise.withResolvers<void>()
    const bundles = [[bundlesMessage('old'), () => held.promise, denied], [silence]]
    await using opened = await open({ tokens: [await answer(), denied], bundles })
    await opened.source.fetch('orders')
    held.resolve()
    await settled()
    expect(opened.source.health.status).toBe('withdrawn')
    await expect(opened.source.fetch('orders')).rejects.toThrowCode('NO_IDENTITY')
    expect(opened.asked()).toHaveLength(2)
  })

  test('WA-46: after a withdrawal no token verifies', async () => {
    await using opened = await open({ bundles: [[bundlesMessage('old'), denied], [silence]] })
    await settled()
    expect(opened.source.health.status).toBe('withdrawn')
    await expect(opened.source.verify(await token(), 'orders')).rejects.toThrowCode('BUNDLE_UNKNOWN')
  })
})

test('opening waits for the bundles, and says in time that they are missing', async () => {
  const failure = open({ bundles: [[silence]] }, { timeoutMs: 10 }).catch((error: unknown) => error)
  await clock.advance(10)
  expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'JWT bundles')
})

test('JW-28: what is closed has forgotten its tokens and hands out nothing', async () => {
  const { source } = await open({ tokens: [await answer()] })
  await source.fetch('orders')
  await source.close()
  await expect(source.fetch('orders')).rejects.toThrowCode('SOURCE_CLOSED')
  await expect(source.verify(await token(), 'orders')).rejects.toThrowCode('SOURCE_CLOSED')
})
