import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundleOf, bundlesEqual, type JwtAuthority } from '../../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const trustDomain = TrustDomain.parse('example.org')
const jwtAuthority = (keyId: string): JwtAuthority => ({
  keyId,
  publicKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey,
  expiresAt: undefined,
  tainted: false,
})
let a: TestAuthority
let b: TestAuthority
let full: Bundle

beforeAll(async () => {
  ;[a, b] = await Promise.all([TestAuthority.create(), TestAuthority.create({ keyType: 'rsa-2048' })])
  full = bundleOf({
    ...a.bundle(a, b),
    jwtAuthorities: [jwtAuthority('1'), jwtAuthority('2')],
    witAuthorities: [jwtAuthority('3'), jwtAuthority('4')],
    refreshHintSeconds: 300,
  })
})

describe('bundleOf()', () => {
  test('is empty by default', () => {
    expect(bundleOf({ trustDomain })).toEqual({
      trustDomain,
      x509Authorities: [],
      jwtAuthorities: [],
      witAuthorities: [],
      refreshHintSeconds: 0,
      sequenceNumber: 0,
    })
  })

  test('TB-01 holds several keys of several types at once', () => {
    expect([full.x509Authorities.length, full.jwtAuthorities.length, full.witAuthorities.length]).toEqual([2, 2, 2])
  })

  test('JW-33 refuses two JWT keys with one id', () => {
    expect(() => bundleOf({ trustDomain, jwtAuthorities: [jwtAuthority('k'), jwtAuthority('k')] })).toThrowCode(
      'BUNDLE_INVALID',
      'have the id "k"',
    )
  })

  test('WI-33 refuses a WIT key with the id of any other key', () => {
    const key = jwtAuthority('k')
    expect(() => bundleOf({ trustDomain, witAuthorities: [key, jwtAuthority('k')] })).toThrowCode(
      'BUNDLE_INVALID',
      'two WIT keys have the id "k"',
    )
    expect(() => bundleOf({ trustDomain, jwtAuthorities: [key], witAuthorities: [jwtAuthority('k')] })).toThrowCode(
      'BUNDLE_INVALID',
      'a JWT key and a WIT key have the id "k"',
    )
  })

  test('WI-33 refuses a WIT key without an id', () => {
    expect(() => bundleOf({ trustDomain, witAuthorities: [jwtAuthority('')] })).toThrowCode('BUNDLE_INVALID', 'no id')
  })

  test('JW-29 refuses a JWT key without an id', () => {
    expect(() => bundleOf({ trustDomain, jwtAuthorities: [jwtAuthority('')] })).toThrowCode('BUNDLE_INVALID', 'no id')
  })

  test.for([-1, 0.5, NaN, 2 ** 53])('TB-10 TB-11 refuses the number %s as a sequence and as a hint', (value) => {
    expect(() => bundleOf({ trustDomain, sequenceNumber: value })).toThrowCode('BUNDLE_INVALID', 'sequenceNumber')
    expect(() => bundleOf({ trustDomain, refreshHintSeconds: value })).toThrowCode(
      'BUNDLE_INVALID',
      'refreshHintSeconds',
    )
  })

  test('keeps a certificate that is listed twice once', () => {
    expect(bundleOf(a.bundle(a, b, a)).x509Authorities).toEqual(a.bundle(a, b).x509Authorities)
  })
})

describe('bundlesEqual()', () => {
  test('neither order nor sequence make a difference', () => {
    const other = {
      ...full,
      x509Authorities: full.x509Authorities.toReversed(),
      jwtAuthorities: full.jwtAuthorities.toReversed(),
      witAuthorities: full.witAuthorities.toReversed(),
      sequenceNumber: 99,
    }
    expect(bundlesEqual(full, other)).toBe(true)
  })

  test.for<readonly [string, (bundle: Bundle) => Bundle]>([
    ['a missing certificate', (bundle) => ({ ...bundle, x509Authorities: bundle.x509Authorities.slice(1) })],
    ['a missing WIT key', (bundle) => ({ ...bundle, witAuthorities: bundle.witAuthorities.slice(1) })],
    ['a missing key', (bundle) => ({ ...bundle, jwtAuthorities: bundle.jwtAuthorities.slice(1) })],
    ['another hint', (bundle) => ({ ...bundle, refreshHintSeconds: 1 })],
    ['another trust domain', (bundle) => ({ ...bundle, trustDomain: TrustDomain.parse('other.test') })],
    [
      'taint',
      (bundle) => ({ ...bundle, x509Authorities: bundle.x509Authorities.map((one) => ({ ...one, tainted: true })) }),
    ],
    [
      'an end',
      (bundle) => ({
        ...bundle,
        jwtAuthorities: bundle.jwtAuthorities.map((one) => ({ ...one, expiresAt: new Date(1) })),
      }),
    ],
    [
      'another key of the same id',
      (bundle) => ({ ...bundle, jwtAuthorities: [jwtAuthority('1'), bundle.jwtAuthorities[1]!] }),
    ],
  ])('%s makes a difference', ([, change]) => {
    expect(bundlesEqual(full, change(full))).toBe(false)
    expect(bundlesEqual(change(full), full)).toBe(false)
  })
})

describe('bundleSetOf()', () => {
  test('TB-19 TB-20 keeps each bundle under its trust domain, and FE-08 offers no pool', async () => {
    const other = await TestAuthority.create({ trustDomain: 'other.test' })
    const set = bundleSetOf([full, other.bundle()])
    expect(set.get('example.org')).toBe(full)
    expect(set.get(other.trustDomain)?.trustDomain.name).toBe('other.test')
    expect(set.get('unknown.test')).toBeUndefined()
    expect(set.values().map((bundle) => bundle.trustDomain.name)).toEqual(['example.org', 'other.test'])
  })

  test('TB-21 the later bundle of a trust domain replaces the earlier one', () => {
    expect(bundleSetOf([full, bundleOf({ trustDomain })]).get('example.org')?.x509Authorities).toEqual([])
  })
})
