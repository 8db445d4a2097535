import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PolicyProblems } from '../../../src/policy-file/finding.ts'
import { POLICY_MAX_BYTES, readPolicy, readPolicyFile } from '../../../src/policy-file/read-policy.ts'
import { changed } from './small-policy.ts'

/** The worked example of zones.md §3.15. */
const ACME = readFileSync(join(import.meta.dirname, '../../vectors/policy/acme-prod.yaml'), 'utf8')

const head =
  'apiVersion: sallyport.dev/v1\nkind: PolicySet\nmetadata: { name: p, trustDomain: example.org, owner: me }\n'

function problemsOf(text: string): readonly string[] {
  try {
    readPolicy(text, 'p.yaml')
  } catch (error) {
    if (error instanceof PolicyProblems)
      return error.findings.map(
        ({ code, path, place, message }) => `${code} ${place?.line ?? 0}:${place?.column ?? 0} ${path}: ${message}`,
      )
    throw error
  }
  return []
}

describe('readPolicy()', () => {
  test('reads the worked example', () => {
    const set = readPolicy(ACME)
    expect(set).toMatchObject({ name: 'acme-prod', trustDomain: 'prod.acme.example', owner: 'group:platform-security' })
    expect([set.zones.length, set.services.length, set.conduits.length, set.rules.length]).toEqual([7, 5, 6, 8])
    expect(set.conduits[0]).toMatchObject({
      from: { zone: 'edge', identities: undefined },
      review: Date.UTC(2027, 2, 1),
      stage: 'live',
    })
    expect(set.conduits[3]).toMatchObject({
      valid: { from: undefined, until: Date.UTC(2027, 5, 30) },
      window: { fromMinute: 60, toMinute: 180, tz: 'UTC' },
    })
    expect(set.services[3]?.actions).toEqual([{ name: 'connect', match: [{ kind: 'connect' }], pivot: true }])
    expect(set.breakGlass[0]).toMatchObject({ from: ['ops'], to: ['shop', 'data'], maxDurationMs: 3_600_000 })
    expect(set.settings.connection).toEqual({ maxAgeMs: 3_600_000, drainMs: 5000 })
  })

  test('fills in what may be left out', () => {
    const set = readPolicy(head)
    expect(set.settings.bundle).toEqual({ maxStaleMs: 600_000, hardStaleMs: undefined, onHardStale: 'deny' })
    expect(set.zones).toEqual([])
  })

  test('reads both forms of an action', () => {
    const service = `services:
  - id: s
    identity: /s
    listeners: [{ name: a, port: 1, protocol: http }]
    actions: { read: { match: [{ methods: [GET], path: /x }], pivot: false }, write: [{ rpc: a.B/C }] }
`
    expect(readPolicy(head + service).services[0]?.actions).toEqual([
      { name: 'read', match: [{ kind: 'http', methods: ['GET'], path: '/x', upgrade: undefined }], pivot: false },
      { name: 'write', match: [{ kind: 'grpc', rpc: 'a.B/C' }], pivot: true },
    ])
  })

  test('reports every problem at once, with line, column and the nearest known name', () => {
    const text = ACME.replace('target: 1', 'targt: 9')
      .replace('to: orders,', 'too: orders,')
      .replace('protocol: tcp', 'protocol: tpc')
      .replace('from: edge, to: shop', 'from: { zon: edge }, to: shop')
      .replace('mode: observe', 'mode: Observe')
      .replace('port: 8443', 'port: any')
    expect(problemsOf(text)).toEqual([
      'FIELD_MISSING 19:5 zones.0.target: is missing',
      'FIELD_UNKNOWN 19:24 zones.0: unknown key "targt", did you mean "target"?',
      'FIELD_INVALID 25:90 zones.5.mode: is "Observe", did you mean "observe"?',
      'FIELD_INVALID 32:37 services.0.listeners.0.port: must be a port number, 1-65535: there is no "any"',
      'FIELD_INVALID 51:52 services.3.listeners.0.protocol: is "tpc", did you mean "tcp"?',
      'FIELD_MISSING 59:31 conduits.0.from.zone: is missing',
      'FIELD_UNKNOWN 59:33 conduits.0.from: unknown key "zon", did you mean "zone"?',
      'FIELD_MISSING 78:5 rules.0.to: is missing',
      'FIELD_UNKNOWN 78:63 rules.0: unknown key "too", did you mean "to"?',
    ])
    expect(() => readPolicy(text, 'acme.yaml')).toThrowCode(
      'POLICY_INVALID',
      'acme.yaml:19:5 zones.0.target: is missing',
    )
  })

  test.for([
    [
      'a conduit without owner',
      'from: web, to: shop, allow: [{ protocol: http, ports: [8443] }], owner: s, ',
      'from: web, to: shop, allow: [{ protocol: http, ports: [8443] }], ',
      'FIELD_MISSING',
      'conduits.0.owner',
    ],
    [
      'a conduit without justification',
      'owner: s, justification: j, ',
      'owner: s, ',
      'FIELD_MISSING',
      'conduits.0.justification',
    ],
    [
      'a conduit without review',
      'justification: j, review: 2027-01-01 }',
      'justification: j }',
      'FIELD_MISSING',
      'conduits.0.review',
    ],
    ['a rule without owner', 'actions: [read], owner: s }', 'actions: [read] }', 'FIELD_MISSING', 'rules.0.owner'],
    [
      'a conduit for any port',
      'ports: [8443] }], owner',
      'ports: any }], owner',
      'FIELD_INVALID',
      'conduits.0.allow.0.ports',
    ],
    [
      'a condition of other types',
      'actions: [read], owner: s }',
      "actions: [read], when: 'src.id < 3', owner: s }",
      'FIELD_INVALID',
      'rules.0.when',
    ],
    [
      'break-glass over quarantine',
      'overrides: [rules]',
      'overrides: [quarantine]',
      'FIELD_INVALID',
      'breakGlass.0.overrides.0',
    ],
  ] as const)('%s is an error of the file', ([, from, to, code, path]) => {
    expect(problemsOf(changed([from, to]))).toContainEqual(
      expect.stringMatching(new RegExp(`^${code} \\d+:\\d+ ${path.replaceAll('.', '\\.')}:`)),
    )
  })

  test.for([
    ['a key that is written twice', 'owner: me\nowner: you', 'the key "owner" is written twice'],
    ['a name as number and as text', '1: a\n"1": b', 'the key "1" is written twice'],
    ['a name that a number would change', '1.0: a', 'the key 1.0 must be written in quotes'],
    ['a list as a key', '? [a]\n: b', 'a key must be text'],
    ['the key __proto__', '__proto__: {}', 'unknown key "__proto__"'],
    ['YAML 1.1', '%YAML 1.1\n---\na: 1', 'must be YAML 1.2'],
    ['a tag', 'a: !!binary aGk=', 'Unresolved tag'],
    ['two documents', 'a: 1\n---\nb: 1', 'multiple documents'],
    ['lists without end', '['.repeat(20_000), 'nested too deeply'],
    [
      'references that multiply',
      'a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]',
      'alias',
    ],
  ] as const)('ZO-62: refuses %s', ([, text, why]) => {
    expect(problemsOf(text).filter((problem) => problem.startsWith('YAML_INVALID'))[0]).toContain(why)
  })

  test('ZO-62: a label that YAML reads as something else than text is refused, not turned into text', () => {
    const zone =
      'zones:\n  - { id: z, target: 1, sensitivity: public, owner: me, members: [{ entryLabel: { pci: true } }] }\n'
    expect(problemsOf(head + zone)).toEqual([
      'FIELD_INVALID 5:88 zones.0.members.0.entryLabel.pci: must be text: write it in quotes',
    ])
  })

  test.for([
    ['ZO-22: an instant without an offset', 'until: 2027-06-30T00:00:00', 'an instant with an offset'],
    [
      'an interval that ends before it begins',
      'from: 2027-06-30T00:00:00Z, until: 2027-06-29T00:00:00Z',
      'from must lie before until',
    ],
    ['an interval without ends', '', 'needs from or until'],
  ] as const)('%s is refused', ([, ends, why]) => {
    expect(problemsOf(ACME.replace('valid: { until: 2027-06-30T00:00:00Z }', `valid: { ${ends} }`))[0]).toContain(why)
  })

  test.for([
    ['from: "01:00", to: "01:00"', 'from and to must differ'],
    ['from: "24:00", to: "01:00"', 'must be a time of day'],
    ['from: "01:00", to: "03:00", tz: Europe/Nowhere', 'must be an IANA time zone'],
    ['from: "01:00", to: "03:00", tz: "+02:00"', 'must be an IANA time zone'],
  ] as const)('ZO-22: the window { %s } is refused', ([ends, why]) => {
    expect(problemsOf(ACME.replace('from: "01:00", to: "03:00"', ends))[0]).toContain(why)
  })

  test('ZO-22: a window keeps its time zone and may cross midnight', () => {
    const set = readPolicy(ACME.replace('from: "01:00", to: "03:00"', 'from: "22:30", to: "03:00", tz: Europe/Berlin'))
    expect(set.conduits[3]?.window).toEqual({ fromMinute: 1350, toMinute: 180, tz: 'Europe/Berlin' })
  })

  test('ZO-23: there is no key intra', () => {
    expect(problemsOf(ACME.replace('id: edge-to-shop,', 'id: edge-to-shop, intra: true,'))).toEqual([
      'FIELD_UNKNOWN 59:25 conduits.0: unknown key "intra"',
    ])
  })

  test('break-glass cannot override quarantine', () => {
    expect(problemsOf(ACME.replace('overrides: [ default-deny', 'overrides: [ quarantine'))[0]).toContain(
      'never overridden',
    )
  })

  test('a file over the limit is not read', () => {
    expect(problemsOf('#'.repeat(POLICY_MAX_BYTES + 1))).toEqual([
      `FILE_TOO_LARGE 0:0 : larger than ${POLICY_MAX_BYTES} bytes`,
    ])
  })

  test('says where a part of the policy stands, through references too', () => {
    const file = readPolicyFile(`${head}zones:\n  - &z { id: a, target: 1, sensitivity: public, owner: me }\n  - *z\n`)
    expect(file.placeOf(['zones', 0, 'target'])).toEqual({ line: 5, column: 25 })
    expect(file.placeOf(['zones', 1, 'target'])).toEqual({ line: 5, column: 25 })
    expect(file.placeOf(['zones', 7])).toEqual({ line: 5, column: 3 })
  })

  test('on any text returns a policy or its problems', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        expect(problemsOf(text).length).toBeGreaterThan(0)
      }),
    )
  })
})
