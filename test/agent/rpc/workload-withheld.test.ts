import { describe, expect, test } from 'vitest'
import { GOOD_STANDING } from '../../../agent/entries/standing.ts'
import { explain } from '../../../agent/rpc/explain.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { SallyportError } from '../../../src/errors.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import type { CanonicalValue } from '../../../src/jws/canonical-json.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import type { FastLaneEvent } from '../../../src/policy/fast-lane.ts'
import type { Quarantine } from '../../../src/policy/lifecycle.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { decodeCertificates } from '../../../src/x509/decode-certificate.ts'
import { unixConnection } from '../../fakes/fake-call.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { shopPolicy } from '../../server/policy/shop-policy.ts'
import { AGENT_ID, AgentWorld } from '../agent-world.ts'
import { PolicySigner } from '../policy/policy-signer.ts'
import { handlersOf, Reading, workloadCall } from './workload-client.ts'

const idOf = (path: string) => `spiffe://example.org${path}`
const [store, blog] = [idOf('/web/store'), idOf('/web/blog')]
const entryOf = (id: string, path: string, fields: Partial<RegistrationEntry> = {}) =>
  anEntry(id, { spiffeId: SpiffeId.parse(idOf(path)), ...fields })

/** An agent whose one process, of uid 1000, is the store; it holds a policy and hears the fast lane. */
class House implements AsyncDisposable {
  readonly world: AgentWorld
  readonly signer = new PolicySigner()

  private constructor(world: AgentWorld) {
    this.world = world
  }

  static async open(entries = [entryOf('store', '/web/store')]): Promise<House> {
    const house = new House(await AgentWorld.create())
    house.world.hold(entries)
    await house.world.policy.apply(house.signer.snapshot(1, []))
    return house
  }

  async hear(...events: readonly FastLaneEvent[]): Promise<void> {
    await this.world.policy.apply(this.signer.fastLane(...events.map((event) => this.signer.entry(event))))
    expect(this.world.policy.refused).toBe('')
  }

  async quarantine(target: Quarantine['target'], id = 'q1', forensics: readonly string[] = []): Promise<void> {
    await this.hear({ kind: 'quarantine.add', body: { id, target, forensics, reason: 'stolen key', since: 1 } })
  }

  async release(id = 'q1'): Promise<void> {
    await this.hear({ kind: 'quarantine.remove', body: { id } })
  }

  /** A stream of SVIDs that has been answered: with a message, or with a refusal. */
  async svids() {
    const stream = new Reading(handlersOf(this.world).fetchX509Svid({}, workloadCall()))
    await until(() => stream.messages.length > 0 || stream.error !== undefined, 'an answer')
    return stream
  }

  token(spiffeId = '') {
    return handlersOf(this.world).fetchJwtSvid({ audience: ['orders'], spiffeId }, workloadCall())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]()
  }
}

