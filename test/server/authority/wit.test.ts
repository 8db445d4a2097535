import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { JwsAlgorithm } from '../../../src/jws/jws-algorithm.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { WitOrder } from '../../../server/authority/issue-wit-svid.ts'
import type { IssuedToken } from '../../../server/authority/issued-token.ts'
import { openGate } from '../../../server/policy/issuance-gate.ts'
import { printBundleTo } from './bundle-facts.ts'
import { agentId, AuthorityWorld, DAY, HOUR, MINUTE, witOrderOf, withWit, workload } from './authority-world.ts'

let world: AuthorityWorld
beforeAll(async () => {
  world = await AuthorityWorld.open({ config: withWit })
})

async function issued(order: Partial<WitOrder> = {}, by = world): Promise<IssuedToken> {
  const [result] = await by.issuer.issueWitSvids([witOrderOf(order)])
  if (result === undefined || result instanceof SallyportError) throw result
  return result
}

/** What an independent library reads, once it has verified the token with the key of the bundle that its `kid` names. */
async function verified(token: string, by = world) {
  const keyOf = ({ kid, alg }: { kid?: string; alg?: string }) => {
    const key = by.authorities.bundle().witAuthorities.find(({ keyId }) => keyId === kid)
    if (key === undefined) throw new Error('the key is not published')
    return importJWK({ ...key.publicKey.export({ format: 'jwk' }) }, alg)
  }
  return jwtVerify(token, keyOf, { typ: 'wit+jwt', currentDate: by.clock.now() })
}

