import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { SPIFFE_ID_MAX_BYTES, SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'

const pathCharacters = 'abcXYZ019._-'
const segment = fc
  .string({ unit: fc.constantFrom(...pathCharacters), minLength: 1, maxLength: 12 })
  .filter((text) => text !== '.' && text !== '..')
const domain = fc.string({ unit: fc.constantFrom(...'abz09._-'), minLength: 1, maxLength: 20 })
const validId = fc
  .tuple(domain, fc.array(segment, { maxLength: 6 }))
  .map(([td, path]) => ['spiffe:/', td, ...path].join('/'))

/** The expression of the requirements, as an oracle. */
const GRAMMAR = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/

const refused: Readonly<Record<string, readonly string[]>> = {
  'ID-01': ['http://example.org/a', 'example.org/a', '//example.org/a', 'spiffe:/example.org/a', ''],
  'ID-02': ['spiffe://exämple.org/a', 'spiffe://example.org/é'],
  'ID-03': ['spiffe://', 'spiffe:///a'],
  'ID-04': ['spiffe://user@example.org/a', 'spiffe://user:pw@example.org/a', 'spiffe://@example.org/a'],
  'ID-05': ['spiffe://example.org:443/a', 'spiffe://example.org:/a'],
  'ID-06': ['spiffe://exa mple/a', 'spiffe://exa+mple/a', 'spiffe://exa,mple/a'],
  'ID-07': ['spiffe://Example.org/a', 'SPIFFE://example.org/a', 'Spiffe://example.org/a'],
  'ID-08': ['spiffe://ex%61mple.org/a'],
  'ID-09': ['spiffe://[::1]/a', 'spiffe://::1/a'],
  'ID-11': [`spiffe://${'a'.repeat(256)}/x`],
  'ID-13': [...' ~!$&\'()*+,;=:@\\|"<{`^'].map((character) => `spiffe://example.org/a${character}b`),
  'ID-14': ['spiffe://example.org/%61', 'spiffe://example.org/a%2Fb', 'spiffe://example.org/%2e%2e'],
  'ID-15': ['spiffe://example.org//a', 'spiffe://example.org/a//b'],
  'ID-16 NT-02': ['/.', '/..', '/a/./b', '/a/../b'].map((path) => `spiffe://example.org${path}`),
  'ID-17': ['spiffe://example.org/', 'spiffe://example.org/a/'],
  'ID-18 NT-02': ['spiffe://example.org/a?x=1', 'spiffe://example.org/a?', 'spiffe://example.org?'],
  'ID-19 NT-02': ['spiffe://example.org/a#f', 'spiffe://example.org/a#', 'spiffe://example.org#'],
  'ID-21': [`spiffe://td/${'a'.repeat(2037)}`],
  'ID-23 NT-02': [
    ' spiffe://td/a',
    'spiffe://td/a\n',
    '\tspiffe://td/a',
    'spiffe://td/a ',
    'spiffe://td/a\0',
    'spiffe://t\nd/a',
  ],
}

describe('SpiffeId.parse()', () => {
  for (const [ids, texts] of Object.entries(refused)) {
    test.for(texts)(`${ids} refuses %j`, (text) => {
      expect(() => SpiffeId.parse(text)).toThrowCode('SPIFFE_ID_INVALID')
    })
  }

  test.for([
    ['ID-06', 'spiffe://td_1.sub-2.example/a', '/a'],
    ['ID-09', 'spiffe://10.0.0.1/a', '/a'],
    ['ID-11', `spiffe://${'a'.repeat(255)}/x`, '/x'],
    ['ID-12', 'spiffe://example.org', ''],
    ['ID-13', 'spiffe://example.org/A_b-c.D/9', '/A_b-c.D/9'],
    ['ID-16', 'spiffe://td/...', '/...'],
    ['ID-16', 'spiffe://td/.a/..a/a../a.b', '/.a/..a/a../a.b'],
    ['ID-13', 'spiffe://-/_', '/_'],
    ['ID-13', 'spiffe://1/2', '/2'],
    ['ID-29', 'spiffe://a..b./x', '/x'],
  ] as const)('%s accepts %s', ([, text, path]) => {
    const id = SpiffeId.parse(text)
    expect(id.path).toBe(path)
    expect(id.toString()).toBe(text)
  })

  test('ID-20 ID-21 reads 2,048 bytes and not one more', () => {
    const longest = `spiffe://td/${'a'.repeat(2036)}`
    expect(longest).toHaveLength(SPIFFE_ID_MAX_BYTES)
    expect(SpiffeId.parse(longest).toString()).toBe(longest)
    expect(() => SpiffeId.parse(`${longest}a`)).toThrowCode('SPIFFE_ID_INVALID', 'longer than 2048')
  })

  test('ID-07 ID-23 prints what it read', () => {
    fc.assert(fc.property(validId, (text) => SpiffeId.parse(text).toString() === text))
  })

  test('ID-23 agrees with the grammar on any text', () => {
    const alphabet = fc.constantFrom(...'aZ0._-/:?#%@ \n', 'spiffe://', '/../')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: alphabet }).map((rest) => `spiffe://${rest}`),
          fc.string({ unit: 'binary' }),
        ),
        (text) => {
          expect(isAccepted(text)).toBe(GRAMMAR.test(text) && text.length <= SPIFFE_ID_MAX_BYTES)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('ID-30 escapes what it refuses', () => {
    const thrown = errorOf(() => SpiffeId.parse('spiffe://td/a\n\u001b[31mroot logged in'))
    for (const control of ['\n', '\u001b']) expect(thrown.message).not.toContain(control)
    expect(errorOf(() => TrustDomain.parse('a\nb')).message).not.toContain('\n')
  })

  test('does not repeat a megabyte in its message', () => {
    expect(errorOf(() => SpiffeId.parse('x'.repeat(1 << 20))).message.length).toBeLessThan(300)
  })
})

describe('SpiffeId', () => {
  test('ID-22 tells paths apart by case', () => {
    expect(SpiffeId.parse('spiffe://example.org/a').equals(SpiffeId.parse('spiffe://example.org/A'))).toBe(false)
  })

  test('ID-10 compares names that look like addresses as names', () => {
    expect(SpiffeId.parse('spiffe://010.0.0.1/a').equals(SpiffeId.parse('spiffe://10.0.0.1/a'))).toBe(false)
  })

  test.for(['spiffe://example.org.evil.test/a', 'spiffe://evil-example.org/a', 'spiffe://example.or/a'])(
    'ID-24 %s is no member of example.org',
    (text) => {
      expect(SpiffeId.parse(text).isMemberOf(TrustDomain.parse('example.org'))).toBe(false)
    },
  )

  test.for([
    ['/spire', true, false],
    ['/spire/server', true, false],
    ['/spire/agent/join_token/x', true, true],
    ['/spire/agentx', true, false],
    ['/spirer', false, false],
    ['/a/spire', false, false],
  ] as const)('%s is reserved: %s, an agent: %s', ([path, isReserved, isAgent]) => {
    const id = SpiffeId.of(TrustDomain.parse('td'), path)
    expect([id.isReserved, id.isAgent]).toEqual([isReserved, isAgent])
  })

  test('is its text in JSON', () => {
    expect(JSON.stringify({ id: SpiffeId.parse('spiffe://td/a') })).toBe('{"id":"spiffe://td/a"}')
  })

  test('ID-16 of() holds parts to the same rules', () => {
    expect(() => SpiffeId.of(TrustDomain.parse('td'), '/a/../b')).toThrowCode('SPIFFE_ID_INVALID')
    expect(() => SpiffeId.of(TrustDomain.parse('td'), 'x')).toThrowCode('SPIFFE_ID_INVALID')
  })
})

function isAccepted(text: string): boolean {
  try {
    SpiffeId.parse(text)
    return true
  } catch (error) {
    if (error instanceof SallyportError) return false
    throw error
  }
}

function errorOf(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
