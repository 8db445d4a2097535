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
    const config = withAbsolutePaths(parse('attestor: { joinFile: j }\ndataDir: d\n'), '/etc/x')
    expect([config.attestor.joinFile, config.dataDir, config.socket]).toEqual([
      '/etc/x/j',
      '/etc/x/d',
      '/run/sallyport/agent/api.sock',
    ])
  })
})