describe('issueWitSvids()', () => {
  test('WI-01 WI-02 WI-04 WI-06 WI-08 WI-14 SV-10 says who holds which key and until when, signed with a published key', async () => {
    const { publicKey } = witOrderOf()
    const { token, issuedAt, expiresAt, authorityId } = await issued()
    const { payload, protectedHeader } = await verified(token)
    const now = Math.floor(world.clock.now().getTime() / 1000)
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: authorityId, typ: 'wit+jwt' })
    expect(Object.keys(decodeProtectedHeader(token)).toSorted()).toEqual(['alg', 'kid', 'typ'])
    expect(payload).toEqual({
      sub: workload.toString(),
      cnf: { jwk: { ...publicKey.export({ format: 'jwk' }), alg: 'ES256' } },
      iat: now,
      exp: now + 3600,
      jti: expect.any(String),
    })
    expect([issuedAt.getTime() / 1000, expiresAt.getTime() / 1000]).toEqual([now, now + 3600])
  })

  test('WI-02 two signing keys have two kids, and both are in the bundle', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    const first = await issued({}, other)
    await other.authorities.activate('wit', await other.authorities.prepare('wit'))
    const second = await issued({}, other)
    expect(second.authorityId).not.toBe(first.authorityId)
    const kids = other.authorities.bundle().witAuthorities.map(({ keyId }) => keyId)
    expect(kids).toEqual([first.authorityId, second.authorityId])
  })

  test.for([
    ['ec-p256', 'ES256'],
    ['ec-p384', 'ES384'],
    ['rsa-2048', 'RS256'],
  ] as const)('WI-05 signs with a key of %s as %s', { timeout: 30_000 }, async ([keyType, algorithm]) => {
    const other = await AuthorityWorld.open({ config: { wit: { ...withWit.wit, keyType } } })
    const { protectedHeader } = await verified((await issued({}, other)).token, other)
    expect(protectedHeader.alg).toBe(algorithm)
  })

  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  test.for([
    ['ES256', ec('P-256')],
    ['ES384', ec('P-384')],
    ['ES512', ec('P-521')],
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const).map((name) => [name, rsa] as const),
  ] as const)('WI-09 WI-10 names the key of the workload, its public half alone, and %s', async ([algorithm, key]) => {
    const { payload } = await verified((await issued({ publicKey: key, algorithm })).token)
    const { jwk, ...others } = payload['cnf'] as { readonly jwk: JWK }
    expect(others).toEqual({})
    expect(jwk).toEqual({ ...key.export({ format: 'jwk' }), alg: algorithm })
  })

  test.for([
    ['ES384', ec('P-256')],
    ['RS256', ec('P-256')],
    ['ES256', rsa],
    ['ES256', ec('secp256k1')],
    ['ES256', generateKeyPairSync('ed25519').publicKey],
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey],
  ] as readonly (readonly [JwsAlgorithm, KeyObject])[])(
    'WI-10 WI-11 refuses %s for a key that it does not fit, and keys that are too weak',
    async ([algorithm, publicKey]) => {
      const [result] = await world.issuer.issueWitSvids([witOrderOf({ algorithm, publicKey })])
      expect(['REQUEST_INVALID', 'KEY_REFUSED']).toContain((result as SallyportError).code)
    },
  )

  test.for([
    ['spiffe://example.org', 'no path'],
    ['spiffe://example.org/spire/agent/a', 'reserved'],
    ['spiffe://other.org/a', 'not in trust domain'],
  ] as const)('WI-08 never for %s', async ([id, words]) => {
    const [result] = await world.issuer.issueWitSvids([witOrderOf({ spiffeId: SpiffeId.parse(id) })])
    expect(() => {
      throw result
    }).toThrowCode('SIGNING_REFUSED', words)
  })

  test('WI-12 each has an id of its own of 128 random bits', async () => {
    const results = await world.issuer.issueWitSvids(Array.from({ length: 500 }, () => witOrderOf()))
    const ids = results.map((one) => {
      const [, payload = ''] = (one as IssuedToken).token.split('.')
      return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }).jti
    })
    expect(new Set(ids).size).toBe(500)
    expect(ids.every((id) => Buffer.from(id, 'base64url').length === 16)).toBe(true)
  })

  test('WI-18 WI-19 has no issuer unless configured, and never an audience', async () => {
    const { payload } = await verified((await issued()).token)
    expect([payload.iss, payload.aud]).toEqual([undefined, undefined])
    const other = await AuthorityWorld.open({ config: withWit, issuer: { witIssuer: 'spiffe://example.org' } })
    const named = await verified((await issued({}, other)).token, other)
    expect([named.payload.iss, named.payload.aud]).toEqual(['spiffe://example.org', undefined])
  })

  test('WI-31 a key belongs to one identity: another one in the same batch is refused, the same one is not', async () => {
    const other = SpiffeId.of(workload.trustDomain, '/other')
    const results = await world.issuer.issueWitSvids([
      witOrderOf(),
      witOrderOf({ spiffeId: other }),
      witOrderOf(),
      witOrderOf({ spiffeId: other, publicKey: ec('P-256') }),
    ])
    expect(results.map((one) => one instanceof SallyportError)).toEqual([false, true, false, false])
    expect((results[1] as SallyportError).message).toContain(`its key is that of ${workload.toString()} too`)
  })

  test('SV-05 the id and the key are in what is signed: a changed byte of either breaks it', async () => {
    const { token } = await issued()
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      sub: string
      cnf: { jwk: JWK }
    }
    const x = ec('P-256').export({ format: 'jwk' }).x
    const changes = [
      { ...claims, sub: `${claims.sub}2` },
      { ...claims, cnf: { jwk: { ...claims.cnf.jwk, x } } },
    ]
    for (const changed of changes) {
      const forged = `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`
      await expect(verified(forged)).rejects.toThrow('signature verification failed')
    }
  })

  test('lives as long as asked for, and never beyond its authority', async () => {
    const now = world.clock.now().getTime()
    expect((await issued({ ttlSeconds: 60 })).expiresAt.getTime()).toBe(now + 60_000)
    const { notAfter } = world.authorities.activeWit()
    expect((await issued({ ttlSeconds: 30 * 86_400 })).expiresAt).toEqual(notAfter)
    const [refused] = await world.issuer.issueWitSvids([witOrderOf({ ttlSeconds: -5 })])
    expect((refused as SallyportError).code).toBe('REQUEST_INVALID')
  })

  test('records each without holding it, all of a batch in one commit', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    const results = await other.issuer.issueWitSvids([witOrderOf({ callerId: 'uid:0' }), witOrderOf()])
    const records = await other.audit('wit-svid.issued')
    expect(records).toHaveLength(2)
    expect(records[0]?.facts).toMatchObject({
      spiffeId: workload.toString(),
      entryId: 'entry-1',
      agentId: agentId.toString(),
      callerId: 'uid:0',
      authorityId: other.authorities.activeWit().authorityId,
      keyHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    for (const one of results) {
      expect(JSON.stringify(records)).not.toContain((one as IssuedToken).token.split('.')[2])
    }
  })

  test('what could not be recorded is not released', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    other.storeOptions.beforeCommit = () => {
      throw new SallyportError('STORE_FAILED', 'no room')
    }
    await expect(other.issuer.issueWitSvids([witOrderOf()])).rejects.toThrowCode('STORE_FAILED')
  })

  test('an authority that was revoked while it signed releases nothing', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    other.authorities.isPublished = () => false
    await expect(issued({}, other)).rejects.toThrowCode('NOT_READY', 'revoked while it signed')
  })
})

