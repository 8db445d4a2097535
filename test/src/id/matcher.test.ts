import { describe, expect, test } from 'vitest'
import { atOrBelow, exactly, memberOf } from '../../../src/id/matcher.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'

const id = (text: string): SpiffeId => SpiffeId.parse(text)

describe('matchers', () => {
  test('ID-24 memberOf() compares the whole name', () => {
    const matcher = memberOf('example.org')
    expect(matcher.matches(id('spiffe://example.org/a'))).toBe(true)
    expect(matcher.matches(id('spiffe://example.org.evil.test/a'))).toBe(false)
    expect(matcher.wants).toBe('a member of example.org')
  })

  test('ID-22 exactly() takes one of several ids, letter by letter', () => {
    const matcher = exactly('spiffe://td/a', id('spiffe://td/b'))
    expect(['/a', '/b', '/A', '/a/b'].map((path) => matcher.matches(id(`spiffe://td${path}`)))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(matcher.wants).toBe('spiffe://td/a or spiffe://td/b')
  })

  test('ID-25 atOrBelow() compares whole segments', () => {
    const matcher = atOrBelow('spiffe://example.org/ns/prod')
    const matches = ['/ns/prod', '/ns/prod/web', '/ns/production', '/ns'].map((path) =>
      matcher.matches(id(`spiffe://example.org${path}`)),
    )
    expect(matches).toEqual([true, true, false, false])
    expect(atOrBelow('spiffe://example.org').matches(id('spiffe://example.org.evil.test/a'))).toBe(false)
  })

  test('refuses to be made of what is no id', () => {
    expect(() => exactly('spiffe://td/a/')).toThrowCode('SPIFFE_ID_INVALID')
    expect(() => memberOf('spiffe://td')).toThrowCode('TRUST_DOMAIN_INVALID')
  })
})