const idsIn = ({ last }: Awaited<ReturnType<House['svids']>>) => last.svids?.map(({ spiffeId }) => spiffeId)
const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('an identity in quarantine', () => {
  test('WA-26: an open stream of SVIDs ends with PERMISSION_DENIED when its last identity is withheld', async () => {
    await using house = await House.open()
    const stream = await house.svids()
    expect(idsIn(stream)).toEqual([store])
    await house.quarantine({ identity: store })
    await until(() => stream.error !== undefined, 'the end of the stream')
    expect(stream.error).toThrowCode('IDENTITY_WITHHELD', `${store} is in quarantine`)
    expect(stream.error).toMatchObject({ row: { grpc: 'PERMISSION_DENIED' } })
    expect(stream.messages).toHaveLength(1)
  })

  test('WA-24: a new stream is refused at once, and given the SVID again after the release', async () => {
    await using house = await House.open()
    const [before] = (await house.svids()).last.svids ?? []
    await house.quarantine({ identity: store })
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
    await house.release()
    expect((await house.svids()).last.svids?.[0]?.x509Svid).toEqual(before?.x509Svid)
  })

  test('one that was never signed is signed at once after the release, however often the server had refused it', async () => {
    await using house = await House.open([])
    const { world } = house
    await house.quarantine({ identity: store })
    const entry = entryOf('store', '/web/store')
    world.upstream.entriesRefused.set(entry.id, new SallyportError('ISSUANCE_REFUSED', 'it is in quarantine'))
    world.hold([entry])
    for (let tries = 0; tries < 6; tries += 1) {
      const { batches } = world.upstream
      await world.clock.advance(30_000)
      await until(() => world.upstream.batches > batches, 'another try')
      for (let turn = 0; turn < 20; turn += 1) await settled()
    }
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
    world.upstream.entriesRefused.clear()
    await house.release()
    expect(idsIn(await house.svids())).toEqual([store])
  })

  test('WA-25 WA-30: of two identities the other one remains, without the bundles of the first', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'other.org' })
    const entries = [
      entryOf('store', '/web/store', { federatesWith: [TrustDomain.parse('other.org')] }),
      entryOf('blog', '/web/blog'),
    ]
    await using house = await House.open(entries)
    house.world.hold(entries, [foreign.bundle()])
    const stream = await house.svids()
    await until(() => Object.keys(stream.last.federatedBundles ?? {}).length === 1, 'the foreign bundle')
    await house.quarantine({ identity: store })
    await until(() => stream.last.svids?.length === 1, 'the redaction')
    expect([idsIn(stream), Object.keys(stream.last.federatedBundles ?? {})]).toEqual([[blog], []])
    await house.release()
    await until(() => stream.last.svids?.length === 2, 'both again')
    expect(Object.keys(stream.last.federatedBundles ?? {})).toEqual(['spiffe://other.org'])
    expect(stream.error).toBeUndefined()
  })

  test('WA-36: gets no token, a kept one neither; the other identity of the process does', async () => {
    await using house = await House.open([entryOf('store', '/web/store'), entryOf('blog', '/web/blog')])
    const [before] = (await house.token(store)).svids ?? []
    await house.quarantine({ identity: store })
    expect(await refusalOf(house.token(store))).toThrowCode('IDENTITY_WITHHELD', `${store} is in quarantine`)
    expect((await house.token()).svids?.map(({ spiffeId }) => spiffeId)).toEqual([blog])
    await house.quarantine({ identity: blog }, 'q2')
    expect(await refusalOf(house.token())).toThrowCode('IDENTITY_WITHHELD', blog)
    await house.release()
    expect((await house.token(store)).svids?.[0]?.svid).toBe(before?.svid)
  })

  test('gets no token that was being signed when the quarantine came', async () => {
    await using house = await House.open()
    const asked = refusalOf(house.token())
    const heard = house.quarantine({ identity: store })
    expect(house.world.upstream.jwts).toBe(0)
    await heard
    // Signed all the same, because the server had not heard of it.
    const refusal = await asked
    expect(house.world.upstream.jwts).toBe(1)
    expect(refusal).toThrowCode('IDENTITY_WITHHELD')
  })

  test('WA-29: still gets bundles, by which it refuses others for the right reason', async () => {
    await using house = await House.open()
    await house.quarantine({ identity: store })
    const served = handlersOf(house.world)
    const x509 = new Reading(served.fetchX509Bundles({}, workloadCall()))
    const jwt = new Reading(served.fetchJwtBundles({}, workloadCall()))
    await until(() => x509.messages.length > 0 && jwt.messages.length > 0, 'both bundles')
  })

  test('is not acknowledged while a stream still has what is withheld', async () => {
    await using house = await House.open([entryOf('store', '/web/store'), entryOf('blog', '/web/blog')])
    const { policy, clock } = house.world
    const stream = handlersOf(house.world).fetchX509Svid({}, workloadCall())[Symbol.asyncIterator]()
    await stream.next()
    await house.quarantine({ identity: store })
    let isAcknowledged = false
    const settling = policy.settle().then(() => (isAcknowledged = true))
    await settled()
    expect(isAcknowledged).toBe(false)
    // Taken, then written: asking for the next one says so.
    const redacted = await stream.next()
    expect(redacted.value.svids).toHaveLength(1)
    void stream.next().catch(() => undefined)
    await settling
    // One that does not read is not waited for long.
    await house.release()
    const late = policy.settle()
    await clock.advance(30_001)
    await late
  })

  test('SE-40: is withheld from what was saved, after a restart without the server', async () => {
    await using house = await House.open()
    await house.quarantine({ identity: store })
    await house.world.policy.settle()
    // As an agent begins.
    house.world.entitlements.stand(GOOD_STANDING)
    await house.world.restartedPolicy().restore()
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
  })

  test('stays withheld while the agent becomes another one, until the server has proven what holds now', async () => {
    await using house = await House.open()
    const { world } = house
    await house.quarantine({ identity: store })
    await world.policy.forget()
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
    const signer = new PolicySigner()
    await world.policy.apply(signer.snapshot(1, []))
    const other = { id: 'q2', target: { identity: blog }, forensics: [], reason: 'stolen key', since: 1 }
    await world.policy.apply(signer.fastLane(signer.entry({ kind: 'quarantine.add', body: other })))
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
    world.policy.observe({
      ...{ epoch: 'e', revision: 1, serverTime: world.clock.now(), keyId: '', checkpoint: undefined, isFresh: true },
      ...{ policyEpoch: 1, policyRevision: 1, fastLaneSequence: 1 },
    })
    expect(idsIn(await house.svids())).toEqual([store])
    expect(world.entitlements.standing.withheld(blog)).toMatchObject({ why: 'quarantined' })
  })

  test('is told by explain', async () => {
    await using house = await House.open()
    await house.quarantine({ identity: store })
    const { entitlements, x509Svids, status, policy, signal } = house.world
    const attest = async () => [parseSelector('unix:uid:1000')]
    const answer = await explain(unixConnection(1000).peer, { entitlements, x509Svids, status, policy, attest }, signal)
    expect(answer).toMatchObject({
      code: 'IDENTITY_WITHHELD',
      verdict: expect.stringContaining(`is not given its identity: ${store} is in quarantine`),
    })
  })
})