describe('the issuer asks the issuance gate before a WIT-SVID', () => {
  afterEach(() => {
    world.gate = openGate
  })
  const refusal = new SallyportError('ISSUANCE_REFUSED', 'in quarantine')

  test('what the gate refuses is neither signed nor recorded, the rest of a batch is', async () => {
    world.gate = { ...openGate, refusal: (id) => (id.equals(workload) ? refusal : undefined) }
    const before = (await world.audit('wit-svid.issued')).length
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const other = witOrderOf({ spiffeId: SpiffeId.of(workload.trustDomain, '/other'), publicKey })
    const [refused, signed] = await world.issuer.issueWitSvids([witOrderOf(), other])
    expect(refused).toBe(refusal)
    expect(signed).not.toBeInstanceOf(SallyportError)
    expect(await world.audit('wit-svid.issued')).toHaveLength(before + 1)
    await expect(world.issuer.mintWitSvid(witOrderOf())).rejects.toThrowCode('ISSUANCE_REFUSED')
  })

  test('a zone limits its life as that of an X509-SVID', async () => {
    world.gate = { ...openGate, x509TtlSeconds: () => 600 }
    const lifeOf = async (ttlSeconds: number): Promise<number> =>
      ((await issued({ ttlSeconds })).expiresAt.getTime() - world.clock.now().getTime()) / 1000
    expect([await lifeOf(0), await lifeOf(60), await lifeOf(3000)]).toEqual([600, 60, 600])
  })
})

