import { createHash, generateKeyPairSync } from 'node:crypto'
import { compactVerify, createLocalJWKSet, decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { MAX_OTHER_TOKENS, tokenHash } from '../../../src/wit/carried-tokens.ts'
import { HeaderFields } from '../../../src/wit/header-fields.ts'
import { checkProofToken, type ProofTokenCheck, signProofToken } from '../../../src/wit/proof-token.ts'
import { addresseeOf } from '../../../src/wit/target.ts'
import { parseWitSvid, withPrivateKey } from '../../../src/wit/wit-svid.ts'
import {
  ecKeys,
  heldWit,
  issueWit,
  now,
  refusesAnyBytes,
  seconds,
  signedBy,
  vectors,
  witClaims,
  workloadKeys,
} from './wit-world.ts'

const svid = heldWit()
const audience = 'https://api.example.org/v1/items'
const proofHeader = { alg: 'ES256', typ: 'wpt+jwt' }
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')
const claims = { aud: audience, exp: seconds + 60, jti: 'AAECAwQFBgcICQoLDA0ODw', wth: sha256(svid.token) }

const fieldsOf = (headers: Readonly<Record<string, string>> = {}): HeaderFields =>
  HeaderFields.of(Object.entries(headers))
const addressee = addresseeOf({ origins: ['https://api.example.org'] })
const checkOf = (changes: Partial<ProofTokenCheck> = {}): ProofTokenCheck => ({
  addressee,
  path: '/v1/items',
  fields: fieldsOf(),
  tokenFields: [],
  now,
  ...changes,
})
const check = (token: string, changes: Partial<ProofTokenCheck> = {}, wit = svid) =>
  checkProofToken(token, wit, checkOf(changes))
/** A proof made by hand, good apart from what changes. */
const proofWith = (changes: object = {}, header: object = {}, keys = workloadKeys): string =>
  signedBy(keys, { ...proofHeader, ...header }, { ...claims, ...changes })
const order = (headers: Readonly<Record<string, string>> = {}, tokenFields: readonly string[] = []) => ({
  audience,
  fields: fieldsOf(headers),
  tokenFields,
  now,
})

describe('signProofToken()', () => {
  test('WP-02 says whom it is for, until when, once, and of which WIT-SVID; an independent library verifies it', async () => {
    const token = await signProofToken(svid, order())
    const { payload, protectedHeader } = await jwtVerify(token, svid.publicKey, { audience, currentDate: now })
    expect(protectedHeader).toEqual(proofHeader)
    expect(payload).toEqual({
      aud: audience,
      exp: seconds + 60,
      jti: expect.stringMatching(/^[\w-]{22}$/) as string,
      wth: sha256(svid.token),
    })
  })

  test('WP-02 no two ids are the same', async () => {
    const tokens = await Promise.all(Array.from({ length: 200 }, () => signProofToken(svid, order())))
    expect(new Set(tokens.map((token) => decodeJwt(token).jti)).size).toBe(200)
  })

  test.for([
    ['ES384', 'secp384r1'],
    ['ES512', 'secp521r1'],
  ] as const)('WP-02 WP-05 signs with the algorithm of the key: %s', async ([alg, curve]) => {
    const keys = ecKeys(curve)
    const held = heldWit(witClaims(keys, alg), keys)
    const token = await signProofToken(held, order())
    expect(decodeProtectedHeader(token).alg).toBe(alg)
    await compactVerify(token, keys.publicKey)
    expect((await check(token, {}, held)).proof).toBe('token')
  })

  test('WI-27 lives for a minute unless told otherwise, and for five at most', async () => {
    const lives = async (lifeSeconds?: number) =>
      (decodeJwt(await signProofToken(svid, { ...order(), lifeSeconds })).exp ?? 0) - seconds
    expect([await lives(), await lives(1), await lives(300)]).toEqual([60, 1, 300])
    for (const wrong of [0, 301, -1, NaN, Infinity]) await expect(lives(wrong)).rejects.toThrow(TypeError)
  })

  test('WI-31 the key is not used beyond the end of its WIT-SVID', async () => {
    const ending = heldWit({ exp: seconds + 20 })
    expect(decodeJwt(await signProofToken(ending, order())).exp).toBe(seconds + 20)
    await expect(signProofToken(heldWit({ exp: seconds }), order())).rejects.toThrowCode('WIT_SVID_EXPIRED')
  })

  test('WP-02 WP-11 covers the tokens of the request', async () => {
    const headers = {
      Authorization: 'Bearer access-token',
      'Txn-Token': ' transaction ',
      'X-Api-Key': ' key of an api ',
      'x-other': 'not a token',
    }
    const token = await signProofToken(svid, order(headers, ['x-api-key', 'x-absent']))
    expect(decodeJwt(token)).toMatchObject({
      ath: sha256('access-token'),
      tth: sha256('transaction'),
      oth: { 'x-api-key': sha256('key of an api') },
    })
    const fields = fieldsOf(headers)
    const { coveredTokens } = await check(token, { fields, tokenFields: ['x-api-key', 'x-absent'] })
    expect(coveredTokens).toEqual(new Set(['authorization', 'txn-token', 'x-api-key']))
  })

  test('WP-02 covers credentials that are no access token by the name of their header', async () => {
    const headers = { authorization: 'Basic dXNlcjpzZWNyZXQ=' }
    const token = await signProofToken(svid, order(headers))
    expect(decodeJwt(token)).toMatchObject({ oth: { authorization: sha256('Basic dXNlcjpzZWNyZXQ=') } })
    expect((await check(token, { fields: fieldsOf(headers) })).coveredTokens).toEqual(new Set(['authorization']))
  })
})

describe('checkProofToken()', () => {
  test('WP-05 accepts a good proof and says what it is good for', async () => {
    expect(await check(proofWith())).toEqual({
      proof: 'token',
      proofId: 'AAECAwQFBgcICQoLDA0ODw',
      expiresAt: new Date(now.getTime() + 90_000),
      coveredTokens: new Set(),
      answer: undefined,
    })
  })

  test.for([
    (token: string) => `${token}, ${token}`,
    (token: string) => token.slice(0, token.lastIndexOf('.')),
    (token: string) => ` ${token}`,
    (token: string) => `${token} `,
    (token: string) => token.replace('.', '. '),
    () => 'x',
    () => '',
  ])('WP-04 refuses what is not one well-formed token: %s', async (change) => {
    await expect(check(change(proofWith()))).rejects.toThrowCode('WIT_PROOF_INVALID')
  })

  test('WP-05 WI-23 refuses a proof by another key', async () => {
    await expect(check(proofWith({}, {}, ecKeys()))).rejects.toThrowCode('WIT_PROOF_INVALID', 'not signed with the key')
  })

  test.for(['ES384', 'PS256', 'RS256', 'none', 'HS256', 'EdDSA', undefined])(
    'WP-05 refuses alg %s where the WIT-SVID says ES256',
    async (alg) => {
      await expect(check(proofWith({}, { alg }))).rejects.toThrowCode('WIT_PROOF_INVALID')
    },
  )

  test('WP-05 the algorithm is the one of the WIT-SVID, also where the key could do another', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const held = heldWit(witClaims(keys, 'PS256'), keys)
    const other = heldWit(witClaims(keys, 'RS256'), keys)
    const token = await signProofToken(other, order())
    await expect(check(token, {}, held)).rejects.toThrowCode('WIT_PROOF_INVALID', 'signed with RS256, not PS256')
  })

  test.for(['JWT', 'wit+jwt', 'WPT+JWT', 'application/wpt+jwt', undefined, ''])('WP-05 refuses typ %j', async (typ) => {
    await expect(check(proofWith({}, { typ }))).rejects.toThrowCode('WIT_PROOF_INVALID', '"typ"')
  })

  test.for([
    'https://api.example.org/v1/items?q=1',
    'https://api.example.org/v1/items#x',
    'https://API.example.org:443/v1/items',
    ['https://api.example.org/v1/items'],
  ])('WP-06 accepts the aud %j, without query and fragment', async (aud) => {
    expect((await check(proofWith({ aud }))).proof).toBe('token')
  })

  test.for([
    'https://api.example.org/v1/other',
    'https://api.example.org/v1/items/',
    'https://api.example.org/V1/items',
    'https://api.example.org/v1/../v1/items',
    'https://api.example.org/v1/%69tems',
    'https://api.example.org',
    'https://api.example.org:8443/v1/items',
    'http://api.example.org/v1/items',
    'https://api.example.org@evil.test/v1/items',
    'https://user@api.example.org/v1/items',
    'https://evil.test/v1/items',
    'https://[zz]/v1/items',
    'https://api.example.org\\/v1/items',
    ' https://api.example.org/v1/items',
    '/v1/items',
    '',
    undefined,
    5,
    [],
    ['https://api.example.org/v1/items', 'https://evil.test/v1/items'],
  ])('WP-06 WI-30 refuses the aud %j', async (aud) => {
    await expect(check(proofWith({ aud }))).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
  })

  test('WP-06 accepts an alias that was agreed on, for any path', async () => {
    const alias = 'spiffe://example.org/api'
    const named = addresseeOf({ audiences: [alias] })
    expect((await check(proofWith({ aud: alias }), { addressee: named })).proof).toBe('token')
    await expect(check(proofWith(), { addressee: named })).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
    await expect(check(proofWith({ aud: alias }))).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
  })

  test.for([undefined, null, 'soon', true, NaN])('WP-08 refuses the exp %j', async (exp) => {
    await expect(check(proofWith({ exp }))).rejects.toThrowCode('WIT_PROOF_INVALID', 'does not say when it ends')
  })

  test('WP-08 WI-27 refuses what has ended and what would last for too long', async () => {
    const ending = (exp: number, changes: Partial<ProofTokenCheck> = {}) => check(proofWith({ exp }), changes)
    await expect(ending(seconds - 30)).rejects.toThrowCode('WIT_PROOF_EXPIRED', 'it ended')
    await expect(ending(seconds, { leewaySeconds: 0 })).rejects.toThrowCode('WIT_PROOF_EXPIRED', 'it ended')
    await expect(ending(seconds + 3600)).rejects.toThrowCode('WIT_PROOF_EXPIRED', 'more than 300 seconds')
    await expect(ending(seconds + 301, { leewaySeconds: 0 })).rejects.toThrowCode('WIT_PROOF_EXPIRED')
    await expect(ending(seconds + 61, { leewaySeconds: 0, maxProofLifeSeconds: 60 })).rejects.toThrowCode(
      'WIT_PROOF_EXPIRED',
      'more than 60 seconds',
    )
    expect((await ending(seconds + 300)).expiresAt).toEqual(new Date(now.getTime() + 330_000))
    expect((await ending(seconds - 29)).proof).toBe('token')
  })

  test.for([undefined, '', 5, 'x'.repeat(300)])('WP-10 refuses the jti %j, which cannot be remembered', async (jti) => {
    await expect(check(proofWith({ jti }))).rejects.toThrowCode('WIT_PROOF_INVALID', '"jti"')
  })

  test('WP-09 refuses a proof that was made for another WIT-SVID of the same key', async () => {
    const other = heldWit({ jti: 'another' })
    await expect(check(proofWith(), {}, other)).rejects.toThrowCode('WIT_PROOF_INVALID', 'another WIT-SVID')
    await expect(check(proofWith({ wth: undefined }))).rejects.toThrowCode('WIT_PROOF_INVALID', 'another WIT-SVID')
    expect((await check(proofWith({ wth: sha256(other.token) }), {}, other)).proof).toBe('token')
  })

  test.for<readonly [string, object, Record<string, string>, string]>([
    ['an access token without ath', {}, { authorization: 'Bearer t' }, '"ath"'],
    ['a wrong ath', { ath: sha256('u') }, { authorization: 'Bearer t' }, '"ath"'],
    ['an ath of the whole header', { ath: sha256('Bearer t') }, { authorization: 'Bearer t' }, '"ath"'],
    ['an ath without a token', { ath: sha256('t') }, {}, '"ath"'],
    ['a DPoP token without ath', {}, { authorization: 'dpop t' }, '"ath"'],
    ['a transaction token without tth', {}, { 'txn-token': 't' }, '"tth"'],
    ['a wrong tth', { tth: sha256('u') }, { 'txn-token': 't' }, '"tth"'],
    ['a tth without a token', { tth: sha256('t') }, {}, '"tth"'],
    ['another credential without oth', {}, { authorization: 'Basic dTpw' }, '"authorization"'],
    ['a token of the service without oth', {}, { 'x-api-key': 'k' }, '"x-api-key"'],
  ])('WP-11 refuses %s', async ([, changes, headers, why]) => {
    const fields = fieldsOf(headers)
    await expect(check(proofWith(changes), { fields, tokenFields: ['x-api-key'] })).rejects.toThrowCode(
      'WIT_PROOF_INVALID',
      why,
    )
  })

  test('WP-11 an access token needs ath alone, a transaction token tth, wherever else they are listed', async () => {
    const fields = fieldsOf({ authorization: 'DPoP t', 'txn-token': 'x' })
    const tokenFields = ['authorization', 'txn-token', 'workload-identity-token', 'workload-proof-token']
    const token = proofWith({ ath: sha256('t'), tth: sha256('x') })
    expect((await check(token, { fields, tokenFields })).coveredTokens).toEqual(new Set(['authorization', 'txn-token']))
    const made = await signProofToken(svid, { audience, fields, tokenFields, now })
    expect(decodeJwt(made)).not.toHaveProperty('oth')
  })

  test('WP-11 refuses two tokens of one name, of which others may read the other', async () => {
    for (const name of ['authorization', 'txn-token', 'x-api-key']) {
      const fields = HeaderFields.of([
        [name, 'Bearer t'],
        [name.toUpperCase(), 'Bearer u'],
      ])
      await expect(check(proofWith({ ath: sha256('t') }), { fields, tokenFields: ['x-api-key'] })).rejects.toThrowCode(
        'WIT_PROOF_INVALID',
        'several headers',
      )
    }
  })

  test.for<unknown>([
    { 'x-unknown': sha256('') },
    { 'x-there': sha256('another') },
    { 'X-There': sha256('there') },
    { 'x-there': 5 },
    { 'x-there': null },
    { ['x-there']: sha256('there'), 'x-unknown': sha256('x') },
    { constructor: sha256('') },
    'x',
    5,
    null,
    [],
  ])('WP-12 refuses the oth %j: each entry must be understood', async (oth) => {
    const fields = fieldsOf({ 'x-there': 'there' })
    await expect(check(proofWith({ oth }), { fields })).rejects.toThrowCode('WIT_PROOF_INVALID', '"oth"')
  })

  test('WP-12 says which tokens are covered; others are not', async () => {
    const fields = fieldsOf({ 'x-there': ' there ', 'x-else': 'else' })
    const { coveredTokens } = await check(proofWith({ oth: { 'x-there': sha256('there') } }), { fields })
    expect([...coveredTokens]).toEqual(['x-there'])
  })

  test('WP-12 looks at a limited number of tokens', async () => {
    const named = Object.fromEntries(Array.from({ length: MAX_OTHER_TOKENS + 1 }, (_, n) => [`x-${n}`, 'v']))
    const oth = Object.fromEntries(Object.entries(named).map(([name, value]) => [name, sha256(value)]))
    const { 'x-0': _, ...most } = oth
    expect((await check(proofWith({ oth: most }), { fields: fieldsOf(named) })).coveredTokens.size).toBe(16)
    await expect(check(proofWith({ oth }), { fields: fieldsOf(named) })).rejects.toThrowCode(
      'WIT_PROOF_INVALID',
      'more than 16',
    )
  })

  test('WP-13 ignores claims that it does not know', async () => {
    expect((await check(proofWith({ foo: 1, iat: seconds, nbf: 'x' }))).proof).toBe('token')
  })

  test('answers any text with a SallyportError that does not repeat it', async () => {
    await refusesAnyBytes(check)
  })
})

