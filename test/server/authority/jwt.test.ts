import { beforeAll, describe, expect, test } from 'vitest'
import { parseJws } from '../../../src/jws/parse-jws.ts'
import { signatureAlgorithms } from '../../../src/key/signature-algorithm.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { agentId, AuthorityWorld, DAY, workload } from './authority-world.ts'

let world: AuthorityWorld
beforeAll(async () => {
  world = await AuthorityWorld.open()
})

const headerOf = (token: string): unknown => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())

describe('issueJwtSvid()', () => {
  test('JW-02 JW-06 JW-09 JW-11 JW-16 JW-19 says who, for whom and until when, signed with a published key', async () => {
    const { token, issuedAt, expiresAt } = await world.issuer.issueJwtSvid({ spiffeId: workload, audience: ['orders'] })
    const { payload, algorithm, keyId, signed, signature } = parseJws(token)
    const now = Math.floor(world.clock.now().getTime() / 1000)
    expect(payload).toEqual({ sub: workload.toString(), aud: ['orders'], iat: now, exp: now + 300 })
    expect([issuedAt.getTime() / 1000, expiresAt.getTime() / 1000]).toEqual([now, now + 300])
    expect(headerOf(token)).toEqual({ alg: 'ES256', kid: keyId, typ: 'JWT' })
    const key = world.authorities.bundle().jwtAuthorities.find((one) => one.keyId === keyId)
    expect(await cryptography.verify(algorithm, key!.publicKey, signed, signature, 'ieee-p1363')).toBe(true)
  })

  test.for([
    ['ec-p256', undefined, 'ES256'],
    ['ec-p384', undefined, 'ES384'],
    ['rsa-2048', undefined, 'RS256'],
    ['rsa-2048', 'PS256', 'PS256'],
    ['ec-p256', 'PS256', 'ES256'],
  ] as const)(
    'JW-04 signs with a key of %s, %s wanted, as %s',
    { timeout: 30_000 },
    async ([keyType, algorithm, expected]) => {
      const other = await AuthorityWorld.open({ config: { jwt: { keyType, algorithm, ttlSeconds: 86_400 } } })
      const { token } = await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['orders'] })
      const read = parseJws(token)
      expect(read.algorithm).toBe(expected)
      const [key] = other.authorities.bundle().jwtAuthorities
      expect(key?.publicKey.asymmetricKeyType).toBe(signatureAlgorithms[expected].keyKind)
      expect(await cryptography.verify(expected, key!.publicKey, read.signed, read.signature, 'ieee-p1363')).toBe(true)
    },
  )

  test('has an issuer and an id of its own only where asked for', async () => {
    const other = await AuthorityWorld.open({ issuer: { jwtIssuer: 'https://issuer.example.org' } })
    const { token } = await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a', 'b'], includeJti: true })
    const { payload } = parseJws(token)
    expect(Object.keys(payload)).toEqual(['sub', 'aud', 'iat', 'exp', 'iss', 'jti'])
    expect(payload['iss']).toBe('https://issuer.example.org')
    const id = Buffer.from(payload['jti'] as string, 'base64url')
    expect([id.length, id[6]! >> 4, id[8]! >> 6]).toEqual([16, 4, 2])
    const again = await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'], includeJti: true })
    expect(parseJws(again.token).payload['jti']).not.toBe(payload['jti'])
    const minted = await other.issuer.mintJwtSvid({ spiffeId: workload, audience: ['a'] })
    expect(parseJws(minted.token).payload['jti']).toBeUndefined()
  })

  test('JW-18 lives as long as asked for, five minutes by default', async () => {
    const now = Math.floor(world.clock.now().getTime() / 1000) * 1000
    const { expiresAt } = await world.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'], ttlSeconds: 60 })
    expect(expiresAt.getTime()).toBe(now + 60_000)
  })

  test.for([
    ['no audience', [], 'at least one audience'],
    ['an empty audience', ['a', ''], 'an audience is empty'],
    ['an audience beyond the limit', ['a'.repeat(2049)], 'longer than 2048 bytes'],
    ['audiences beyond the limit together', Array.from({ length: 9 }, (_, at) => `${at}`.repeat(1000)), 'together'],
    ['too many audiences', Array.from({ length: 101 }, String), 'more than 100'],
  ] as const)('JW-11 refuses %s', async ([, audience, words]) => {
    const issuing = world.issuer.issueJwtSvid({ spiffeId: workload, audience })
    await expect(issuing).rejects.toThrowCode('REQUEST_INVALID', words)
  })

  test('issues for whatever an agent lets through: 100 audiences, and long ones', async () => {
    for (const audience of [Array.from({ length: 100 }, String), ['a'.repeat(2048), 'b'.repeat(2048)]]) {
      const { token } = await world.issuer.issueJwtSvid({ spiffeId: workload, audience })
      expect(parseJws(token).payload['aud']).toEqual(audience)
    }
  })

  test('records the token without holding it', async () => {
    const other = await AuthorityWorld.open()
    const { token } = await other.issuer.issueJwtSvid({
      spiffeId: workload,
      audience: ['orders'],
      entryId: 'e',
      agentId,
    })
    const [record] = await other.audit('jwt-svid.issued')
    expect(record?.facts).toMatchObject({ spiffeId: workload.toString(), entryId: 'e', audience: ['orders'] })
    expect(JSON.stringify(record)).not.toContain(token.split('.')[2])
  })

  test('refuses lives that are no time', async () => {
    const issuing = world.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'], ttlSeconds: -5 })
    await expect(issuing).rejects.toThrowCode('REQUEST_INVALID', 'not a whole number')
  })

  test('keeps the key in the bundle until the last token has ended', async () => {
    const other = await AuthorityWorld.open()
    const first = other.authorities.activeJwt().authorityId
    await other.issuer.issueJwtSvid({ spiffeId: workload, audience: ['a'], ttlSeconds: (5 * DAY) / 1000 })
    await other.pass(4.5 * DAY, DAY / 24)
    expect(other.authorities.activeJwt().authorityId).not.toBe(first)
    expect(other.authorities.bundle().jwtAuthorities.map(({ keyId }) => keyId)).toContain(first)
    await other.pass(0.6 * DAY, DAY / 24)
    expect(other.authorities.bundle().jwtAuthorities.map(({ keyId }) => keyId)).not.toContain(first)
  })
})
