import { beforeAll, describe, expect, test } from 'vitest'
import { FOREIGN_BUNDLE_LIMITS } from '../../../src/bundle/bundle-limits.ts'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { checkRelationships } from '../../../src/federation/check-relationships.ts'
import { parseRelationship, type RelationshipOptions } from '../../../src/federation/relationship.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'

let partner: TestAuthority
let pem: string

beforeAll(async () => {
  partner = await TestAuthority.create({ trustDomain: 'partner.test' })
  pem = printPem([partner.certificate])
})

const url = 'https://bundles.test/'
const web = (trustDomain = 'partner.test'): RelationshipOptions => ({ trustDomain, url, profile: 'https_web' })
const servedBy = (trustDomain: string, endpointId: string, bundle?: string): RelationshipOptions => ({
  trustDomain,
  url,
  profile: 'https_spiffe',
  endpointId,
  bundle,
})
/** As a configuration file or a caller without types gives it. */
const parse = (options: object) => () => parseRelationship(options as RelationshipOptions)

describe('parseRelationship()', () => {
  test('FE-05 FE-06 takes what is configured: nothing is concluded from the URL', () => {
    const { trustDomain, endpoint, followRedirects } = parseRelationship(web())
    expect([trustDomain.name, endpoint, followRedirects]).toEqual([
      'partner.test',
      { profile: 'https_web', ca: [] },
      true,
    ])
  })

  test.for(['trustDomain', 'url', 'profile'] as const)('FE-05 FE-06 refuses one without %s', (name) => {
    for (const missing of [undefined, '']) {
      expect(parse({ ...web(), [name]: missing })).toThrowCode('RELATIONSHIP_INVALID', `${name} missing`)
    }
    expect(parse({ url })).toThrowCode('RELATIONSHIP_INVALID', 'trustDomain and profile missing')
  })

  test('FS-02 refuses https_spiffe without the id of its endpoint', () => {
    expect(parse({ ...web(), profile: 'https_spiffe', bundle: pem })).toThrowCode(
      'RELATIONSHIP_INVALID',
      'endpointId missing',
    )
  })

  test.for([
    [{ profile: 'https_spifee' }, 'neither https_web nor https_spiffe'],
    [{ profile: 'HTTPS_WEB' }, 'neither https_web nor https_spiffe'],
    [{ profile: 'toString' }, 'neither https_web nor https_spiffe'],
    [{ endpointId: 'spiffe://partner.test/x' }, 'https_web has no endpointId'],
    [{ bundle: 'x' }, 'https_web has no bundle'],
    [{ insecure: true }, 'https_web has no insecure'],
    [{ followRedirects: 'no' }, 'neither true nor false'],
    [{ url: 'http://bundles.test/' }, 'must start with https://'],
  ] as const)('FE-06 FW-04 refuses %j: %s', ([change, why]) => {
    expect(parse({ ...web(), ...change })).toThrowCode('RELATIONSHIP_INVALID', why)
  })

  test('refuses what is no trust domain and no SPIFFE ID of a workload', () => {
    expect(parse(web('Partner.test'))).toThrowCode('TRUST_DOMAIN_INVALID')
    expect(parse(web('spiffe://partner.test'))).toThrowCode('TRUST_DOMAIN_INVALID')
    expect(parse(servedBy('partner.test', 'partner.test/bundle-server'))).toThrowCode('SPIFFE_ID_INVALID')
    expect(parse(servedBy('partner.test', 'spiffe://partner.test'))).toThrowCode('RELATIONSHIP_INVALID', 'no workload')
    expect(parse({ ...web(), ca: 'no certificate' })).toThrowCode('CERTIFICATE_INVALID')
    expect(parse({ ...servedBy('partner.test', 'spiffe://partner.test/x', pem), ca: pem })).toThrowCode(
      'RELATIONSHIP_INVALID',
      'has no ca',
    )
  })

  test('FS-03 reads an initial bundle in both forms, and only one that can verify an endpoint', async () => {
    const id = 'spiffe://partner.test/bundle-server'
    const [byPem, byJson] = [pem, printBundleDocument(partner.bundle())].map((text) =>
      parseRelationship(servedBy('partner.test', id, text)),
    )
    for (const read of [byPem, byJson]) {
      const { endpoint } = read!
      const authorities = 'initial' in endpoint ? endpoint.initial?.document.bundle.x509Authorities : undefined
      expect(authorities?.map(({ certificate }) => certificate.der)).toEqual([partner.certificate.der])
    }
    const leaf = printPem((await partner.issue()).chain)
    const { x509Authorities: _none, ...withoutX509 } = partner.bundleWithJwt()
    const tokensOnly = printBundleDocument({ ...withoutX509, x509Authorities: [] })
    const tooLong = `${' '.repeat(FOREIGN_BUNDLE_LIMITS.sizeBytes)}${pem}`
    for (const text of [leaf, '{"keys":[]}', '{}', tokensOnly, tooLong]) {
      expect(parse(servedBy('partner.test', id, text))).toThrowCode('BUNDLE_INVALID')
    }
    expect(parse(servedBy('partner.test', id, 'neither'))).toThrowCode('CERTIFICATE_INVALID')
  })

  test('FS-05 has no initial bundle for an endpoint of another trust domain', () => {
    expect(parse(servedBy('partner.test', 'spiffe://signer.test/x', pem))).toThrowCode(
      'RELATIONSHIP_INVALID',
      'needs a relationship of its own',
    )
  })
})

