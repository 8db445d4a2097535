import { describe, expect, test } from 'vitest'
import { agentConfig, withAbsolutePaths } from '../../agent/config.ts'
import { describeConfig } from '../../src/config/describe.ts'
import { parseConfig } from '../../src/config/read-config.ts'

const parse = (text: string) => parseConfig(text, 'agent.yaml', agentConfig)

describe('agentConfig', () => {
  test('a join file is all that a new node needs', () => {
    const config = parse('attestor:\n  joinFile: join.txt\n')
    expect(config.holdUnknownCaller).toBe(5)
    expect(config.socket).toBe('/run/sallyport/agent/api.sock')
    expect(config.svids.keyType).toBe('ec-p256')
  })

  test('ST-01 what is Incubating is off', () => {
    expect(parse('attestor: {joinFile: j}').experimental).toEqual({ witSvid: false })
    const on = parse('attestor: {joinFile: j}\nexperimental: {witSvid: true}')
    expect(on.experimental.witSvid).toBe(true)
    expect(withAbsolutePaths(on, '/etc/x').experimental.witSvid).toBe(true)
  })

  const brokerOf = (text: string) =>
    parse(`attestor: {joinFile: j}\nexperimental: {broker: ${text}}`).experimental.broker

  test('ST-01 BE-08 brokers are a list in the file: nobody by default, and nothing to refer to by default', () => {
    expect(parse('attestor: {joinFile: j}').experimental.broker).toBeUndefined()
    const broker = brokerOf('{socket: b.sock, allow: [{id: "spiffe://example.org/gateway"}]}')
    expect(broker).toMatchObject({ socketFor: 'owner', allow: [{ references: [], referencesOverTcp: [] }] })
    expect(broker?.listen).toBeUndefined()
    expect(brokerOf('{socket: b.sock}')?.allow).toEqual([])
  })

  test.for([
    ['{}', 'has neither socket nor listen'],
    ['{socket: /run/sallyport/agent/api.sock}', 'is another socket of this agent'],
    ['{socket: b, allow: [{id: "example.org/gateway"}]}', 'must start with spiffe://'],
    ['{socket: b, allow: [{id: "spiffe://a.b/c", references: [docker]}]}', 'experimental.broker.allow.0.references.0'],
    ['{socket: b, allow: [{id: "spiffe://a.b/c"}, {id: "spiffe://a.b/c"}]}', 'names spiffe://a.b/c twice'],
    [
      '{socket: b, allow: [{id: "spiffe://a.b/c", identities: [/ns/w*]}]}',
      'experimental.broker.allow.0.identities.0: Cannot parse pattern "/ns/w*": segment 2 mixes a wildcard with text',
    ],
    ['{socket: b, allow: [{id: "spiffe://a.b/c", identities: []}]}', 'needs at least one pattern'],
  ])('BE-08 refuses the brokers %s', ([text, why]) => {
    expect(() => brokerOf(text!)).toThrowCode('CONFIG_INVALID', why)
  })

  test('a broker may be bound to identities, by patterns as policies have them; what cannot be one is named with all the rest', () => {
    const allow = (identities: string) =>
      `trustDomain: a.b\nattestor: {joinFile: j}\nexperimental: {broker: {socket: b, allow: [{id: "spiffe://a.b/c", identities: ${identities}}]}}`
    const { broker } = parse(allow('[/ns/web/**, "spiffe://a.b/ns/*/api"]')).experimental
    expect(broker?.allow[0]?.identities).toEqual([
      { trustDomain: undefined, segments: ['ns', 'web', '**'] },
      { trustDomain: 'a.b', segments: ['ns', '*', 'api'] },
    ])
    for (const why of ['identities.0: Cannot parse pattern "web"', 'identities.1: Cannot parse pattern "/**/x"'])
      expect(() => parse(allow('[web, /**/x]'))).toThrowCode('CONFIG_INVALID', why)
    expect(() => parse(allow('["spiffe://other.org/ns/web/**"]'))).toThrowCode(
      'CONFIG_INVALID',
      'experimental.broker.allow.0.identities.0: is of other.org, and workloads of this node are of a.b',
    )
  })

  test('without one, names everything that is missing at once', () => {
    expect(() => parse('socket: /x/a.sock\n')).toThrowCode('CONFIG_INVALID', 'trustDomain: is missing')
    expect(() => parse('socket: /x/a.sock\n')).toThrowCode('CONFIG_INVALID', 'server.address: is missing')
    expect(() => parse('socket: /x/a.sock\n')).toThrowCode('CONFIG_INVALID', 'trustBundle: is missing')
  })

  test('SE-14 refuses x509pop together with insecure bootstrap', () => {
    const text = `
trustDomain: example.org
server: { address: "s:1" }
insecureBootstrap: true
attestor:
  x509pop: { certificate: c.pem, privateKey: k.pem }
`
    expect(() => parse(text)).toThrowCode('CONFIG_INVALID', 'insecureBootstrap: is refused with attestor.x509pop')
  })

  test('WE-02 WE-03 the Workload API listens on a unix socket and nowhere else', () => {
    expect(() => parse('attestor: { joinFile: j }\nlisten: 0.0.0.0:1\n')).toThrowCode(
      'CONFIG_INVALID',
      'unknown key "listen"',
    )
  })

  test('SE-05 refuses one socket for both purposes', () => {
    expect(() => parse('attestor: { joinFile: j }\nsocket: /a\nadminSocket: /a\n')).toThrowCode(
      'CONFIG_INVALID',
      'adminSocket',
    )
  })

  test('unknown keys are named with the nearest one that is known', () => {
    expect(() => parse('attestor: { joinFil: j }\n')).toThrowCode('CONFIG_INVALID', 'did you mean "joinFile"')
  })

  test('every field is described', () => {
    const undescribed = describeConfig(agentConfig).filter(({ description }) => description === '')
    expect(undescribed.map(({ path }) => path)).toEqual([])
  })

  test('relative paths count from the folder of the file', () => {
    const text = 'attestor: { joinFile: j }\ndataDir: d\nexperimental: { broker: { socket: b.sock } }\n'
    const config = withAbsolutePaths(parse(text), '/etc/x')
    expect(config.experimental.broker?.socket).toBe('/etc/x/b.sock')
    expect([config.attestor.joinFile, config.dataDir, config.socket]).toEqual([
      '/etc/x/j',
      '/etc/x/d',
      '/run/sallyport/agent/api.sock',
    ])
  })
})
