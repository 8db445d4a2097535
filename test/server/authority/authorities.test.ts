import { describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { Transaction } from '../../../server/store/store.ts'
import { printBundleTo } from './bundle-facts.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { Authorities } from '../../../server/authority/authorities.ts'
import { AuthorityWorld, DAY, HOUR, MINUTE, orderOf, quiet, SECOND, trustDomain } from './authority-world.ts'

/** To the moment at which the successor of the first authority is prepared, in steps a rotation loop would take. */
const untilDue = 3.5 * DAY

describe('openAuthorities()', () => {
  test('SV-02 makes and publishes an authority of each kind before anything can be signed', async () => {
    const world = await AuthorityWorld.open()
    expect(world.authorities.status()).toMatchObject([
      { kind: 'x509', state: 'active', tainted: false },
      { kind: 'jwt', state: 'active', tainted: false },
    ])
    const bundle = await world.storedBundle()
    expect(bundle).toEqual(world.authorities.bundle())
    expect(bundle?.x509Authorities[0]?.certificate.der).toEqual(world.authorities.activeX509().certificate.der)
    expect(bundle?.jwtAuthorities[0]?.keyId).toBe(world.authorities.activeJwt().authorityId)
    expect(world.authorities.activeX509().authorityId).toBe(
      world.authorities.activeX509().certificate.subjectKeyId?.toString('hex'),
    )
  })

  test('SV-02 refuses to sign before there is an authority', async () => {
    const { store, keys, clock, config } = new AuthorityWorld()
    const acknowledgements = { missing: () => [] }
    const unopened = new Authorities({
      trustDomain,
      serverId: 's',
      store,
      keys,
      clock,
      config,
      acknowledgements,
      ...quiet,
    })
    expect(() => unopened.activeX509()).toThrowCode('NOT_READY', 'no authority is published yet')
    expect(() => unopened.activeJwt()).toThrowCode('NOT_READY')
  })

  test('finds its authorities again after a restart', async () => {
    const world = await AuthorityWorld.open()
    const before = [world.authorities.activeX509().authorityId, world.authorities.activeJwt().authorityId]
    const revision = world.store.revision
    await world.restart()
    expect([world.authorities.activeX509().authorityId, world.authorities.activeJwt().authorityId]).toEqual(before)
    expect(world.store.revision).toBe(revision)
  })

  test('makes new authorities when the keys are lost, and keeps the old ones for what they signed', async () => {
    const world = await AuthorityWorld.open()
    const lost = world.authorities.activeX509().authorityId
    const other = await AuthorityWorld.open({
      store: world.store.reopened(),
      keys: memoryKeyStore(cryptography),
      clock: world.clock,
    })
    expect(other.authorities.activeX509().authorityId).not.toBe(lost)
    expect(other.stateOf(lost)).toBe('old')
    expect(other.authorities.bundle().x509Authorities).toHaveLength(2)
  })

  test('a second server has authorities of its own in the same bundle, and waits seconds for agents', async () => {
    const first = await AuthorityWorld.open()
    const second = new AuthorityWorld({
      serverId: 'server-2',
      store: first.store,
      clock: first.clock,
      keys: memoryKeyStore(cryptography),
    })
    second.acknowledged.set('one', first.store.revision)
    await second.start()
    expect(() => second.authorities.activeX509()).toThrowCode('NOT_READY')
    expect(second.in('published')).toBeDefined()
    await second.pass(SECOND)
    expect(() => second.authorities.activeX509()).toThrowCode('NOT_READY')
    second.acknowledgeAll()
    await second.pass(SECOND)
    expect(second.authorities.activeX509().authorityId).not.toBe(first.authorities.activeX509().authorityId)
    expect((await first.storedBundle())?.x509Authorities).toHaveLength(2)
    expect(first.authorities.status()).toHaveLength(2)
  })
})

describe('rotation', () => {
  test('every change of the bundle is one transaction with the row it belongs to, and its record', async () => {
    const world = new AuthorityWorld()
    const seen: Transaction[] = []
    world.storeOptions.beforeCommit = (transactions) => void seen.push(...transactions)
    await world.start()
    await world.pass(8 * DAY, HOUR)
    const changes = seen.filter(({ mutations }) => mutations.some(({ kind }) => kind === 'bundle.put'))
    expect(changes.length).toBeGreaterThanOrEqual(8)
    for (const { mutations, audit } of changes) {
      expect(mutations.map(({ kind }) => kind)).toContain('authority.put')
      expect(audit).toHaveLength(1)
    }
  })

  test('TB-21 publishes, waits for every live agent, activates, and removes what nothing needs any more', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    world.acknowledged.set('one', world.store.revision)
    await world.pass(untilDue, HOUR)
    const second = world.in('published')!
    expect(world.authorities.activeX509().authorityId).toBe(first)
    expect(world.authorities.bundle().x509Authorities).toHaveLength(2)
    expect(world.authorities.status().find(({ authorityId }) => authorityId === second)).toMatchObject({
      missingAgents: ['spiffe://example.org/spire/agent/one'],
    })

    await world.pass(HOUR)
    expect(world.authorities.activeX509().authorityId).toBe(first)
    world.acknowledgeAll()
    await world.pass(MINUTE)
    expect(world.authorities.activeX509().authorityId).toBe(second)
    expect(world.stateOf(first)).toBe('old')

    await world.pass(2 * HOUR, MINUTE)
    expect(world.stateOf(first)).toBeUndefined()
    expect(world.authorities.bundle().x509Authorities).toHaveLength(1)
    expect(await world.keys.names()).toHaveLength(2)
  })

  test('keeps the old authority until its last SVID has ended', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    await world.pass(untilDue, HOUR)
    const [svid] = await world.issuer.issueX509Svids([orderOf({ ttlSeconds: (2 * DAY) / 1000 })])
    if (svid === undefined || svid instanceof Error) throw svid
    await world.pass(HOUR, MINUTE)
    expect(world.stateOf(first)).toBe('old')
    await world.pass(1.9 * DAY, HOUR)
    expect(world.authorities.bundle().x509Authorities).toHaveLength(2)
    await world.pass(0.2 * DAY, HOUR)
    expect(world.clock.now() > svid.expiresAt).toBe(true)
    expect(world.authorities.bundle().x509Authorities).toHaveLength(1)
  })

  test('after a restart, what an authority signed before counts as living as long as the authority', async () => {
    const world = await AuthorityWorld.open()
    await world.restart()
    await world.pass(untilDue + HOUR, HOUR)
    expect(world.in('old')).toBeDefined()
    await world.pass(3.4 * DAY, HOUR)
    expect(world.in('old')).toBeDefined()
    await world.pass(0.2 * DAY, HOUR)
    expect(world.in('old')).toBeUndefined()
  })

  test('JW-33 every rotation makes a fresh kid', async () => {
    const world = await AuthorityWorld.open()
    const seen = new Set([world.authorities.activeJwt().authorityId])
    for (let week = 0; week < 4; week++) {
      await world.pass(4 * DAY, HOUR)
      const { jwtAuthorities } = world.authorities.bundle()
      expect(new Set(jwtAuthorities.map(({ keyId }) => keyId)).size).toBe(jwtAuthorities.length)
      seen.add(world.authorities.activeJwt().authorityId)
    }
    expect(seen.size).toBe(5)
    for (const kid of seen) expect(kid).toMatch(/^[A-Za-z0-9]{32}$/)
  })

  test('activates in the end without agents that stay silent, and says which', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    world.acknowledged.set('silent', 0)
    await world.pass(untilDue + 1.7 * DAY, HOUR)
    expect(world.authorities.activeX509().authorityId).toBe(first)
    await world.pass(HOUR * 3, HOUR)
    expect(world.authorities.activeX509().authorityId).not.toBe(first)
    const [, , , activated] = await world.audit('authority.activated')
    expect(activated?.facts).toMatchObject({ missingAgents: ['spiffe://example.org/spire/agent/silent'] })
  })

  test('TB-08 TB-10 the sequence rises with every change of content and with nothing else', async () => {
    const world = await AuthorityWorld.open()
    let before = world.authorities.bundle()
    for (let hour = 0; hour < 24 * 10; hour++) {
      await world.pass(HOUR)
      const after = world.authorities.bundle()
      const isChanged = printBundleTo(after) !== printBundleTo(before)
      expect(after.sequenceNumber).toSatisfy((sequence: number) =>
        isChanged ? sequence > before.sequenceNumber : sequence === before.sequenceNumber,
      )
      before = after
    }
    expect(before.sequenceNumber).toBeGreaterThan(4)
  })

  test('TB-02 no two authorities share a key', async () => {
    const world = await AuthorityWorld.open()
    const { x509Authorities, jwtAuthorities } = world.authorities.bundle()
    expect(x509Authorities[0]?.certificate.publicKey.equals(jwtAuthorities[0]!.publicKey)).toBe(false)
  })

  test('an expired authority signs nothing, and is replaced at once', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    world.clock.advance(7 * DAY + SECOND)
    expect(() => world.authorities.activeX509()).toThrowCode('AUTHORITY_EXPIRED', first)
    expect(() => world.authorities.activeJwt()).toThrowCode('AUTHORITY_EXPIRED')
    await expect(world.issuer.issueX509Svids([orderOf()])).rejects.toThrowCode('AUTHORITY_EXPIRED')
    await world.authorities.rotate()
    expect(world.authorities.activeX509().authorityId).not.toBe(first)
  })

  test('an authority from the future signs nothing either', async () => {
    const world = await AuthorityWorld.open()
    world.clock.jump(-HOUR)
    expect(() => world.authorities.activeX509()).toThrowCode('AUTHORITY_EXPIRED')
    await world.authorities.rotate()
    expect(world.authorities.activeX509().notBefore <= world.clock.now()).toBe(true)
  })

  test('SE-20 removes nothing after a jump of the wall clock until it runs evenly again', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    await world.pass(untilDue + HOUR, HOUR)
    expect(world.stateOf(first)).toBe('old')
    world.clock.jump(5 * HOUR)
    await world.pass(MINUTE)
    expect(world.stateOf(first)).toBe('old')
    expect(world.authorities.status().find(({ authorityId }) => authorityId === first)?.waitingFor).toBe(
      'the wall clock to be steady',
    )
    await world.pass(13 * MINUTE, MINUTE)
    expect(world.stateOf(first)).toBe('old')
    await world.pass(2 * MINUTE, MINUTE)
    expect(world.stateOf(first)).toBeUndefined()
  })

  test('run() rotates by itself, follows foreign changes of the bundle, and ends with the signal', async () => {
    const world = await AuthorityWorld.open()
    const first = world.authorities.activeX509().authorityId
    const stop = new AbortController()
    const running = world.authorities.run(stop.signal)
    for (let minute = 0; minute < 60 * 24 * 4; minute += 10) {
      // The loop sleeps again: its look is over.
      while (world.clock.waiting === 0) await new Promise(setImmediate)
      world.clock.advance(10 * MINUTE)
    }
    await expect.poll(() => world.authorities.activeX509().authorityId).not.toBe(first)
    const bundle = world.authorities.bundle()
    const appended = { ...bundle, sequenceNumber: bundle.sequenceNumber + 1, x509Authorities: [] }
    await world.store.commit({ mutations: [{ kind: 'bundle.put', bundle: appended }], audit: [] })
    await expect.poll(() => world.authorities.bundle().x509Authorities.length).toBe(0)
    expect(() => world.authorities.activeX509()).toThrowCode('NOT_READY')
    stop.abort()
    await running
  })
})

