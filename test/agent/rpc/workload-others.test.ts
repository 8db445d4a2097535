import { describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import type { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { parseJwtSvid } from '../../../src/svid/jwt-svid.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld } from '../agent-world.ts'
import { failureOf, handlersOf, Reading, workloadCall, type CallOptions } from './workload-client.ts'

const other = TrustDomain.parse('other.org')

async function worldWith(...entries: readonly ReturnType<typeof anEntry>[]): Promise<AgentWorld> {
  const world = await AgentWorld.create()
  world.hold(entries)
  return world
}

describe('every method of the Workload API', () => {
  const headers = [undefined, [], ['True'], ['TRUE'], ['1'], [''], ['true', 'true'], ['true', 'false']]

  test.for(headers)('WE-05 WE-06 quirk 12: is refused with the header %j', async (header) => {
    await using world = await worldWith(anEntry('a'))
    const served = handlersOf(world)
    const call = workloadCall({ header })
    const refusals = await Promise.all([
      failureOf(served.fetchX509Svid({}, call)),
      failureOf(served.fetchX509Bundles({}, call)),
      failureOf(served.fetchJwtSvid({ audience: ['a'], spiffeId: '' }, call)),
      failureOf(served.fetchJwtBundles({}, call)),
      failureOf(served.validateJwtSvid({ audience: 'a', svid: 'x' }, call)),
      failureOf(served.fetchWitSvid({ spiffeId: '' }, call)),
      failureOf(served.fetchWitBundles({}, call)),
    ])
    for (const refusal of refusals) expect(refusal).toThrowCode('HEADER_MISSING')
    expect(refusals[0]!.row.grpc).toBe('INVALID_ARGUMENT')
  })

  test('WA-02 quirk 12: WIT-SVIDs are not offered', async () => {
    await using world = await worldWith(anEntry('a'))
    const served = handlersOf(world)
    for (const stream of [
      served.fetchWitSvid({ spiffeId: '' }, workloadCall()),
      served.fetchWitBundles({}, workloadCall()),
    ]) {
      expect((await failureOf(stream)).row.grpc).toBe('UNIMPLEMENTED')
    }
  })
})

describe('FetchX509Bundles and FetchJWTBundles', () => {
  async function bundleStreams(world: AgentWorld, options: CallOptions = {}) {
    const served = handlersOf(world)
    const x509 = new Reading(served.fetchX509Bundles({}, workloadCall(options)))
    const jwt = new Reading(served.fetchJwtBundles({}, workloadCall(options)))
    await settled()
    return { x509, jwt }
  }

  test('WA-27 WA-37 WA-38 IO-22 quirk 29 30: own and federated bundles, JWT keys alone and without use', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    await using world = await AgentWorld.create()
    world.hold([anEntry('a', { federatesWith: [other] })], [foreign.bundle()])
    const { x509, jwt } = await bundleStreams(world)
    expect(Object.keys(x509.last.bundles!)).toEqual(['spiffe://example.org', 'spiffe://other.org'])
    const own = JSON.parse(Buffer.from(jwt.last.bundles!['spiffe://example.org']!).toString()) as { keys: object[] }
    expect(own.keys).toEqual([{ kty: 'EC', crv: 'P-256', kid: 'jwt-1', x: expect.any(String), y: expect.any(String) }])
    expect(JSON.parse(Buffer.from(jwt.last.bundles!['spiffe://other.org']!).toString())).toEqual({ keys: [] })
  })

  test('WA-08 speak only when a bundle changes', async () => {
    await using world = await worldWith(anEntry('a'))
    const { x509, jwt } = await bundleStreams(world)
    world.hold([anEntry('a'), anEntry('b')])
    await settled()
    expect([x509.messages.length, jwt.messages.length]).toEqual([1, 1])
    world.upstream.bundle = world.upstream.bundleWith([world.upstream.authority], ['jwt-1', 'jwt-2'], 2)
    world.hold([anEntry('a')])
    await settled()
    expect(jwt.messages).toHaveLength(2)
  })

  test('WA-29 WA-39 quirk 10: a caller without an entry is held, then refused', async () => {
    await using world = await worldWith()
    const { x509, jwt } = await bundleStreams(world)
    expect(x509.error).toBeUndefined()
    await world.clock.advance(5_100)
    for (const { error } of [x509, jwt]) expect(error).toThrowCode('NO_IDENTITY', 'no identity issued')
  })
})

describe('FetchJWTSVID', () => {
  const ask = (world: AgentWorld, audience: readonly string[], spiffeId = '') =>
    handlersOf(world).fetchJwtSvid({ audience, spiffeId }, workloadCall())

  test('WA-33 WA-34 WA-35 quirk 32: a token for each identity, or for the one that is named', async () => {
    await using world = await worldWith(anEntry('a', { hint: 'h' }), anEntry('b'))
    const all = await ask(world, ['x', 'y'])
    expect(all.svids!.map(({ spiffeId, hint }) => [spiffeId, hint])).toEqual([
      ['spiffe://example.org/workload/a', 'h'],
      ['spiffe://example.org/workload/b', ''],
    ])
    for (const { spiffeId, svid } of all.svids!) {
      const token = parseJwtSvid(svid!)
      expect(token.spiffeId.toString()).toBe(spiffeId)
      expect(token.audience).toEqual(['x', 'y'])
    }
    const one = await ask(world, ['x'], 'spiffe://example.org/workload/b')
    expect(one.svids!.map(({ spiffeId }) => spiffeId)).toEqual(['spiffe://example.org/workload/b'])
  })

  test.for([
    [[]],
    [['']],
    [['a', '']],
    [Array.from({ length: 101 }, (_, index) => `a${index}`)],
    [['x'.repeat(2049)]],
    [['1', '2', '3', '4', '5'].map((one) => one.padEnd(2000, 'x'))],
  ])('WA-11 quirk 13: refuses the audiences %j with INVALID_ARGUMENT', async ([audience]) => {
    await using world = await worldWith(anEntry('a'))
    expect((await failureOf(ask(world, audience!))).row.grpc).toBe('INVALID_ARGUMENT')
  })

  test('WA-36 quirk 13: a malformed id is INVALID_ARGUMENT, one that is not the caller’s PERMISSION_DENIED', async () => {
    await using world = await worldWith(anEntry('a'))
    expect((await failureOf(ask(world, ['x'], 'http://x'))).row.grpc).toBe('INVALID_ARGUMENT')
    // At once: somebody who has an identity is not about to become somebody else.
    const asking = failureOf(ask(world, ['x'], 'spiffe://example.org/workload/b'))
    expect(await asking).toThrowCode('NO_IDENTITY', 'no identity issued')
  })

  test('WA-36 a caller without an entry is PERMISSION_DENIED', async () => {
    await using world = await worldWith()
    const asking = failureOf(ask(world, ['x']))
    await settled()
    await world.clock.advance(5_100)
    expect((await asking).row.grpc).toBe('PERMISSION_DENIED')
  })

  describe('an entry that is another when its token is signed', () => {
    /** Tokens that are signed wait for their key, which comes with the entries of then. */
    async function held(world: AgentWorld, tokens: number): Promise<void> {
      const { upstream } = world
      await until(() => upstream.jwts === tokens, 'the signatures')
      upstream.bundle = upstream.bundleWith([upstream.authority], ['jwt-1', 'jwt-2'], 2)
    }

    async function waitingWorld(...entries: readonly ReturnType<typeof anEntry>[]) {
      const world = await worldWith(...entries)
      world.upstream.jwtKeyId = 'jwt-2'
      return world
    }

    test('is none: no token is given', async () => {
      await using world = await waitingWorld(anEntry('a'), anEntry('b'))
      const named = failureOf(ask(world, ['x'], 'spiffe://example.org/workload/a'))
      const all = ask(world, ['y'])
      await held(world, 3)
      world.hold([anEntry('b')])
      expect(await named).toThrowCode('NO_IDENTITY', 'no identity issued')
      expect((await all).svids!.map(({ spiffeId }) => spiffeId)).toEqual(['spiffe://example.org/workload/b'])
    })

    test('says something else: a token is signed for it as it is', async () => {
      await using world = await waitingWorld(anEntry('a', { hint: 'before' }))
      const asked = ask(world, ['x'])
      await held(world, 1)
      world.hold([anEntry('a', { revisionNumber: 1, hint: 'after' })])
      expect((await asked).svids!.map(({ hint }) => hint)).toEqual(['after'])
      expect(world.upstream.jwts).toBe(2)
    })

    test('is for others: no token is given', async () => {
      await using world = await waitingWorld(anEntry('a'))
      const asked = failureOf(ask(world, ['x']))
      await held(world, 1)
      world.hold([anEntry('a', { revisionNumber: 1, selectors: [parseSelector('unix:uid:7')] })])
      await until(() => world.callers.held === 1, 'a caller that waits')
      await world.clock.advance(5_100)
      expect(await asked).toThrowCode('NO_IDENTITY')
    })
  })

  test('IO-14 a server that does not sign is UNAVAILABLE', async () => {
    await using world = await worldWith(anEntry('a'))
    world.upstream.failure = new Error('away')
    expect((await failureOf(ask(world, ['x']))).row.grpc).toBe('UNAVAILABLE')
  })

  test('SE-04 WE-28 too many at once of one user are UNAVAILABLE', async () => {
    await using world = await AgentWorld.create({ jwtSigningPerUid: 2 })
    world.hold([anEntry('a')])
    const results = await Promise.allSettled(['a', 'b', 'c'].map((audience) => ask(world, [audience])))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as SallyportError] : []))
    expect(refused).toHaveLength(1)
    expect(refused[0]).toThrowCode('CALLER_LIMIT')
    expect(refused[0]!.row.grpc).toBe('UNAVAILABLE')
  })
})