describe('the vectors', () => {
  const { project, wimse } = vectors
  const held = withPrivateKey(parseWitSvid(project.witSvid), JSON.stringify(project.privateKey))
  const vectorCheck = checkOf({
    addressee: addresseeOf({ origins: ['https://api.vector.test'] }),
    now: new Date('2026-06-01T12:00:00Z'),
  })

  test('WP-02 WP-08 the project proof is far ahead: refused, and accepted where that limit is lifted', async () => {
    await expect(checkProofToken(project.proofToken, held, vectorCheck)).rejects.toThrowCode('WIT_PROOF_EXPIRED')
    const lifted = { ...vectorCheck, maxProofLifeSeconds: Infinity }
    expect((await checkProofToken(project.proofToken, held, lifted)).proofId).toBe('AAECAwQFBgcICQoLDA0ODw')
    expect(tokenHash(project.witSvid)).toBe(project.tokenHash)
    const elsewhere = { ...lifted, path: '/v1/other' }
    await expect(checkProofToken(project.proofToken, held, elsewhere)).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
  })

  test('WP-02 hashes are those of the WIMSE examples, whose proof verifies with the key of its WIT', async () => {
    expect(tokenHash(wimse.wit)).toBe(wimse.tokenHash)
    expect(tokenHash(wimse.accessToken)).toBe(wimse.accessTokenHash)
    expect(decodeJwt(wimse.proofToken)).toMatchObject({ wth: wimse.tokenHash, ath: wimse.accessTokenHash })
    const { payload } = await jwtVerify(wimse.wit, createLocalJWKSet({ keys: [wimse.issuerKey as never] }), {
      currentDate: new Date(1745510000_000),
    })
    const { jwk } = payload['cnf'] as { jwk: object }
    await compactVerify(wimse.proofToken, await importJWK(jwk as never, 'EdDSA'))
  })

  test('WP-15 ES256 end to end', async () => {
    const signed = await signProofToken(held, { ...order(), audience: project.audience })
    expect((await checkProofToken(signed, held, vectorCheck)).proof).toBe('token')
    await expect(checkProofToken(signed, parseWitSvid(issueWit()), vectorCheck)).rejects.toThrowCode(
      'WIT_PROOF_INVALID',
    )
  })
})

describe('addresseeOf()', () => {
  test.for([
    {},
    { origins: [] },
    { audiences: [] },
    { audiences: [''] },
    { origins: ['api.example.org'] },
    { origins: ['https://api.example.org/path'] },
    { origins: ['https://u@api.example.org'] },
    { origins: ['spiffe://example.org'] },
    { origins: [''] },
    { origins: ['https://[zz]'] },
  ])('WP-07 refuses the names %j', (names) => {
    expect(() => addresseeOf(names)).toThrow(TypeError)
  })

  test('WP-06 an origin is one in any spelling; a path is not', () => {
    const own = addresseeOf({ origins: ['HTTPS://Api.Example.org:443/', 'https://[::1]:8443'] })
    expect(own.isMeant('https://api.example.org/x', '/x')).toBe(true)
    expect(own.isMeant('https://api.example.org', '/')).toBe(true)
    expect(own.isMeant('https://[::1]:8443/x?y', '/x')).toBe(true)
    expect(own.isMeant('https://api.example.org/x', undefined)).toBe(false)
  })
})
