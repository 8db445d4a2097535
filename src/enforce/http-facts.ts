import type { IncomingMessage } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http2'
import type { HttpFacts } from '../policy/request.ts'

/** Headers by which a request may ask to be taken for one of another method (ZO-54). */
const OVERRIDES: ReadonlySet<string> = new Set(['x-http-method-override', 'x-http-method', 'x-method-override'])

/**
 * What policy asks of a request of HTTP/1.1: everything as it was on the wire, nothing repaired. One that asks for an upgrade is an
 * upgrade, also where the server would pass over that: the application sees that it was asked for.
 */
export function http1Facts(request: IncomingMessage): HttpFacts {
  const { host, overrides } = readRaw(request.rawHeaders)
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    authorities: host,
    upgrade: request.headers.upgrade ?? null,
    methodOverride: oneOf(overrides),
    isGrpc: isGrpc(request.headers['content-type']),
  }
}

/** The same of a stream of HTTP/2. Extended CONNECT comes as its method, CONNECT, which no policy allows. */
export function http2Facts(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): HttpFacts {
  const { host, overrides } = readRaw(rawHeaders)
  const authority = headers[':authority']
  return {
    method: headers[':method'] ?? '',
    target: headers[':path'] ?? '',
    authorities: authority === undefined ? host : [authority, ...host],
    upgrade: null,
    methodOverride: oneOf(overrides),
    isGrpc: isGrpc(headers['content-type']),
  }
}

/** All values of a header, where it comes more than once too: the parsed headers would keep the first. */
export const valuesOf = (raw: readonly string[], name: string): readonly string[] =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name)

/** By pairs of name and value: the parsed headers would keep one of two. */
function readRaw(raw: readonly string[]): { readonly host: readonly string[]; readonly overrides: readonly string[] } {
  const host: string[] = []
  const overrides: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? ''
    const value = raw[index + 1] ?? ''
    if (name === 'host') host.push(value)
    else if (OVERRIDES.has(name)) overrides.push(value)
  }
  return { host, overrides }
}

/** Several that say the same are one; several that differ are a method that nobody allows. */
const oneOf = (values: readonly string[]): string | null =>
  values.length === 0 ? null : [...new Set(values)].join(',')

/** What servers of gRPC take for a call: whatever its type begins with `application/grpc`, also that of gRPC-Web (PROTOCOL-HTTP2.md). */
const isGrpc = (contentType: string | undefined): boolean => /^application\/grpc/i.test(contentType ?? '')
