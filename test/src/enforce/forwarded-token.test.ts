import { beforeAll, describe, expect, test } from 'vitest'
import { forwardedToken, type ForwardedTokens } from '../../../src/enforce/forwarded-token.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { verifyJwtSvid } from '../../../src/svid/verify-jwt-svid.ts'

/** Verifies as a `JwtSource` does. */
let authority: TestAuthority
let tokens: ForwardedTokens
let asked: number
beforeAll(async () => {
  authority = await TestAuthority.create({ trustDomain: 'prod.acme.example' })
  const bundles = bundleSetOf([authority.bundleWithJwt()])
  tokens = {
    verify: (token, audience) => {
      asked++
      return verifyJwtSvid(token, audience, bundles, new Date())
    },
  }
  asked = 0
})

const path = '/ns/web/sa/storefront'
const bearerOf = async (audience: string[], options: { expiresAt?: Date } = {}): Promise<string> =>
  `Bearer ${await authority.issueJwt({ path, audience, ...options })}`

describe('a token that a peer forwards', () => {
  test('is verified where it would count', async () => {
    const facts = await forwardedToken([await bearerOf(['ledger'])], 'ledger', tokens)
    expect(facts).toMatchObject({ spiffeId: 'spiffe://prod.acme.example/ns/web/sa/storefront', audience: ['ledger'] })
  })

  test('ZO-42: is not verified where it has no effect, however good it is', async () => {
    asked = 0
    expect(forwardedToken([await bearerOf(['ledger'])], undefined, tokens)).toEqual({ refused: 'JWT_INVALID' })
    expect(asked).toBe(0)
  })

  test('is refused where there is nobody to verify it', async () => {
    expect(forwardedToken([await bearerOf(['ledger'])], 'ledger', undefined)).toEqual({ refused: 'JWT_INVALID' })
  })

  test('is none of ours in another scheme', () => {
    expect(forwardedToken(['Basic dXNlcjpwYXNz'], 'ledger', tokens)).toBeUndefined()
    expect(forwardedToken(['Bearers a.b.c'], 'ledger', tokens)).toBeUndefined()
    expect(forwardedToken([], 'ledger', tokens)).toBeUndefined()
  })

  test.for(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer\ta.b.c', 'bearer "a.b.c"'])(
    'is refused where an application might read it otherwise: %j',
    (authorization) => {
      expect(forwardedToken([authorization], 'ledger', tokens)).toEqual({ refused: 'JWT_INVALID' })
    },
  )

  test('is refused where there is another beside it: the application might read either', async () => {
    asked = 0
    const good = await bearerOf(['ledger'])
    for (const several of [
      [good, 'Bearer a.b.c'],
      [good, 'Basic dXNlcjpwYXNz'],
      ['Basic dXNlcjpwYXNz', good],
    ]) {
      expect(forwardedToken(several, 'ledger', tokens)).toEqual({ refused: 'JWT_INVALID' })
    }
    expect(forwardedToken(['Basic dXNlcjpwYXNz', 'Digest a'], 'ledger', tokens)).toBeUndefined()
    expect(asked).toBe(0)
  })

  test('is read whatever the case of its scheme', async () => {
    const authorization = (await bearerOf(['ledger'])).replace('Bearer', 'bEARER')
    expect(await forwardedToken([authorization], 'ledger', tokens)).toMatchObject({ audience: ['ledger'] })
  })

  test('tells whose it says it is when only its audience is another, for policy to refuse it', async () => {
    const facts = await forwardedToken([await bearerOf(['orders'])], 'ledger', tokens)
    expect(facts).toMatchObject({ spiffeId: 'spiffe://prod.acme.example/ns/web/sa/storefront', audience: ['orders'] })
  })

  test('is refused as expired', async () => {
    const expired = await bearerOf(['ledger'], { expiresAt: new Date(Date.now() - 120_000) })
    expect(await forwardedToken([expired], 'ledger', tokens)).toEqual({ refused: 'JWT_EXPIRED' })
  })

  test('is refused when it is no token, of a foreign key, or changed on the way', async () => {
    const foreign = await TestAuthority.create({ trustDomain: 'prod.acme.example' })
    const token = await foreign.issueJwt({ path, audience: ['ledger'] })
    const changed = (await bearerOf(['ledger'])).replace(/.{4}$/, 'AAAA')
    for (const authorization of ['Bearer aaa.bbb.ccc', `Bearer ${token}`, changed]) {
      expect(await forwardedToken([authorization], 'ledger', tokens)).toEqual({ refused: 'JWT_INVALID' })
    }
  })

  test('is refused when whoever verifies fails otherwise, such as a source that is closed', async () => {
    const broken: ForwardedTokens = { verify: () => Promise.reject(new Error('closed')) }
    expect(await forwardedToken(['Bearer a.b.c'], 'ledger', broken)).toEqual({ refused: 'JWT_INVALID' })
    const throwing: ForwardedTokens = {
      verify: () => {
        throw new Error('closed')
      },
    }
    expect(await forwardedToken(['Bearer a.b.c'], 'ledger', throwing)).toEqual({ refused: 'JWT_INVALID' })
  })
})
