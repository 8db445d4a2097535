import { describe, expect, test } from 'vitest'
import { dnsNameProblem } from '../../../src/entry/dns-name.ts'

describe('dnsNameProblem()', () => {
  test.for([
    'localhost',
    'a.example.org',
    '*.example.org',
    'x-1.test',
    '1.2.test',
    'xn--bcher-kva.example',
    `${'a'.repeat(63)}.test`,
  ])('accepts %s', (name) => {
    expect(dnsNameProblem(name)).toBeUndefined()
  })

  test.for([
    ['', 'is empty'],
    ['example.org.', 'ends with a dot'],
    ['.example.org', 'an empty label'],
    ['a..b', 'an empty label'],
    ['*', 'wildcard for every name'],
    ['a.*.org', 'not its first label'],
    ['a*.org', 'not its first label'],
    ['*.*.org', 'not its first label'],
    ['bücher.example', 'a character other than'],
    ['a b.test', 'a character other than'],
    ['a_b.test', 'a character other than'],
    ['-a.test', 'hyphen'],
    ['a-.test', 'hyphen'],
    ['ab--c.test', 'third and fourth'],
    ['xn--a.test', 'punycode'],
    [`${'a'.repeat(64)}.test`, 'longer than 63'],
    ['a.'.repeat(254), 'longer than 253'],
    ['web\0.test', 'a character other than'],
    ['a.test, URI:spiffe://evil/x', 'a character other than'],
  ] as const)('refuses %j: %s', ([name, why]) => {
    expect(dnsNameProblem(name)).toContain(why)
  })
})
