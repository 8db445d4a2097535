import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, type JWK, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { GOOD_STANDING } from '../../../agent/entries/standing.ts'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { parseWitSvid } from '../../../src/wit/wit-svid.ts'
import { changes } from '../../fakes/changes.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld, type AgentWorldOptions } from '../agent-world.ts'
import { type CallOptions, handlersOf, Reading, workloadCall } from './workload-client.ts'

const a = anEntry('a', { hint: 'internal' })
const b = anEntry('b', { hint: 'internal' })
const anotherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

async function worldWith(
  entries: readonly ReturnType<typeof anEntry>[] = [a],
  options: AgentWorldOptions = {},
): Promise<AgentWorld> {
  const world = await AgentWorld.create({ wit: true, ...options })
  world.hold(entries)
  return world
}

const svidStream = (world: AgentWorld, spiffeId = '', options: CallOptions = {}) =>
  new Reading(handlersOf(world).fetchWitSvid({ spiffeId }, workloadCall(options)))
const bundleStream = (world: AgentWorld, options: CallOptions = {}) =>
  new Reading(handlersOf(world).fetchWitBundles({}, workloadCall(options)))
const messagesOf = (reading: Reading<unknown>, count: number) =>
  until(() => reading.messages.length >= count || reading.error !== undefined, `${count} messages`)

/** Lets the time pass that a caller is kept waiting for, once it waits. */
async function refused(world: AgentWorld, stream: Reading<unknown>): Promise<void> {
  await until(() => world.callers.held > 0, 'the wait')
  await world.clock.advance(5_000)
  await until(() => stream.error !== undefined, 'the refusal')
}

async function apply(world: AgentWorld, ...bundles: readonly ReturnType<typeof bundleOf>[]): Promise<void> {
  world.entitlements.apply(changes({ bundles }))
  await settled()
}

