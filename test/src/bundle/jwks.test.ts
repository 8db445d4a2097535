import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundleOf } from '../../../src/bundle/bundle.ts'
import { parseJwks, parseWitJwks, printJwks, printWitJwks } from '../../../src/bundle/jwks.ts'
import { jwkOf } from '../../../src/jws/jwk.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

let authority: TestAuthority
let bundle: Bundle

beforeAll(async () => {
  authority = await TestAuthority.create()
  const jwtAuthorities = [{ keyId: 'k1', publicKey: authority.keyPair.publicKey, expiresAt: undefined, tainted: false }]
  bundle = bundleOf({ ...authority.bundle(), jwtAuthorities })
})

const parse = (keys: unknown) => parseJwks(JSON.stringify({ keys }), bundle.trustDomain)
const jwk = (changes: Record<string, unknown> = {}) => ({ ...jwkOf(authority.keyPair.publicKey, 'k1'), ...changes })

describe('printJwks()', () => {
  test('IO-22 WA-37 TB-23 holds JWT keys alone: kty, key members and kid, without use and alg', () => {
    expect(JSON.parse(printJwks(bundle))).toEqual({ keys: [jwkOf(authority.keyPair.publicKey, 'k1')] })
    expect(Object.keys((JSON.parse(printJwks(bundle)) as { keys: object[] }).keys[0]!)).toEqual([
      'kty',
      'crv',
      'x',
      'y',
      'kid',
    ])
  })

  test('IO-22 an independent library verifies tokens with it', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60
    const token = await signJws(
      { kid: 'k1', typ: 'JWT' },
      { sub: 'spiffe://example.org/a', aud: ['x'], exp },
      authority.signer,
      'ES256',
    )
    const keys = createLocalJWKSet(JSON.parse(printJwks(bundle)) as JSONWebKeySet)
    const { payload } = await jwtVerify(token, keys, { audience: 'x' })
    expect(payload.sub).toBe('spiffe://example.org/a')
  })

  test('an empty bundle is an empty set', () => {
    expect(printJwks(bundleOf({ trustDomain: bundle.trustDomain }))).toBe('{"keys":[]}')
  })
})

describe('parseJwks()', () => {
  test('reads what was printed', () => {
    const again = parseJwks(printJwks(bundle), bundle.trustDomain)
    expect(again.jwtAuthorities[0]?.publicKey.equals(authority.keyPair.publicKey)).toBe(true)
    expect(again.x509Authorities).toEqual([])
  })

  test.for([undefined, 'jwt-svid'])('IO-22 IO-37 accepts use %s', (use) => {
    expect(parse([jwk({ use })]).jwtAuthorities).toHaveLength(1)
  })

  test.for(['sig', 'x509-svid', 'wit-svid', 5])('IO-22 WA-45 ignores use %s', (use) => {
    expect(parse([jwk({ use }), jwk({ kid: 'k2' })]).jwtAuthorities.map(({ keyId }) => keyId)).toEqual(['k2'])
  })

  test('JW-32 leaves out keys that cannot verify anything', () => {
    expect(parse([jwk({ kid: undefined }), jwk({ kty: 'AKP' }), jwk({ x: 'AAAA' }), 5, null]).jwtAuthorities).toEqual(
      [],
    )
  })

  test.for(['{}', '{"keys":5}', '[]', '', '{"keys":[],"keys":[]}'])('refuses %s', (text) => {
    expect(() => parseJwks(text, bundle.trustDomain)).toThrow(/Cannot read/)
  })
})

describe('printWitJwks() and parseWitJwks()', () => {
  const wit = () => bundleOf({ trustDomain: bundle.trustDomain, witAuthorities: bundle.jwtAuthorities })

  test('WA-53 WA-54 holds WIT keys alone, with kid and use', () => {
    const printed = printWitJwks(bundleOf({ ...wit(), x509Authorities: bundle.x509Authorities }))
    expect(JSON.parse(printed)).toEqual({ keys: [jwk({ use: 'wit-svid' })] })
    expect(printWitJwks(bundle)).toBe('{"keys":[]}')
  })

  test('WI-34 reads what was printed, as keys for nothing else', () => {
    const again = parseWitJwks(printWitJwks(wit()), bundle.trustDomain)
    expect([again.witAuthorities.length, again.jwtAuthorities, again.x509Authorities]).toEqual([1, [], []])
    expect(again.witAuthorities[0]?.publicKey.equals(authority.keyPair.publicKey)).toBe(true)
  })

  test.for(['sig', 'jwt-svid', 'WIT-SVID', 5])('WI-34 ignores use %s', (use) => {
    const text = JSON.stringify({ keys: [jwk({ use }), jwk({ kid: 'k2' })] })
    expect(parseWitJwks(text, bundle.trustDomain).witAuthorities.map(({ keyId }) => keyId)).toEqual(['k2'])
  })
})
