import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fieldTypes, parseDuration, printDuration } from '../../../src/config/field-types.ts'
import { nearestName } from '../../../src/config/nearest-name.ts'
import { parseConfig, readConfig } from '../../../src/config/read-config.ts'
import fc from 'fast-check'

const schema = z.strictObject({
  trustDomain: fieldTypes.trustDomain,
  svid: z.strictObject({ x509Ttl: fieldTypes.duration.default(3600).describe('life') }).prefault({}),
})

describe('parseConfig()', () => {
  test('reports every problem at once, by path, with the nearest known name', () => {
    const read = (): unknown => parseConfig('svid:\n  x509Tll: 1h\nlisten: 1\n', 'server.yaml', schema)
    expect(read).toThrowCode('CONFIG_INVALID', 'Cannot read server.yaml')
    expect(read).toThrowCode('CONFIG_INVALID', 'unknown key "svid.x509Tll", did you mean "x509Ttl"?')
    expect(read).toThrowCode('CONFIG_INVALID', 'trustDomain: is missing')
    expect(read).toThrowCode('CONFIG_INVALID', 'unknown key "listen"')
  })

  test('says which value is wrong and what to write instead', () => {
    const read = (): unknown => parseConfig('trustDomain: Example.org\nsvid: {x509Ttl: soon}', 'server.yaml', schema)
    expect(read).toThrowCode('CONFIG_INVALID', 'trustDomain: Cannot parse trust domain "Example.org"')
    expect(read).toThrowCode('CONFIG_INVALID', 'svid.x509Ttl: Cannot read duration "soon"')
  })

  test('fills in defaults: a trust domain is enough', () => {
    expect(parseConfig('trustDomain: example.org', 'server.yaml', schema).svid.x509Ttl).toBe(3600)
  })

  test('refuses repeated keys and broken YAML in our own words', () => {
    expect(() => parseConfig('trustDomain: a\ntrustDomain: b', 'server.yaml', schema)).toThrowCode(
      'CONFIG_INVALID',
      'unique',
    )
    expect(() => parseConfig('trustDomain: [', 'server.yaml', schema)).toThrowCode(
      'CONFIG_INVALID',
      'Cannot read server.yaml',
    )
  })

  test('on any text returns a value or a SallyportError', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseConfig(text, 'x.yaml', schema)
        } catch (error) {
          expect(error).toHaveProperty('code', 'CONFIG_INVALID')
        }
      }),
    )
  })

  test('names a file that is not there', () => {
    expect(() => readConfig('/nowhere/server.yaml', schema)).toThrowCode('CONFIG_UNREADABLE', 'ENOENT')
  })
})

describe('parseDuration()', () => {
  test.for([
    ['90s', 90],
    ['10m', 600],
    ['1h30m', 5400],
    ['7d', 604_800],
    ['500ms', 0.5],
  ] as const)('reads %s as %d seconds', ([text, expected]) => {
    expect(parseDuration(text)).toBe(expected)
  })

  test.for(['', '10', 'm', '-1h', '1 h', '1h!', '99999999d'])('refuses "%s"', (text) => {
    expect(() => parseDuration(text)).toThrowCode('DURATION_INVALID')
  })

  test('reads what it printed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (count) => parseDuration(printDuration(count)) === count),
    )
  })
})

test('nearestName() finds typing mistakes and does not guess', () => {
  expect(nearestName('trustdomian', ['trustDomain', 'listen'])).toBe('trustDomain')
  expect(nearestName('shpo', ['shop'])).toBe('shop')
  expect(nearestName('zzz', ['trustDomain', 'listen'])).toBeUndefined()
})