describe('FetchWITSVID', () => {
  test('WA-49 WA-50 WI-22: all identities with every field, the key in each its own; both callers get the same', async () => {
    await using world = await worldWith([a, b])
    const [one, other] = [svidStream(world), svidStream(world)]
    await Promise.all([messagesOf(one, 1), messagesOf(other, 1)])
    const { svids = [] } = one.last
    expect(svids.map(({ spiffeId }) => spiffeId)).toEqual([a, b].map(({ spiffeId }) => spiffeId.toString()))
    // Two entries with one hint: the older one keeps it (WA-15).
    expect(svids.map(({ hint }) => hint)).toEqual(['internal', ''])
    for (const { spiffeId, witSvid = '', witSvidKey = '' } of svids) {
      const parsed = parseWitSvid(witSvid)
      expect(parsed.spiffeId.toString()).toBe(spiffeId)
      const key = createPrivateKey({ key: JSON.parse(witSvidKey) as JWK, format: 'jwk' })
      const proof = sign('sha256', Buffer.from('proof'), key)
      expect(verify('sha256', Buffer.from('proof'), parsed.publicKey, proof)).toBe(true)
      const { d: _private, ...publicJwk } = JSON.parse(witSvidKey) as Record<string, string>
      expect(publicJwk).toEqual((parsed.claims['cnf'] as { jwk: object }).jwk)
    }
    expect(new Set(svids.map(({ witSvidKey }) => witSvidKey)).size).toBe(2)
    expect(other.last).toEqual(one.last)
    expect(world.upstream.witOrders).toHaveLength(2)
  })

  test('WA-49 one identity where that is asked for', async () => {
    await using world = await worldWith([a, b])
    const stream = svidStream(world, b.spiffeId.toString())
    await messagesOf(stream, 1)
    expect(stream.last.svids?.map(({ spiffeId }) => spiffeId)).toEqual([b.spiffeId.toString()])
    expect(world.upstream.witOrders.map(({ entryId }) => entryId)).toEqual(['b'])
  })

  test('WA-51 an identity that is not held, or none at all, is PERMISSION_DENIED; a malformed one INVALID_ARGUMENT', async () => {
    await using world = await worldWith([a])
    const streams = [
      svidStream(world, anId('/other').toString()),
      svidStream(world, 'spiffe://'),
      svidStream(world, '', { uid: 7 }),
    ]
    await refused(world, streams[2]!)
    await until(() => streams.every(({ error }) => error !== undefined))
    const codes = streams.map(({ error }) => (error as SallyportError).row.grpc)
    expect(codes).toEqual(['PERMISSION_DENIED', 'INVALID_ARGUMENT', 'PERMISSION_DENIED'])
    expect(world.upstream.witOrders).toEqual([])
  })

  test('WA-51 WA-52 losing the last identity ends the stream with PERMISSION_DENIED, and its key is dropped', async () => {
    await using world = await worldWith([a])
    const stream = svidStream(world)
    await messagesOf(stream, 1)
    world.hold([])
    await until(() => stream.error !== undefined)
    expect((stream.error as SallyportError).row.grpc).toBe('PERMISSION_DENIED')
    expect(world.witSvids.size).toBe(0)
  })

  test('WA-06 WA-08 a message holds everything, and comes only when something of it has changed', async () => {
    await using world = await worldWith([a])
    const stream = svidStream(world)
    await messagesOf(stream, 1)
    const { authority } = world.upstream
    await apply(world, world.upstream.bundleWith([authority], ['jwt-1', 'jwt-2'], 2, ['wit-1']))
    expect(stream.messages).toHaveLength(1)
    world.hold([a, b])
    await messagesOf(stream, 2)
    expect(stream.last.svids).toHaveLength(2)
    expect(stream.last.svids?.[0]).toEqual(stream.messages[0]?.svids?.[0])
  })

  test('WI-31 a stream gets a new token with a new key at half of its life', async () => {
    await using world = await worldWith([a])
    const stream = svidStream(world)
    await messagesOf(stream, 1)
    await world.clock.advance(3600_000 * 0.44)
    expect(stream.messages).toHaveLength(1)
    await world.clock.advance(3600_000 * 0.12)
    await messagesOf(stream, 2)
    const [before, after] = stream.messages.map(({ svids }) => svids?.[0])
    const keyOf = (jwk = '{}') => createPublicKey({ key: JSON.parse(jwk) as JWK, format: 'jwk' })
    expect(keyOf(after?.witSvidKey).equals(keyOf(before?.witSvidKey))).toBe(false)
    expect(parseWitSvid(after?.witSvid ?? '').expiresAt > parseWitSvid(before?.witSvid ?? '').expiresAt).toBe(true)
  })

  test('WA-48 a token is held back until the bundle that is served holds its key', async () => {
    await using world = await worldWith([a])
    world.upstream.witKeyId = 'wit-2'
    const stream = svidStream(world)
    await until(() => world.upstream.witOrders.length > 0)
    await until(() => world.callers.held > 0)
    expect([stream.messages, stream.error]).toEqual([[], undefined])
    await apply(world, world.upstream.bundleWith([world.upstream.authority], ['jwt-1'], 2, ['wit-1', 'wit-2']))
    await messagesOf(stream, 1)
    expect(parseWitSvid(stream.last.svids?.[0]?.witSvid ?? '').keyId).toBe('wit-2')
  })

  test('a rotated authority changes nothing; a tainted one replaces what it signed, a revoked one takes it back', async () => {
    await using world = await worldWith([a])
    const stream = svidStream(world)
    await messagesOf(stream, 1)
    const { authority } = world.upstream
    const both = world.upstream.bundleWith([authority], ['jwt-1'], 2, ['wit-1', 'wit-2'])
    world.upstream.witKeyId = 'wit-2'
    await apply(world, both)
    expect(stream.messages).toHaveLength(1)
    const [first, second] = both.witAuthorities
    await apply(
      world,
      bundleOf({ ...both, sequenceNumber: 3, witAuthorities: [{ ...first!, tainted: true }, second!] }),
    )
    await messagesOf(stream, 2)
    expect(parseWitSvid(stream.last.svids?.[0]?.witSvid ?? '').keyId).toBe('wit-2')
    world.upstream.witKeyId = 'wit-3'
    await apply(world, world.upstream.bundleWith([authority], ['jwt-1'], 4, ['wit-3']))
    await messagesOf(stream, 3)
    expect(parseWitSvid(stream.last.svids?.[0]?.witSvid ?? '').keyId).toBe('wit-3')
  })

  test.for<readonly [string, object]>([
    ['for somebody else', { sub: 'spiffe://example.org/other' }],
    ['that has ended', { exp: 1 }],
    ['of another key', { cnf: { jwk: { ...anotherKey, alg: 'ES256' } } }],
    ['with an audience', { aud: ['x'] }],
  ])('nobody gets a token %s that the server signed by mistake', async ([, claims]) => {
    await using world = await worldWith([a])
    world.upstream.witClaims.set('a', claims)
    const stream = svidStream(world)
    await refused(world, stream)
    expect([stream.messages, (stream.error as SallyportError).row.grpc]).toEqual([[], 'UNAVAILABLE'])
  })

  test('while the server has none or is away, the answer is one that is asked again, and says why', async () => {
    await using world = await worldWith([a])
    world.upstream.failure = new SallyportError('METHOD_UNIMPLEMENTED', 'WIT-SVIDs are not offered by this server')
    const stream = svidStream(world)
    await refused(world, stream)
    expect(stream.error).toThrowCode('IDENTITY_PENDING', 'not offered by this server')
    world.status.set('connecting')
    const away = svidStream(world)
    await refused(world, away)
    expect((away.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
  })

  test('what is held stays in use while the server is away, and never beyond its end', async () => {
    await using world = await worldWith([a])
    const stream = svidStream(world)
    await messagesOf(stream, 1)
    world.upstream.failure = new SallyportError('SERVER_UNREACHABLE', 'away')
    await world.clock.advance(3590_000)
    expect(stream.error).toBeUndefined()
    const late = svidStream(world)
    await messagesOf(late, 1)
    expect(late.last).toEqual(stream.last)
    await world.clock.advance(10_000)
    await until(() => stream.error !== undefined)
    expect((stream.error as SallyportError).row.grpc).toBe('UNAVAILABLE')
    expect(world.witSvids.size).toBe(0)
  })

  test.for([true, false])(
    'an identity in quarantine gets none, though its X509-SVID stays in use for open conduits (%s)',
    async (isX509Withheld) => {
      await using world = await worldWith([a, b])
      const [both, one] = [svidStream(world), svidStream(world, a.spiffeId.toString())]
      await Promise.all([messagesOf(both, 1), messagesOf(one, 1)])
      const withheld = (id: string) =>
        id === a.spiffeId.toString() ? ({ why: 'quarantined', isX509Withheld } as const) : undefined
      world.entitlements.stand({ ...GOOD_STANDING, withheld })
      await messagesOf(both, 2)
      expect(both.last.svids?.map(({ spiffeId }) => spiffeId)).toEqual([b.spiffeId.toString()])
      await until(() => one.error !== undefined)
      expect(one.error).toThrowCode('IDENTITY_WITHHELD', 'is in quarantine')
      world.entitlements.stand(GOOD_STANDING)
      await messagesOf(both, 3)
      expect(both.last.svids).toHaveLength(2)
    },
  )

  test('after the release one that the server had refused is signed at once', async () => {
    await using world = await worldWith([a])
    world.upstream.entriesRefused.set(a.id, new SallyportError('ISSUANCE_REFUSED', 'it is in quarantine'))
    const early = svidStream(world)
    await until(() => world.callers.held > 0, 'the first refusal')
    world.entitlements.stand({ ...GOOD_STANDING, withheld: () => ({ why: 'quarantined', isX509Withheld: true }) })
    await until(() => early.error !== undefined)
    expect(early.error).toThrowCode('IDENTITY_WITHHELD')
    world.upstream.entriesRefused.clear()
    world.entitlements.stand(GOOD_STANDING)
    const late = svidStream(world)
    await messagesOf(late, 1)
    expect(late.last.svids).toHaveLength(1)
  })

  test('WI-31 what nobody waits for is not renewed: its key is dropped at half of its life', async () => {
    await using world = await worldWith([a])
    const stop = new AbortController()
    const stream = svidStream(world, '', { signal: stop.signal })
    await messagesOf(stream, 1)
    stop.abort(new Error('gone'))
    await until(() => stream.error !== undefined)
    await world.clock.advance(3600_000 * 0.44)
    expect(world.witSvids.size).toBe(1)
    await world.clock.advance(3600_000 * 0.12)
    expect([world.witSvids.size, world.upstream.witOrders.length]).toEqual([0, 1])
  })
})

describe('FetchWITBundles', () => {
  test('WA-53 WA-54 WI-32 own and federated bundles, WIT keys alone with kid and use; jose verifies with them', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    const silent = await TestAuthority.create({ trustDomain: 'silent.org' })
    await using world = await worldWith([])
    const witAuthorities = [
      { keyId: 'theirs', publicKey: foreign.keyPair.publicKey, expiresAt: undefined, tainted: false },
    ]
    const federatesWith = [TrustDomain.parse('other.org'), TrustDomain.parse('silent.org')]
    world.hold([anEntry('a', { federatesWith })], [bundleOf({ ...foreign.bundle(), witAuthorities }), silent.bundle()])
    const [svids, bundles] = [svidStream(world), bundleStream(world)]
    await Promise.all([messagesOf(svids, 1), messagesOf(bundles, 1)])
    // A partner without WIT-SVIDs has no WIT bundle.
    expect(Object.keys(bundles.last.bundles ?? {})).toEqual(['spiffe://example.org', 'spiffe://other.org'])
    const own = JSON.parse(bundles.last.bundles?.['spiffe://example.org'] ?? '') as JSONWebKeySet
    expect(own.keys).toEqual([
      { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), use: 'wit-svid', kid: 'wit-1' },
    ])
    const withoutUse = { keys: own.keys.map(({ use: _use, ...key }) => key) }
    const options = { currentDate: world.clock.now(), typ: 'wit+jwt' }
    const { payload } = await jwtVerify(svids.last.svids?.[0]?.witSvid ?? '', createLocalJWKSet(withoutUse), options)
    expect(payload.sub).toBe(a.spiffeId.toString())
  })

  test('WA-08 WA-53 says what is new, and nothing when it is not; without an identity PERMISSION_DENIED', async () => {
    await using world = await worldWith([a])
    const stream = bundleStream(world)
    await messagesOf(stream, 1)
    const { authority } = world.upstream
    await apply(world, world.upstream.bundleWith([authority], ['jwt-2'], 2, ['wit-1']))
    expect(stream.messages).toHaveLength(1)
    await apply(world, world.upstream.bundleWith([authority], ['jwt-2'], 3, ['wit-1', 'wit-2']))
    await messagesOf(stream, 2)
    const denied = bundleStream(world, { uid: 7 })
    await refused(world, denied)
    expect((denied.error as SallyportError).row.grpc).toBe('PERMISSION_DENIED')
  })

  test('WA-53 the own trust domain is there before it has a key', async () => {
    await using world = await worldWith([a])
    await apply(world, world.upstream.bundleWith([world.upstream.authority], ['jwt-1'], 2))
    const stream = bundleStream(world)
    await messagesOf(stream, 1)
    expect(stream.last.bundles).toEqual({ 'spiffe://example.org': '{"keys":[]}' })
  })

  test('WA-37 the other bundles hold no WIT key', async () => {
    await using world = await worldWith([a])
    const stream = new Reading(handlersOf(world).fetchJwtBundles({}, workloadCall()))
    await messagesOf(stream, 1)
    expect(String(stream.last.bundles?.['spiffe://example.org'])).not.toContain('wit')
  })
})
