import { describe, expect, test } from 'vitest'
import { TrustDomain } from '../../../src/id/trust-domain.ts'

describe('TrustDomain.parse()', () => {
  test.for(['example.org', '10.0.0.1', 'td_1.sub-2', '-', 'a'.repeat(255)])('ID-06 ID-11 accepts %s', (name) => {
    expect(TrustDomain.parse(name).name).toBe(name)
  })

  test.for([
    ['ID-03', ''],
    ['ID-11', 'a'.repeat(256)],
    ['ID-07', 'Example.org'],
    ['ID-28', 'spiffe://example.org'],
    ['ID-05', 'example.org:443'],
    ['ID-08', 'ex%61mple.org'],
    ['ID-09', '[::1]'],
    ['ID-23', 'example.org\n'],
    ['BM-09', 'a/b'],
  ] as const)('%s refuses %j', ([, name]) => {
    expect(() => TrustDomain.parse(name)).toThrowCode('TRUST_DOMAIN_INVALID')
  })

  test('ID-28 has two forms: the name, and the id', () => {
    const trustDomain = TrustDomain.parse('example.org')
    expect([trustDomain.toString(), trustDomain.idString]).toEqual(['example.org', 'spiffe://example.org'])
  })

  test('ID-10 compares names and nothing that they may stand for', () => {
    expect(TrustDomain.parse('10.0.0.1').equals(TrustDomain.parse('010.0.0.1'))).toBe(false)
    expect(TrustDomain.parse('a').equals(TrustDomain.parse('a'))).toBe(true)
  })
})