describe('taking an authority out by hand', () => {
  test('SE-19 prepare, activate, taint and revoke follow each other without waiting for any agent', async () => {
    const world = await AuthorityWorld.open()
    world.acknowledged.set('silent', 0)
    for (const kind of ['x509', 'jwt'] as const) {
      const first = world.in('active', kind)!
      const second = await world.authorities.prepare(kind)
      expect(world.in('active', kind)).toBe(first)
      await world.authorities.activate(kind, second)
      expect(world.in('active', kind)).toBe(second)
      expect(world.authorities.isDistrusted(kind, first)).toBe(false)
      await world.authorities.taint(kind, first)
      expect(world.authorities.isDistrusted(kind, first)).toBe(true)
      expect(world.authorities.isDistrusted(kind, second)).toBe(false)
      const tainted = await world.storedBundle()
      const taints = kind === 'x509' ? tainted?.x509Authorities : tainted?.jwtAuthorities
      expect(taints?.map((one) => one.tainted)).toEqual([true, false])
      await world.authorities.revoke(kind, first)
      expect(world.stateOf(first)).toBeUndefined()
      const after = await world.storedBundle()
      expect(kind === 'x509' ? after?.x509Authorities : after?.jwtAuthorities).toHaveLength(1)
    }
    expect(await world.keys.names()).toHaveLength(2)
    expect((await world.audit()).map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        'authority.prepared',
        'authority.published',
        'authority.activated',
        'authority.tainted',
        'authority.revoked',
      ]),
    )
  })

  test('a revoked authority does not come back with a restart', async () => {
    const world = await AuthorityWorld.open()
    const first = world.in('active')!
    await world.authorities.activate('x509', await world.authorities.prepare('x509'))
    await world.authorities.taint('x509', first)
    await world.authorities.revoke('x509', first)
    await world.restart()
    await world.settle()
    expect(world.stateOf(first)).toBeUndefined()
    expect(world.authorities.bundle().x509Authorities).toHaveLength(1)
  })

  test('a second preparation takes the place of the first', async () => {
    const world = await AuthorityWorld.open()
    const replaced = await world.authorities.prepare('x509')
    const prepared = await world.authorities.prepare('x509')
    expect(world.authorities.bundle().x509Authorities).toHaveLength(2)
    await expect(world.authorities.activate('x509', replaced)).rejects.toThrowCode('AUTHORITY_NOT_FOUND')
    await world.authorities.activate('x509', prepared)
  })

  test.for([
    ['activate', 'the active one', 'AUTHORITY_STATE', 'it is active, not published'],
    ['taint', 'the active one', 'AUTHORITY_STATE', 'it is active, not old'],
    ['revoke', 'the active one', 'AUTHORITY_STATE', 'it is active, not old'],
    ['taint', 'the prepared one', 'AUTHORITY_STATE', 'it is published, not old'],
    ['revoke', 'the prepared one', 'AUTHORITY_STATE', 'it is published, not old'],
    ['activate', 'nothing', 'AUTHORITY_NOT_FOUND', 'feed'],
    ['taint', 'nothing', 'AUTHORITY_NOT_FOUND', 'feed'],
    ['revoke', 'nothing', 'AUTHORITY_NOT_FOUND', 'feed'],
  ] as const)('refuses to %s %s', async ([verb, which, code, words]) => {
    const world = await AuthorityWorld.open()
    const prepared = await world.authorities.prepare('x509')
    const id = { 'the active one': world.in('active')!, 'the prepared one': prepared, nothing: 'feed' }[which]
    await expect(world.authorities[verb]('x509', id)).rejects.toThrowCode(code, words)
  })

  test('refuses to revoke an X.509 authority that is not tainted; a JWT authority may be', async () => {
    const world = await AuthorityWorld.open()
    const [x509, jwt] = [world.in('active')!, world.in('active', 'jwt')!]
    await world.authorities.activate('x509', await world.authorities.prepare('x509'))
    await world.authorities.activate('jwt', await world.authorities.prepare('jwt'))
    await expect(world.authorities.revoke('x509', x509)).rejects.toThrowCode('AUTHORITY_STATE', 'it is not tainted')
    await world.authorities.revoke('jwt', jwt)
  })
})