describe('what is withheld', () => {
  test('an offboarded identity, until it is reinstated', async () => {
    await using house = await House.open()
    const stream = await house.svids()
    await house.hear({ kind: 'offboard', body: { spiffeId: store } })
    await until(() => stream.error !== undefined, 'the end of the stream')
    expect(stream.error).toThrowCode('IDENTITY_WITHHELD', `${store} is offboarded`)
    await house.hear({ kind: 'reinstate', body: { spiffeId: store } })
    expect(idsIn(await house.svids())).toEqual([store])
  })

  test('all of a zone in quarantine, by the slices, also when they come later', async () => {
    await using house = await House.open([entryOf('store', '/web/store'), entryOf('pg', '/data/pg')])
    const { signer, world } = house
    const policy = JSON.parse(
      JSON.stringify({ ...readPolicy(shopPolicy()), tests: [], invariants: [] }),
    ) as CanonicalValue
    const slices = ['/web/store', '/data/pg'].map((path) => signer.slice(path, 2, { policy, members: [], digest: '' }))
    await house.quarantine({ zone: 'web' })
    const stream = await house.svids()
    expect(idsIn(stream)).toEqual([store, idOf('/data/pg')].toSorted())
    await world.policy.apply(signer.snapshot(2, slices))
    await until(() => stream.last.svids?.length === 1, 'the redaction')
    expect(idsIn(stream)).toEqual([idOf('/data/pg')])
    await house.release()
    await until(() => stream.last.svids?.length === 2, 'both again')
  })

  test('everything of this node in quarantine, and of what was issued to another one', async () => {
    await using house = await House.open([entryOf('store', '/web/store'), entryOf('blog', '/web/blog')])
    await house.quarantine({ node: idOf('/agent/other'), identities: [store] })
    expect(idsIn(await house.svids())).toEqual([blog])
    await house.release()
    // Also those that were registered after it.
    await house.quarantine({ node: AGENT_ID, identities: [store] })
    expect((await house.svids()).error).toThrowCode('IDENTITY_WITHHELD')
    await house.release()
    expect(idsIn(await house.svids())).toHaveLength(2)
  })

  test('ZO-03: where a conduit is kept open, tokens only: without its SVID nothing could come through', async () => {
    await using house = await House.open()
    await house.quarantine({ identity: store }, 'q1', ['forensics'])
    const stream = await house.svids()
    expect(idsIn(stream)).toEqual([store])
    expect(await refusalOf(house.token())).toThrowCode('IDENTITY_WITHHELD')
    // Another one keeps nothing open that this one keeps open too.
    await house.quarantine({ node: idOf('/agent/other'), identities: [store] }, 'q2', ['repair'])
    await until(() => stream.error !== undefined, 'the end of the stream')
    expect(stream.error).toThrowCode('IDENTITY_WITHHELD')
  })

  test('ZO-03: on a node in quarantine an identity that peers do not hold to the open conduit gets nothing', async () => {
    await using house = await House.open([entryOf('store', '/web/store'), entryOf('late', '/web/late')])
    await house.quarantine({ node: AGENT_ID, identities: [store] }, 'q1', ['forensics'])
    expect(idsIn(await house.svids())).toEqual([store])
  })

  describe('at ValidateJWTSVID', () => {
    const validate = async ({ world }: House, path = '/web/peer') => {
      const iat = Math.floor(world.clock.now().getTime() / 1000)
      const payload = { sub: idOf(path), aud: ['x'], iat, exp: iat + 300 }
      const svid = await signJws({ kid: 'jwt-1', typ: 'JWT' }, payload, world.upstream.authority.signer, 'ES256')
      return await handlersOf(world).validateJwtSvid({ audience: 'x', svid }, workloadCall())
    }

    test('the JWT-SVID of a peer in quarantine is not valid, and is again after its release', async () => {
      await using house = await House.open()
      expect((await validate(house)).spiffeId).toBe(idOf('/web/peer'))
      await house.quarantine({ identity: idOf('/web/peer') })
      const refusal = await refusalOf(validate(house))
      expect(refusal).toThrowCode('JWT_SVID_INVALID', `${idOf('/web/peer')}: the identity is in quarantine`)
      expect(refusal).toMatchObject({ row: { grpc: 'INVALID_ARGUMENT' } })
      expect((await validate(house, '/web/other')).spiffeId).toBe(idOf('/web/other'))
      await house.release()
      expect((await validate(house)).spiffeId).toBe(idOf('/web/peer'))
    })

    test('the JWT-SVID of a peer on a node in quarantine, where a conduit is kept open too', async () => {
      await using house = await House.open()
      await house.quarantine({ node: idOf('/agent/other'), identities: [idOf('/web/peer')] }, 'q1', ['forensics'])
      expect(await refusalOf(validate(house))).toThrowCode('JWT_SVID_INVALID', 'is in quarantine')
    })

    test('the JWT-SVID of a peer whose zone is in quarantine, by what the slices of this node say', async () => {
      await using house = await House.open()
      const { signer, world } = house
      const policy = JSON.parse(
        JSON.stringify({ ...readPolicy(shopPolicy()), tests: [], invariants: [] }),
      ) as CanonicalValue
      const slice = signer.slice('/web/store', 2, { policy, members: [], digest: '' })
      await world.policy.apply(signer.snapshot(2, [slice]))
      await house.quarantine({ zone: 'data' })
      expect(await refusalOf(validate(house, '/data/pg'))).toThrowCode('JWT_SVID_INVALID', 'is in quarantine')
      expect((await validate(house)).spiffeId).toBe(idOf('/web/peer'))
    })

    test('the JWT-SVID of a peer that is offboarded, until it is reinstated', async () => {
      await using house = await House.open()
      await house.hear({ kind: 'offboard', body: { spiffeId: idOf('/web/peer') } })
      expect(await refusalOf(validate(house))).toThrowCode('JWT_SVID_INVALID', 'the identity is offboarded')
      await house.hear({ kind: 'reinstate', body: { spiffeId: idOf('/web/peer') } })
      expect((await validate(house)).spiffeId).toBe(idOf('/web/peer'))
    })
  })

  test('an SVID whose serial number was revoked: another one is signed in its place, with another key', async () => {
    await using house = await House.open()
    const stream = await house.svids()
    const [held] = stream.last.svids ?? []
    const [leaf] = decodeCertificates(Buffer.from(held?.x509Svid ?? []))
    const serialNumber = leaf?.serialNumber.toString(16) ?? ''
    await house.hear({ kind: 'serial.revoke', body: { spiffeId: store, serialNumber } })
    await until(() => stream.messages.length > 1, 'another SVID')
    expect(stream.last.svids?.[0]?.spiffeId).toBe(store)
    expect(stream.last.svids?.[0]?.x509SvidKey).not.toEqual(held?.x509SvidKey)
    // Whoever comes now is not given the old one.
    expect((await house.svids()).messages[0]?.svids?.[0]?.x509Svid).toEqual(stream.last.svids?.[0]?.x509Svid)
  })

  test('an SVID whose serial number was revoked is not given out while no other one can be signed', async () => {
    await using house = await House.open()
    const [held] = (await house.svids()).last.svids ?? []
    const [leaf] = decodeCertificates(Buffer.from(held?.x509Svid ?? []))
    house.world.upstream.failure = new Error('the server is away')
    await house.hear({
      kind: 'serial.revoke',
      body: { spiffeId: store, serialNumber: leaf?.serialNumber.toString(16) ?? '' },
    })
    const stream = new Reading(handlersOf(house.world).fetchX509Svid({}, workloadCall()))
    await until(() => house.world.callers.held === 1, 'a caller that waits')
    await house.world.clock.advance(6_000)
    await until(() => stream.error !== undefined, 'a refusal that passes')
    expect(stream.error).toThrowCode('IDENTITY_PENDING')
    expect(stream.messages).toEqual([])
  })
})