describe('ValidateJWTSVID', () => {
  const validate = (world: AgentWorld, svid: string, audience = 'x', foreignClaims: readonly string[] = []) =>
    handlersOf(world, foreignClaims).validateJwtSvid({ audience, svid }, workloadCall())

  async function tokenOf(authority: TestAuthority, world: AgentWorld, claims: object = {}): Promise<string> {
    const iat = Math.floor(world.clock.now().getTime() / 1000)
    const sub = `${authority.trustDomain.idString}/peer`
    const payload = { sub, aud: ['x', 'z'], iat, exp: iat + 300, role: 'admin', ...claims }
    return signJws({ kid: 'jwt-1', typ: 'JWT' }, payload, authority.signer, 'ES256')
  }

  test('WA-40 WA-42 quirk 31: says whose token it is, with its claims', async () => {
    await using world = await worldWith(anEntry('a'))
    const exp = Math.floor(world.clock.now().getTime() / 1000) + 300
    const answer = await validate(world, await tokenOf(world.upstream.authority, world))
    expect(answer.spiffeId).toBe('spiffe://example.org/peer')
    expect(answer.claims!.fields).toMatchObject({
      sub: { stringValue: 'spiffe://example.org/peer' },
      aud: { listValue: { values: [{ stringValue: 'x' }, { stringValue: 'z' }] } },
      exp: { numberValue: exp },
      role: { stringValue: 'admin' },
    })
  })

  test('WA-43 SV-09 of a foreign token only the claims of SPIFFE, and those that are allowed', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    await using world = await AgentWorld.create()
    const bundle = bundleOf({
      trustDomain: other,
      jwtAuthorities: [{ keyId: 'jwt-1', publicKey: foreign.keyPair.publicKey, expiresAt: undefined, tainted: false }],
    })
    world.hold([anEntry('a', { federatesWith: [other] })], [bundle])
    const token = await tokenOf(foreign, world)
    expect(Object.keys((await validate(world, token)).claims!.fields!)).toEqual(['sub', 'aud', 'exp'])
    expect(Object.keys((await validate(world, token, 'x', ['role'])).claims!.fields!)).toContain('role')
  })

  test('WA-40 WA-41 quirk 14: every refusal is INVALID_ARGUMENT and never quotes the token', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    await using world = await worldWith(anEntry('a'))
    const good = await tokenOf(world.upstream.authority, world)
    const late = await tokenOf(world.upstream.authority, world, { exp: 1000, iat: 900 })
    const refused: readonly (readonly [string, string])[] = [
      [good, 'someone-else'],
      [late, 'x'],
      [await tokenOf(foreign, world), 'x'],
      [`${good.slice(0, -6)}AAAAAA`, 'x'],
      ['not-a-token', 'x'],
      ['', 'x'],
      [good, ''],
    ]
    for (const [token, audience] of refused) {
      const error = await failureOf(validate(world, token, audience))
      expect(error.row.grpc).toBe('INVALID_ARGUMENT')
      if (token.length > 20) expect(error.message).not.toContain(token.slice(0, 20))
    }
  })

  test('a caller without an entry is served with the own bundle alone', async () => {
    await using world = await worldWith()
    const token = await tokenOf(world.upstream.authority, world)
    expect((await validate(world, token)).spiffeId).toBe('spiffe://example.org/peer')
  })

  test('WE-18 before the first bundle it is UNAVAILABLE', async () => {
    await using world = await AgentWorld.create()
    expect((await failureOf(validate(world, 'x.y.z'))).row.grpc).toBe('UNAVAILABLE')
    await until(() => true)
  })
})
