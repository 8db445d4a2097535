import { describe, expect, test } from 'vitest'
import { parseJws, PROOF_TOKEN_HEADER, WIT_SVID_HEADER } from '../../../src/jws/parse-jws.ts'

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const tokenWith = (header: object): string => `${encode(header)}.${encode({})}.AAAA`

describe('parseJws() of other kinds of tokens', () => {
  test('WI-04 JW-24 a WIT-SVID, its proof and a JWT-SVID are never read as each other', () => {
    const wit = tokenWith({ alg: 'ES256', kid: 'k', typ: 'wit+jwt' })
    const proof = tokenWith({ alg: 'ES256', typ: 'wpt+jwt' })
    expect(parseJws(wit, WIT_SVID_HEADER).keyId).toBe('k')
    expect(parseJws(proof, PROOF_TOKEN_HEADER).keyId).toBeUndefined()
    for (const read of [
      () => parseJws(wit),
      () => parseJws(proof),
      () => parseJws(wit, PROOF_TOKEN_HEADER),
      () => parseJws(proof, WIT_SVID_HEADER),
      () => parseJws(tokenWith({ alg: 'ES256', kid: 'k', typ: 'JWT' }), WIT_SVID_HEADER),
      () => parseJws(tokenWith({ alg: 'ES256', kid: 'k', typ: 'JWT' }), PROOF_TOKEN_HEADER),
    ])
      expect(read).toThrowCode('JWS_INVALID', '"typ"')
  })

  test('WI-07 ignores what it does not know in the header of a WIT-SVID, and refuses crit', () => {
    const wit = { alg: 'ES256', kid: 'k', typ: 'wit+jwt' }
    expect(parseJws(tokenWith({ ...wit, foo: 1, jku: 'https://evil.test' }), WIT_SVID_HEADER).keyId).toBe('k')
    for (const crit of [['foo'], [], null])
      expect(() => parseJws(tokenWith({ ...wit, foo: 1, crit }), WIT_SVID_HEADER)).toThrowCode('JWS_INVALID', 'crit')
  })

  test('WI-03 refuses a WIT-SVID without kid', () => {
    expect(() => parseJws(tokenWith({ alg: 'ES256', typ: 'wit+jwt' }), WIT_SVID_HEADER)).toThrowCode(
      'JWS_INVALID',
      'no "kid"',
    )
  })
})
