import { describe, expect, test } from 'vitest'
import { ENDPOINT_URL_MAX, EndpointUrl } from '../../../src/federation/endpoint-url.ts'

const refused: readonly (readonly [string, string])[] = [
  ['', 'must start with https://'],
  ['http://host.example.com/x', 'must start with https://'],
  ['HTTP://host.example.com/x', 'must start with https://'],
  ['spiffe://host.example.com/x', 'must start with https://'],
  ['host.example.com/x', 'must start with https://'],
  ['//host.example.com/x', 'must start with https://'],
  ['https:host.example.com/x', 'must start with https://'],
  ['https:/host.example.com/x', 'must start with https://'],
  ['https:///x', 'must start with https://'],
  ['https://user@host/x', 'a user name or a password'],
  ['https://user:pw@host/x', 'a user name or a password'],
  ['https://:pw@host/x', 'a user name or a password'],
  ['https://@host/x', 'a user name or a password'],
  ['https://:@host/x', 'a user name or a password'],
  ['https://a@b@host', 'a user name or a password'],
  ['https:\\\\host\\x', 'a backslash'],
  [' https://host/', 'a space'],
  ['https://host/ ', 'a space'],
  ['https://ho\tst/', 'a control character'],
  ['https://host/\n', 'a control character'],
  ['https://host:99999/', 'no URL'],
  ['https://[::1/', 'no URL'],
  [`https://host/${'x'.repeat(ENDPOINT_URL_MAX)}`, 'longer than'],
]

describe('EndpointUrl.parse()', () => {
  test.for([
    ['https://host.example.com/trust_domain', 'host.example.com', 443, '/trust_domain'],
    ['https://192.0.2.1:8443/x?y=z', '192.0.2.1', 8443, '/x?y=z'],
    ['https://[2001:db8::1]:8443', '2001:db8::1', 8443, '/'],
    ['HTTPS://Host.Example.com?q=a@b', 'host.example.com', 443, '/?q=a@b'],
    ['https://host/a@b//c@d', 'host', 443, '/a@b//c@d'],
    ['https://host/path#fragment', 'host', 443, '/path'],
  ] as const)('FW-01 FS-01 accepts %s', ([text, host, port, target]) => {
    const url = EndpointUrl.parse(text)
    expect({ host: url.host, port: url.port, target: url.target }).toEqual({ host, port, target })
  })

  test.for(refused)('FW-01 FS-01 NT-02 NT-03 refuses %j: %s', ([text, why]) => {
    expect(() => EndpointUrl.parse(text)).toThrowCode('RELATIONSHIP_INVALID', why)
  })

  test('repeats no password', () => {
    expect(() => EndpointUrl.parse('https://user:secret@host/x')).toThrow(/^(?!.*secret)/)
  })

  test('has a name for TLS where the host is one', () => {
    expect(EndpointUrl.parse('https://host.example.com').serverName).toBe('host.example.com')
    expect(EndpointUrl.parse('https://192.0.2.1').serverName).toBeUndefined()
    expect(EndpointUrl.parse('https://[::1]').serverName).toBeUndefined()
  })
})

describe('redirectedTo()', () => {
  const from = EndpointUrl.parse('https://host.example.com:8443/a/b?c=d')

  test.for([
    ['/x?y', 'https://host.example.com:8443/x?y'],
    ['x', 'https://host.example.com:8443/a/x'],
    ['?y', 'https://host.example.com:8443/a/b?y'],
    ['//other.example.com/x', 'https://other.example.com/x'],
    ['https://other.example.com', 'https://other.example.com/'],
    ['/a@b', 'https://host.example.com:8443/a@b'],
  ] as const)('leads to %s', ([location, target]) => {
    expect(from.redirectedTo(location).toString()).toBe(target)
  })

  test.for([
    ['http://other.example.com/x', 'must start with https://'],
    ['https://user@other.example.com/x', 'a user name or a password'],
    ['https://@other.example.com/x', 'a user name or a password'],
    ['//user@other.example.com/x', 'a user name or a password'],
    ['\\\\user@other.example.com/x', 'a backslash'],
    ['https://other.example.com/\tx', 'a control character'],
    ['data:application/json,{}', 'must start with https://'],
    ['https://[', 'no URL'],
  ] as const)('FE-24 refuses %j: %s', ([location, why]) => {
    expect(() => from.redirectedTo(location)).toThrowCode('BUNDLE_ENDPOINT_FAILED', why)
  })
})
