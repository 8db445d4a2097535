import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../src/config/operations-fields.ts'
import { serverConfig, withAbsolutePaths } from '../../server/config.ts'
import { authoritySettings, issuerSettings, warningsOf } from '../../server/settings.ts'
import { describeConfig } from '../../src/config/describe.ts'
import { parseConfig } from '../../src/config/read-config.ts'

const read = (yaml: string) => parseConfig(yaml, 'server.yaml', serverConfig)
const problemsOf = (yaml: string): string => {
  try {
    read(yaml)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

describe('server.yaml', () => {
  test('a trust domain is enough', () => {
    const config = read('trustDomain: example.org')
    expect(config).toMatchObject({
      listen: '0.0.0.0:8081',
      ca: { ttl: 7 * 86_400, keyType: 'ec-p256' },
      svid: { x509Ttl: 3600, jwtTtl: 300, agentTtl: 3600 },
      attestors: { joinToken: { rejoinWindow: 30 * 86_400 } },
      audit: { retention: 90 * 86_400 },
      limits: { attestation: { perAddress: 100 } },
    })
    expect(config.trustDomain.name).toBe('example.org')
  })

  test('all problems are told at once, by path, with the nearest known name', () => {
    const problems = problemsOf('svid: {x509Tll: 1h, jwtTtl: soon}\nlisten: nowhere\nadminIds: [bob]\n')
    for (const words of ['trustDomain: is missing', 'did you mean "x509Ttl"?', 'svid.jwtTtl', 'listen', 'adminIds.0']) {
      expect(problems).toContain(words)
    }
  })

  test.for([
    ['ca: {ttl: 2h}', 'svid.x509Ttl: 1h does not fit: authorities live 2h'],
    ['svid: {jwtTtl: 3d}', 'svid.jwtTtl: 3d does not fit'],
    ['svid: {agentTtl: 30d}', 'svid.agentTtl'],
    ['svid: {witTtl: 3d}', 'svid.witTtl: 3d does not fit'],
    ['svid: {x509Ttl: 0s}', 'svid.x509Ttl: must be a second or longer'],
    [
      'agents: {purgeExpiredAfter: 10d}',
      'agents.purgeExpiredAfter: is shorter than attestors.joinToken.rejoinWindow (30d)',
    ],
  ] as const)('rank 22: %s is refused with the numbers', ([yaml, words]) => {
    expect(problemsOf(`trustDomain: example.org\n${yaml}`)).toContain(words)
  })

  test('ST-01 what is Incubating is off, and with the option nothing else changes', () => {
    const { experimental, ...others } = read('trustDomain: example.org')
    expect(experimental).toEqual({ witSvid: false })
    const on = read('trustDomain: example.org\nexperimental: {witSvid: true}')
    expect(on).toEqual({ ...others, experimental: { witSvid: true } })
    expect(authoritySettings(read('trustDomain: example.org')).wit).toBeUndefined()
    expect(authoritySettings(on).wit).toEqual({ keyType: 'ec-p256', ttlSeconds: 7 * 86_400, longestSvidSeconds: 3600 })
  })

  test('IO-01 SVIDs have an empty subject unless an operator asks for one', () => {
    const subjectOf = (svid: string) => issuerSettings(read(`trustDomain: example.org\nsvid: ${svid}`)).subject
    expect(subjectOf('{}')).toEqual({})
    expect(subjectOf('{subject: {country: SE, organization: Example}}')).toEqual({
      country: 'SE',
      organization: 'Example',
    })
    expect(() => subjectOf('{subject: {serialNumber: "1"}}')).toThrowCode('CONFIG_INVALID', 'svid.subject')
  })

  test('WI-18 an issuer that OpenID Connect Discovery could find is warned of, where WIT-SVIDs are on', () => {
    const warned = (issuer: string, on = true): number =>
      warningsOf(read(`trustDomain: example.org\nsvid: {witIssuer: '${issuer}'}\nexperimental: {witSvid: ${on}}`))
        .length
    expect([warned('https://issuer.example'), warned('HTTPS://issuer.example')]).toEqual([1, 1])
    expect([warned('spiffe://example.org'), warned('https://issuer.example', false)]).toEqual([0, 0])
  })

  test('paths count from the folder of the file', () => {
    const config = withAbsolutePaths(read('trustDomain: example.org\ndataDir: /var/lib/x\n'), '/etc/sallyport')
    expect([config.dataDir, config.adminSocket]).toEqual(['/var/lib/x', '/etc/sallyport/admin.sock'])
  })

  test('every field says what it is', () => {
    const fields = describeConfig(serverConfig)
    expect(fields.length).toBeGreaterThan(25)
    expect(fields.filter(({ description }) => description === '').map(({ path }) => path)).toEqual([])
  })

  test.for([
    ['0.0.0.0:8081', '0.0.0.0', 8081],
    ['[::1]:1', '::1', 1],
    ['server.internal:443', 'server.internal', 443],
  ] as const)('%s has host %s and port %s', ([address, host, port]) => {
    expect(parseAddress(address)).toEqual({ host, port })
  })
})