describe('checkRelationships()', () => {
  const check =
    (relationships: readonly RelationshipOptions[], { knowsOthers = false, isKnown = false } = {}) =>
    () =>
      checkRelationships(relationships.map(parseRelationship), {
        ownTrustDomain: TrustDomain.parse('example.org'),
        knowsOthers,
        isKnown: () => isKnown,
      })

  test('FE-28 refuses our own trust domain, by either profile', () => {
    expect(check([web('other.test'), web('example.org')])).toThrowCode('RELATIONSHIP_INVALID', 'our own trust domain')
    expect(check([servedBy('example.org', 'spiffe://example.org/server')], { isKnown: true })).toThrowCode(
      'RELATIONSHIP_INVALID',
      'our own trust domain',
    )
  })

  test('refuses two with one trust domain', () => {
    expect(check([web(), web('other.test'), web()])).toThrowCode('RELATIONSHIP_INVALID', 'two relationships')
  })

  test.for([
    [{ a: 'b', b: 'a' }, 'a → b → a'],
    [{ a: 'b', b: 'c', c: 'a' }, 'a → b → c → a'],
    [{ x: 'a', a: 'b', b: 'a' }, 'x → a → b → a'],
  ] as const)('FS-10 refuses endpoints that verify each other in a circle: %j', ([servers, path]) => {
    const relationships = Object.entries(servers).map(([name, server]) =>
      servedBy(name, `spiffe://${server}/bundle-server`),
    )
    expect(check(relationships, { knowsOthers: true, isKnown: true })).toThrowCode('RELATIONSHIP_INVALID', path)
  })

  test('FS-10 FS-05 takes chains that end at an endpoint that proves itself otherwise', () => {
    const chain = [servedBy('a', 'spiffe://b/x'), servedBy('b', 'spiffe://c/x')]
    expect(check([...chain, web('c')])).not.toThrow()
    expect(check([...chain, servedBy('c', 'spiffe://c/x', pem)])).not.toThrow()
    expect(check([...chain, servedBy('d', 'spiffe://b/x'), web('c')])).not.toThrow()
  })

  test('FS-02 refuses an endpoint with an SVID that nothing could verify', () => {
    const self = servedBy('partner.test', 'spiffe://partner.test/x')
    expect(check([self])).toThrowCode('RELATIONSHIP_INVALID', 'bundle missing')
    expect(check([self], { knowsOthers: true })).toThrowCode('RELATIONSHIP_INVALID', 'bundle missing')
    // Once is enough: it is known from the store.
    expect(check([self], { isKnown: true })).not.toThrow()
    const foreign = servedBy('partner.test', 'spiffe://signer.test/x')
    expect(check([foreign])).toThrowCode('RELATIONSHIP_INVALID', 'signer.test, with which there is no relationship')
    expect(check([foreign], { knowsOthers: true })).not.toThrow()
    expect(check([foreign, web('signer.test')])).not.toThrow()
  })
})