describe('authorities for WIT-SVIDs', () => {
  test('ST-01 WI-36 are not there unless they are turned on: no key, no row, the same bundle, UNIMPLEMENTED', async () => {
    const other = await AuthorityWorld.open()
    expect(other.authorities.status().map(({ kind }) => kind)).toEqual(['x509', 'jwt'])
    expect(other.authorities.bundle().witAuthorities).toEqual([])
    expect(await other.keys.names()).toHaveLength(2)
    expect(() => other.authorities.activeWit()).toThrowCode('METHOD_UNIMPLEMENTED', 'not offered')
    await expect(other.issuer.issueWitSvids([witOrderOf()])).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    await expect(other.issuer.mintWitSvid(witOrderOf())).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    await expect(other.authorities.prepare('wit')).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
    expect(await other.audit('wit-svid.issued')).toEqual([])
  })

  test('are turned on and off over restarts, and leave nothing behind', async () => {
    const off = await AuthorityWorld.open()
    const before = printBundleTo(off.authorities.bundle())
    const shared = { keys: off.keys, clock: off.clock }
    const on = await AuthorityWorld.open({ ...shared, store: off.store.reopened(), config: withWit })
    await issued({}, on)
    expect(on.authorities.bundle().witAuthorities).toHaveLength(1)
    const offAgain = await AuthorityWorld.open({ ...shared, store: on.store.reopened() })
    expect(printBundleTo(offAgain.authorities.bundle())).toBe(before)
    await offAgain.settle()
    expect((await off.keys.names()).filter((name) => name.startsWith('wit'))).toEqual([])
  })

  describe('turned off again, where others appended keys', () => {
    const appended = async (world: AuthorityWorld, keyId: string, expiresAt: Date | undefined): Promise<void> => {
      const { publicKey } = await cryptography.generateKeyPair('ec-p256')
      const authority = { keyId, publicKey, expiresAt, tainted: false }
      await world.authorities.editBundle(
        (bundle) => ({ ...bundle, witAuthorities: [...bundle.witAuthorities, authority] }),
        [],
      )
    }
    const kidsOf = ({ authorities }: AuthorityWorld) => authorities.bundle().witAuthorities.map(({ keyId }) => keyId)
    const turnedOff = (on: AuthorityWorld) =>
      AuthorityWorld.open({ keys: on.keys, clock: on.clock, store: on.store.reopened() })

    test('those without an end go with the own ones, and the journal says so', async () => {
      const on = await AuthorityWorld.open({ config: withWit })
      await appended(on, 'endless', undefined)
      await on.restart()
      expect(kidsOf(on)).toContain('endless')
      const off = await turnedOff(on)
      expect([kidsOf(off), (await off.storedBundle())?.witAuthorities]).toEqual([[], []])
      expect(await off.audit('bundle.set')).toMatchObject([
        { facts: { sequenceNumber: off.authorities.bundle().sequenceNumber } },
      ])
    })

    test('those without an end stay for as long as another server signs, and go after it', async () => {
      const on = await AuthorityWorld.open({ config: withWit })
      await appended(on, 'endless', undefined)
      await appended(on, 'of another server', new Date(on.clock.now().getTime() + 2 * DAY))
      const off = await turnedOff(on)
      expect(kidsOf(off)).toEqual(['endless', 'of another server'])
      await off.pass(1.9 * DAY, HOUR)
      expect(kidsOf(off)).toEqual(['endless', 'of another server'])
      await off.pass(0.2 * DAY, HOUR)
      expect(kidsOf(off)).not.toContain('endless')
      await off.pass(DAY, HOUR)
      expect(kidsOf(off)).toEqual([])
    })
  })

  test('rotate as the others do, and stay until the last token has ended', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    const first = other.authorities.activeWit().authorityId
    const { token } = await issued({ ttlSeconds: (5 * DAY) / 1000 }, other)
    const kidsOf = () => other.authorities.bundle().witAuthorities.map(({ keyId }) => keyId)
    await other.pass(4.5 * DAY, HOUR)
    expect(other.authorities.activeWit().authorityId).not.toBe(first)
    expect(kidsOf()).toContain(first)
    await expect(verified(token, other)).resolves.toBeDefined()
    await other.pass(0.6 * DAY, HOUR)
    expect(kidsOf()).not.toContain(first)
  })

  test('WI-02 do not sign before every live agent has acknowledged their key', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    other.acknowledged.set('one', other.store.revision)
    const first = other.authorities.activeWit().authorityId
    await other.pass(3.5 * DAY, HOUR)
    expect(other.in('published', 'wit')).toBeDefined()
    await other.pass(2 * HOUR, 10 * MINUTE)
    expect(other.authorities.activeWit().authorityId).toBe(first)
    other.acknowledgeAll()
    await other.pass(20 * MINUTE, MINUTE)
    expect(other.authorities.activeWit().authorityId).not.toBe(first)
  })

  test('are prepared, tainted and revoked by hand; a revoked one verifies nothing any more', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    const first = other.authorities.activeWit().authorityId
    const { token } = await issued({}, other)
    await expect(other.authorities.taint('wit', first)).rejects.toThrowCode('AUTHORITY_STATE')
    await other.authorities.activate('wit', await other.authorities.prepare('wit'))
    await other.authorities.taint('wit', first)
    expect(other.authorities.bundle().witAuthorities.map(({ tainted }) => tainted)).toEqual([true, false])
    expect(other.authorities.isDistrusted('wit', first)).toBe(true)
    await other.authorities.revoke('wit', first)
    await expect(verified(token, other)).rejects.toThrow('not published')
    const types = (await other.audit()).filter(({ facts }) => facts['kind'] === 'wit').map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['authority.prepared', 'authority.tainted', 'authority.revoked']))
  })

  test('WI-33 SV-02 no two keys of any kind share an id, and none signs what another kind is for', async () => {
    const other = await AuthorityWorld.open({ config: withWit })
    const { jwtAuthorities, witAuthorities } = other.authorities.bundle()
    const ids = [...jwtAuthorities, ...witAuthorities].map(({ keyId }) => keyId)
    expect(new Set(ids).size).toBe(2)
    const jwt = await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'] })
    const wit = await issued({}, other)
    expect([jwt.authorityId, wit.authorityId]).toEqual(ids)
  })
})
