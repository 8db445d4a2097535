import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { checkCondition } from '../../../src/policy/condition/check-condition.ts'
import { compileCondition, type ConditionFacts } from '../../../src/policy/condition/compile-condition.ts'
import { isInRange, parseIp, parseIpRange } from '../../../src/policy/condition/ip-range.ts'
import { labelsRead } from '../../../src/policy/condition/labels-read.ts'
import { parseCondition } from '../../../src/policy/condition/parse-condition.ts'
import { CONDITION_MAX_DEPTH, CONDITION_MAX_LENGTH } from '../../../src/policy/condition/syntax.ts'

const facts: ConditionFacts = {
  src: { id: 'spiffe://x/a', zone: 'edge', target: 1, labels: { env: 'prod', odd: '1' } },
  dst: { id: 'spiffe://x/b', zone: 'shop', target: 2, labels: {} },
  method: 'GET',
  route: '/v1/orders/{id}',
  authority: undefined,
  port: 8443,
  ip: '10.1.2.3',
}
const valueOf = (text: string, given: Partial<ConditionFacts> = {}) => compileCondition(text)({ ...facts, ...given })

describe('a condition', () => {
  test.for<[string, boolean | 'error']>([
    ['src.labels["env"] == "prod"', true],
    ['src.labels["env"] != "prod"', false],
    ['src.id == "spiffe://x/a" && dst.id == "spiffe://x/b"', true],
    ['src.zone in ["edge", "shop"]', true],
    ['src.zone in []', false],
    ['src.target < dst.target', true],
    ['src.target <= 1 && src.target >= 1 && src.target > 0', true],
    ['dst.target in [1, 3]', false],
    ['net.port == 8443', true],
    ['-1 < net.port', true],
    ['req.method == "GET" && req.route == "/v1/orders/{id}"', true],
    ['net.ip in cidr("10.0.0.0/8")', true],
    ['net.ip in cidr("10.0.0.0/16")', false],
    ['net.ip in cidr("fd00::/8")', false],
    ['src.labels has "env" && !(src.labels has "none")', true],
    ['has(net.ip) && !has(req.authority)', true],
    ['!true || false', false],
    ['instant("2026-01-01T00:00:00Z") < instant("2026-01-01T00:00:00-01:00")', true],
    ['instant("2026-01-01T01:00:00+01:00") == instant("2026-01-01T00:00:00Z")', true],
    ['src.labels["\\"\\\\"] == "x" || true', 'error'],
  ])('%s is %s', ([text, expected]) => {
    expect(valueOf(text)).toBe(expected)
  })

  test.for<[string, boolean | 'error']>([
    ['src.labels["none"] == "x"', 'error'],
    ['src.labels["none"] != "x"', 'error'],
    ['req.authority == "x"', 'error'],
    ['false && req.authority == "x"', false],
    ['true || req.authority == "x"', true],
    ['req.authority == "x" && false', 'error'],
    ['req.authority == "x" || true', 'error'],
    ['!(req.authority == "x")', 'error'],
    ['req.authority in ["x"]', 'error'],
    ['src.labels["none"] in cidr("10.0.0.0/8")', 'error'],
  ])('ZO-40: an error that is reached is the error of the whole: %s is %s', ([text, expected]) => {
    expect(valueOf(text)).toBe(expected)
  })

  test.for<[string, boolean | 'error']>([
    ['src.labels["odd"] == 1', false],
    ['src.labels["odd"] != 1', true],
    ['src.labels["odd"] in [1]', false],
    ['instant("1970-01-01T00:00:00Z") == 0', false],
    ['src.labels["odd"] < "2"', 'error'],
    ['true < false', 'error'],
    ['src.id < 1', 'error'],
    ['src.id', 'error'],
    ['1', 'error'],
    ['!1', 'error'],
    ['1 && true', 'error'],
    ['src.zone in cidr("10.0.0.0/8")', 'error'],
  ])('ZO-40: nothing is converted: %s is %s, and the checker refuses it', ([text, expected]) => {
    expect(valueOf(text)).toBe(expected)
    if (!text.includes('cidr'))
      expect(() => checkCondition(text)).toThrow(expect.objectContaining({ code: 'CONDITION_INVALID' }))
  })

  test.for([
    '',
    'src',
    'src.name == "x"',
    'src.labels == "x"',
    'src.labels["a"',
    'src.labels[a] == "x"',
    'src.id has "x"',
    "src.id == 'x'",
    'src.id == "x',
    'src.id == "\\n"',
    'src.id =~ "x"',
    'src.id == "x" src.id == "y"',
    '(true',
    'true)',
    'a(b)',
    'src.id in "x"',
    'net.ip in cidr("10.0.0.1/8")',
    'net.ip in cidr("10.0.0.0")',
    'instant("2026-01-01") == instant("2026-01-01")',
    'instant("2026-13-01T00:00:00Z") == instant("2026-01-01T00:00:00Z")',
    'net.port == 1.5',
    'net.port == 99999999999999999999',
    'src.id == "x" & true',
    'true == true == true',
  ])('refuses %j', (text) => {
    expect(() => checkCondition(text)).toThrow(expect.objectContaining({ code: 'CONDITION_INVALID' }))
  })

  test('says where it is wrong', () => {
    expect(() => parseCondition('src.zone == "a" && dst.zoen == "b"')).toThrow('at character 20: there is no dst.zoen')
  })

  test('reads no more than its limits', () => {
    expect(() => parseCondition(`${' '.repeat(CONDITION_MAX_LENGTH)}true`)).toThrow('longer than')
    expect(() => parseCondition(`${'('.repeat(CONDITION_MAX_DEPTH + 1)}true`)).toThrow('nested deeper')
    expect(() => parseCondition(`${'!'.repeat(CONDITION_MAX_DEPTH + 1)}true`)).toThrow('nested deeper')
    expect(() => parseCondition(Array.from({ length: 200 }, () => 'true').join('||'))).toThrow('more than 256 parts')
    expect(() => parseCondition(`1 in [${Array.from({ length: 300 }, () => '1').join(',')}]`)).toThrow(
      'more than 256 parts',
    )
  })

  test('says which labels it reads', () => {
    const { src, dst } = labelsRead('src.labels["a"] == "x" && (src.labels has "b" || !(dst.labels["c"] in ["x"]))')
    expect([[...src], [...dst]]).toEqual([['a', 'b'], ['c']])
  })

  test('a label of every object is missing', () => {
    expect(valueOf('src.labels["constructor"] == "x"')).toBe('error')
    expect(valueOf('src.labels has "toString"')).toBe(false)
  })

  test('any text is a condition that has a value, or refused', () => {
    const piece = fc.constantFrom(
      ...[
        'src',
        'dst',
        'req',
        'net',
        '.',
        'id',
        'zone',
        'target',
        'labels',
        '["env"]',
        '==',
        '!=',
        '<',
        '&&',
        '||',
        '!',
        '(',
        ')',
      ],
      ...['in', 'has', 'cidr("10.0.0.0/8")', '["a", 1]', 'true', 'false', '1', '-', '"x"', 'net.ip', 'src.target', ' '],
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(' ')),
    )
    fc.assert(
      fc.property(text, (text) => {
        try {
          const condition = compileCondition(text)
          expect([true, false, 'error']).toContain(condition(facts))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('what passes the checker is an error only where something is missing', () => {
    const operand = fc.constantFrom(
      'src.zone == "edge"',
      'net.port < 9000',
      'src.labels["env"] in ["prod"]',
      'true',
      'has(net.ip)',
    )
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        operand,
        tie('tree').map((a) => `!(${a})`),
        fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([a, sign, b]) => `(${a} ${sign} ${b})`),
      ),
    }))
    fc.assert(
      fc.property(tree, (text) => {
        checkCondition(text)
        expect(compileCondition(text)(facts)).toBeTypeOf('boolean')
      }),
    )
  })
})

describe('addresses', () => {
  test.for<[string, string, boolean]>([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['::ffff:a01:203', '10.0.0.0/8', true],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['fd00::1', '0.0.0.0/0', false],
    ['fd00::1', 'fd00::/8', true],
    ['10.1.2.3', '10.1.2.3/32', true],
    ['10.1.2.2', '10.1.2.3/32', false],
    ['fd00::1', 'fd00::/127', true],
    ['fd00::2', 'fd00::/127', false],
  ])('%s in %s is %s', ([address, range, expected]) => {
    expect(isInRange(parseIp(address)!, parseIpRange(range)!)).toBe(expected)
  })

  test.for([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    ':',
    ':::',
    '1:2',
    '1::2::3',
    'fe80::1%eth0',
    '12345::',
    '::1.2.3',
  ])('%j is none', (text) => {
    expect(parseIp(text)).toBeUndefined()
    expect(parseIpRange(`${text}/8`)).toBeUndefined()
  })

  test.for(['10.0.0.0/33', 'fd00::/129', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/-1'])('%j is no range', (text) => {
    expect(parseIpRange(text)).toBeUndefined()
  })
})
