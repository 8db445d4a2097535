import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { http1Facts, http2Facts } from '../../../src/enforce/http-facts.ts'

function http1(rawHeaders: readonly string[], fields: Partial<IncomingMessage> = {}) {
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers[(rawHeaders[index] as string).toLowerCase()] ??= rawHeaders[index + 1] as string
  }
  return http1Facts({ method: 'GET', url: '/', rawHeaders, headers, ...fields } as unknown as IncomingMessage)
}

describe('a request of HTTP/1.1', () => {
  test('is asked about with its target as it was on the wire', () => {
    expect(http1([], { url: 'http://evil/a/../b' }).target).toBe('http://evil/a/../b')
  })

  test('brings every authority that it was given, not only the first', () => {
    expect(http1(['Host', 'a', 'hOST', 'b']).authorities).toEqual(['a', 'b'])
    expect(http1([]).authorities).toEqual([])
  })

  test.for(['X-HTTP-Method-Override', 'x-http-method', 'X-METHOD-OVERRIDE'])('ZO-54: is overridden by %s', (name) => {
    expect(http1([name, 'DELETE']).methodOverride).toBe('DELETE')
  })

  test('ZO-54: with overrides that differ is of a method that nobody allows', () => {
    expect(http1(['X-HTTP-Method', 'PUT', 'X-Method-Override', 'PUT']).methodOverride).toBe('PUT')
    expect(http1(['X-HTTP-Method', 'PUT', 'X-Method-Override', 'GET']).methodOverride).toBe('PUT,GET')
    expect(http1(['X-HTTP-Method', '']).methodOverride).toBe('')
    expect(http1(['X-Other', 'PUT']).methodOverride).toBeNull()
  })

  test('that asks for an upgrade is an upgrade, whoever listens', () => {
    expect(http1(['Upgrade', 'websocket']).upgrade).toBe('websocket')
    expect(http1([]).upgrade).toBeNull()
  })

  test.for([
    ['application/grpc', true],
    ['Application/GRPC+proto', true],
    ['application/grpc;x=y', true],
    // Servers take these for calls, too.
    ['application/grpc-web', true],
    ['application/grpcx', true],
    ['application/json', false],
  ] as const)('ZO-20: of type %s is gRPC: %s', ([type, isGrpc]) => {
    expect(http1(['Content-Type', type]).isGrpc).toBe(isGrpc)
  })
})

describe('a stream of HTTP/2', () => {
  test('brings its authority and every Host beside it', () => {
    const headers = { ':method': 'GET', ':path': '/x', ':authority': 'a' }
    expect(http2Facts(headers, [':authority', 'a', 'host', 'b', 'host', 'c'])).toMatchObject({
      ...{ method: 'GET', target: '/x', authorities: ['a', 'b', 'c'], upgrade: null },
    })
    expect(http2Facts({ ':method': 'GET', ':path': '/x' }, ['host', 'b']).authorities).toEqual(['b'])
  })

  test('ZO-53: extended CONNECT is the method CONNECT, without a path it has none', () => {
    const extended = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':authority': 'a' }
    expect(http2Facts(extended, []).method).toBe('CONNECT')
    expect(http2Facts({ ':method': 'CONNECT', ':authority': 'a' }, []).target).toBe('')
  })
})
