import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundleOf, bundlesEqual } from '../../../src/bundle/bundle.ts'
import { BUNDLE_MAP_MAX_BYTES, parseBundleMap, printBundleMap } from '../../../src/bundle/bundle-map.ts'
import { type BundleSet, bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

type Printed = { trust_domains: Record<string, { keys: Record<string, unknown>[] }> }

let own: Bundle
let bundles: BundleSet

beforeAll(async () => {
  const [a, b] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'other.test' })])
  const jwtAuthorities = [{ keyId: 'k', publicKey: a.keyPair.publicKey, expiresAt: undefined, tainted: false }]
  own = bundleOf({ ...a.bundle(), jwtAuthorities, refreshHintSeconds: 60 })
  bundles = bundleSetOf([b.bundle(), own, bundleOf({ trustDomain: TrustDomain.parse('empty.test'), jwtAuthorities })])
})

describe('bundle map', () => {
  test('BM-01 BM-02 BM-04 ID-28 names trust domains without scheme, once each, and no refresh hints', () => {
    const text = printBundleMap(bundles)
    expect(Object.keys((JSON.parse(text) as Printed).trust_domains)).toEqual([
      'empty.test',
      'example.org',
      'other.test',
    ])
    expect(text).not.toContain('spiffe_refresh_hint')
  })

  test('reads what was printed', () => {
    const again = parseBundleMap(printBundleMap(bundles))
    expect(again.values()).toHaveLength(3)
    expect(bundlesEqual(again.get('example.org')!, { ...own, refreshHintSeconds: 0 })).toBe(true)
    expect(again.get('example.org')?.sequenceNumber).toBe(own.sequenceNumber)
  })

  test('BM-05: a hint inside of a bundle says nothing about the map', () => {
    const text = JSON.stringify({ trust_domains: { 'example.org': { keys: [], spiffe_refresh_hint: 3600 } } })
    expect(parseBundleMap(text).get('example.org')?.refreshHintSeconds).toBe(0)
  })

  test('BM-10 the variant for X.509 holds nothing else, and no trust domain without authorities', () => {
    const { trust_domains: domains } = JSON.parse(printBundleMap(bundles, { x509Only: true })) as Printed
    expect(Object.keys(domains)).toEqual(['example.org', 'other.test'])
    for (const { keys } of Object.values(domains)) {
      expect(keys.length).toBeGreaterThan(0)
      expect(keys.every((key) => key['use'] === 'x509-svid' && !('kid' in key))).toBe(true)
    }
  })

  test('BM-10 WI-36 neither form holds the keys of WIT-SVIDs', () => {
    const witAuthorities = own.jwtAuthorities.map((key) => ({ ...key, keyId: 'wit' }))
    const both = bundleSetOf([bundleOf({ ...own, witAuthorities })])
    for (const x509Only of [true, false]) {
      expect(printBundleMap(both, { x509Only })).toBe(printBundleMap(bundleSetOf([own]), { x509Only }))
    }
  })

  test('BM-01 an empty map is valid', () => {
    expect(parseBundleMap('{"trust_domains":{}}').values()).toEqual([])
  })

  test.for([
    ['BM-01', '{}'],
    ['BM-01', '{"trust_domains":[]}'],
    ['BM-01', '{"trust_domains":{"spiffe://example.org":{"keys":[]}}}'],
    ['BM-03 NT-05', '{"trust_domains":{"example.org":{"keys":[]},"example.org":{"keys":[]}}}'],
    ['BM-03 NT-05', '{"trust_domains":{"example.org":{"keys":[]},"\\u0065xample.org":{"keys":[]}}}'],
    ['BM-09', '{"trust_domains":{"Example.org":{"keys":[]}}}'],
    ['BM-09', '{"trust_domains":{"":{"keys":[]}}}'],
    ['BM-09', '{"trust_domains":{"a/b":{"keys":[]}}}'],
    ['BM-06', '{"trust_domains":{"a.test":{"keys":[]},"b.test":{}}}'],
    ['BM-06', '{"trust_domains":{"a.test":[]}}'],
  ] as const)('%s refuses %s as a whole', ([, text]) => {
    expect(() => parseBundleMap(text)).toThrow(/Cannot (read|parse)/)
  })

  test('TB-24 refuses a map over the limit', () => {
    expect(() => parseBundleMap(' '.repeat(BUNDLE_MAP_MAX_BYTES + 1))).toThrowCode('BUNDLE_INVALID', 'longer')
  })
})