describe('editBundle()', () => {
  test('appends to the bundle in turn with rotations, and repeats after a race', async () => {
    const world = await AuthorityWorld.open()
    const other = await AuthorityWorld.open()
    const [foreign] = other.authorities.bundle().x509Authorities
    const stored = world.authorities.bundle()
    await world.store.commit({
      mutations: [{ kind: 'bundle.put', bundle: { ...stored, sequenceNumber: stored.sequenceNumber + 1 } }],
      audit: [],
    })
    const edited = await world.authorities.editBundle(
      (bundle) => ({ ...bundle, x509Authorities: [...bundle.x509Authorities, foreign!] }),
      [{ type: 'bundle.appended', at: world.clock.now(), facts: {} }],
    )
    expect(edited.x509Authorities).toHaveLength(2)
    expect(edited.sequenceNumber).toBe(stored.sequenceNumber + 2)
    expect(await world.storedBundle()).toEqual(edited)
    expect(await world.authorities.editBundle((bundle) => bundle, [])).toBe(edited)
  })

  test('what was appended goes a day after its end', async () => {
    const world = await AuthorityWorld.open()
    const other = await AuthorityWorld.open()
    const appended = other.authorities.bundle().x509Authorities
    await world.authorities.editBundle(
      (bundle) => ({ ...bundle, x509Authorities: [...bundle.x509Authorities, ...appended] }),
      [],
    )
    const holds = (): boolean =>
      world.authorities
        .bundle()
        .x509Authorities.some(({ certificate }) => certificate.der.equals(appended[0]!.certificate.der))
    await world.pass(7.9 * DAY, HOUR)
    expect(holds()).toBe(true)
    await world.pass(0.2 * DAY, HOUR)
    expect(holds()).toBe(false)
  })
})
