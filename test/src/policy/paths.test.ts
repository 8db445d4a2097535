import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { actionTable, overlapsOf } from '../../../src/policy/action-table.ts'
import { canonicalPath, TARGET_MAX_BYTES } from '../../../src/policy/canonical-path.ts'
import { codes } from '../../../src/policy/codes.ts'
import { compile } from '../../../src/policy/compile.ts'
import { canonicalRequest } from '../../../src/policy/match-action.ts'
import { parsePathTemplate, templatesOverlap } from '../../../src/policy/path-template.ts'
import type { Action, Matcher } from '../../../src/policy/policy-set.ts'
import type { HttpFacts } from '../../../src/policy/request.ts'
import { acme, decideIn, rule, withMore } from './acme.ts'

const http = (path: string, methods = ['GET'], upgrade?: string): Matcher => ({ kind: 'http', methods, path, upgrade })
const action = (name: string, ...match: Matcher[]): Action => ({ name, match, pivot: true })
const ask = (
  actions: Action[],
  change: Partial<HttpFacts>,
  rules: { authorities?: string[]; honours?: boolean } = {},
) => {
  const facts = { method: 'GET', target: '/a', authorities: ['a'], upgrade: null, methodOverride: null, isGrpc: false }
  const service = {
    actions: actionTable({ actions }),
    authorities: new Set(rules.authorities ?? []),
    honoursMethodOverride: rules.honours ?? false,
  }
  const { actions: found, refused } = canonicalRequest(service, { ...facts, ...change })
  return refused ?? found.map(({ name }) => name).join('+')
}

describe('a request target', () => {
  test.for<[string, string]>([
    ['/a?b#c d\\', '/a'],
    ['/?x', '/'],
    ['/%61%5F%7e%2D', '/a_~-'],
    ['/%c3%a9%20', '/%C3%A9%20'],
    ['/%e2%82%ac/%f0%9f%98%80', '/%E2%82%AC/%F0%9F%98%80'],
    ['/a/b/', '/a/b/'],
    ['/a:b@c!$&()*+,=', '/a:b@c!$&()*+,='],
    ['/...', '/...'],
  ])('ZO-50: ZO-51: %s reads as %s', ([target, expected]) => {
    const path = canonicalPath(target)
    expect(
      'refused' in path
        ? path.refused
        : `/${path.segments.join('/')}${path.hasTrailingSlash && path.segments.length > 0 ? '/' : ''}`,
    ).toBe(expected)
  })

  test.for<[string, string]>([
    ['', 'PATH_NO_LEADING_SLASH'],
    ['*', 'PATH_NO_LEADING_SLASH'],
    ['?/a', 'PATH_NO_LEADING_SLASH'],
    ['/a b', 'PATH_FORBIDDEN_CHAR'],
    ['/a\u007f', 'PATH_FORBIDDEN_CHAR'],
    ['/é', 'PATH_FORBIDDEN_CHAR'],
    ['//;', 'PATH_FORBIDDEN_CHAR'],
    ['/%zz%2f#', 'PATH_FORBIDDEN_CHAR'],
    ['/%', 'PATH_BAD_ESCAPE'],
    ['/%4', 'PATH_BAD_ESCAPE'],
    ['/%4?1', 'PATH_BAD_ESCAPE'],
    ['/%zz%2f', 'PATH_BAD_ESCAPE'],
    ['/%2f%zz', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%5c', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%3B', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%23', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%3f', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%25', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%2E', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%0a', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%1F', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%7F', 'PATH_AMBIGUOUS_ESCAPE'],
    ['/%80', 'PATH_BAD_ESCAPE'],
    ['/%c0%af', 'PATH_BAD_ESCAPE'],
    ['/%e0%80%af', 'PATH_BAD_ESCAPE'],
    ['/%ed%a0%80', 'PATH_BAD_ESCAPE'],
    ['/%f4%90%80%80', 'PATH_BAD_ESCAPE'],
    ['/%c3a9', 'PATH_BAD_ESCAPE'],
    ['/a//./b', 'PATH_EMPTY_SEGMENT'],
    ['/./a//b', 'PATH_DOT_SEGMENT'],
    ['/a/..', 'PATH_DOT_SEGMENT'],
    ['/a//', 'PATH_EMPTY_SEGMENT'],
    ['//', 'PATH_EMPTY_SEGMENT'],
    [`/${'a'.repeat(TARGET_MAX_BYTES)}`, 'PATH_TOO_LONG'],
    [`/?${'a'.repeat(TARGET_MAX_BYTES)}`, 'PATH_TOO_LONG'],
  ])('ZO-50: ZO-51: %j is %s', ([target, code]) => {
    expect(canonicalPath(target)).toEqual({ refused: code })
  })

  test('any text has a reading that reads the same again, or a code', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('/', '%', '2', 'f', 'e', 'c', '3', '.', 'a', '?', '\\', '~') }),
    )
    fc.assert(
      fc.property(text, (text) => {
        const path = canonicalPath(`/${text}`)
        if ('refused' in path) {
          expect(Object.keys(codes)).toContain(path.refused)
          return
        }
        const printed = `/${path.segments.join('/')}${path.hasTrailingSlash && path.segments.length > 0 ? '/' : ''}`
        expect(canonicalPath(printed)).toEqual(path)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an action', () => {
  const actions = [
    action('one', http('/v1/{id}')),
    action('deep', http('/admin/**')),
    action('slash', http('/v1/x/y/')),
    action('root', http('/')),
    action('call', { kind: 'grpc', rpc: 'a.B/C' }),
    action('socket', http('/v1/{id}', ['GET'], 'websocket')),
    action('put', http('/v1/{id}', ['PUT', 'X-DO'])),
  ]

  test.for<[string, Partial<HttpFacts>, string]>([
    ['** is one segment', { target: '/admin/a' }, 'deep'],
    ['** is several', { target: '/admin/a/b' }, 'deep'],
    ['** is not none', { target: '/admin' }, 'NO_ACTION'],
    ['** is no trailing slash', { target: '/admin/' }, 'NO_ACTION'],
    ['nor one after a segment', { target: '/admin/a/' }, 'NO_ACTION'],
    ['a template with a trailing slash', { target: '/v1/x/y/' }, 'slash'],
    ['not without', { target: '/v1/x/y' }, 'NO_ACTION'],
    ['the root', { target: '/' }, 'root'],
    ['an escape that is kept', { target: '/v1/%c3%a9' }, 'one'],
  ])('ZO-52: %s', ([, change, expected]) => {
    expect(ask(actions, change)).toBe(expected)
  })

  test.for<[string, Partial<HttpFacts>, string]>([
    ['a method of several words', { method: 'X-DO', target: '/v1/a' }, 'put'],
    ['a method that is not listed', { method: 'DELETE', target: '/v1/a' }, 'NO_ACTION'],
    ['a method with a digit', { method: 'GET1' }, 'METHOD_NOT_ALLOWED'],
    ['a method that ends with a dash', { method: 'X-' }, 'METHOD_NOT_ALLOWED'],
    ['CONNECT, extended or not', { method: 'CONNECT', upgrade: 'websocket' }, 'METHOD_NOT_ALLOWED'],
    ['TRACE', { method: 'TRACE' }, 'METHOD_NOT_ALLOWED'],
    ['gRPC', { isGrpc: true, method: 'POST', target: '/a.B/C' }, 'call'],
    ['gRPC with GET', { isGrpc: true, target: '/a.B/C' }, 'NO_ACTION'],
    ['gRPC as an upgrade', { isGrpc: true, method: 'POST', target: '/a.B/C', upgrade: 'websocket' }, 'NO_ACTION'],
    ['gRPC undecoded', { isGrpc: true, method: 'POST', target: '/a.B/%43' }, 'NO_ACTION'],
    ['gRPC uncut', { isGrpc: true, method: 'POST', target: '/a.B/C?x' }, 'NO_ACTION'],
    ['a gRPC path without gRPC', { method: 'POST', target: '/a.B/C' }, 'NO_ACTION'],
    ['a long gRPC path', { isGrpc: true, method: 'POST', target: `/${'a'.repeat(TARGET_MAX_BYTES)}` }, 'PATH_TOO_LONG'],
    [
      'a gRPC path of the longest',
      { isGrpc: true, method: 'POST', target: `/${'a'.repeat(TARGET_MAX_BYTES - 1)}` },
      'NO_ACTION',
    ],
    ['an upgrade that is listed', { target: '/v1/a', upgrade: 'WebSocket' }, 'socket'],
    ['an upgrade that is not', { target: '/v1/a', upgrade: 'h2c' }, 'NO_ACTION'],
  ])('ZO-53: %s', ([, change, expected]) => {
    expect(ask(actions, change)).toBe(expected)
  })

  test('ZO-53: every authority that was given must be listed, as exact text', () => {
    const authorities = (given: string[]) =>
      ask(actions, { target: '/v1/a', authorities: given }, { authorities: ['a:1', 'a'] })
    expect(['a', 'a:1,a', 'A', 'a,b', ''].map((text) => authorities(text === '' ? [] : text.split(',')))).toEqual([
      'one',
      'one',
      'AUTHORITY_MISMATCH',
      'AUTHORITY_MISMATCH',
      'AUTHORITY_MISMATCH',
    ])
    expect(ask(actions, { target: '/v1/a', authorities: ['whatever'] })).toBe('one')
  })

  test('ZO-54: with an override that is honoured both methods must be allowed', () => {
    const override = (methodOverride: string) => ask(actions, { target: '/v1/a', methodOverride }, { honours: true })
    expect(['PUT', 'GET', 'DELETE', 'put', 'TRACE'].map(override)).toEqual([
      'one+put',
      'one+one',
      'NO_ACTION',
      'METHOD_NOT_ALLOWED',
      'METHOD_NOT_ALLOWED',
    ])
    expect(ask(actions, { target: '/v1/a', methodOverride: 'GET' })).toBe('METHOD_OVERRIDE')
  })

  test('ZO-54: the effective method needs a rule of its own', () => {
    const services = acme.services.map((service) =>
      service.id === 'orders' ? { ...service, honoursMethodOverride: true } : service,
    )
    const asked = { http: { target: '/v1/orders', methodOverride: 'POST' } }
    const set = { ...acme, services }
    expect(decideIn({ set }, asked)).toMatchObject({ decision: 'allow', action: 'create' })
    const rules = acme.rules.map((rule) => (rule.id === 'storefront-orders' ? { ...rule, actions: ['read'] } : rule))
    expect(decideIn({ set: { ...set, rules } }, asked)).toMatchObject({ code: 'NO_RULE', action: 'create' })
    const create = [rule('c', [{ pattern: '/ns/web/sa/other' }], 'orders', { actions: ['create'] })]
    expect(decideIn({ set: withMore({ rules: create }, set) }, { from: '/ns/web/sa/other', ...asked })).toMatchObject({
      decision: 'deny',
      action: 'read',
    })
  })

  test.for<[string, Matcher, Matcher, boolean]>([
    ['a literal and a segment', http('/a/b'), http('/a/{x}'), true],
    ['two literals', http('/a/b'), http('/a/c'), false],
    ['a depth more', http('/a'), http('/a/{x}'), false],
    ['** and what is below', http('/a/**'), http('/a/b/c'), true],
    ['** and what is above', http('/a/**'), http('/a'), false],
    ['another method', http('/a'), http('/a', ['PUT']), false],
    ['an upgrade', http('/a'), http('/a', ['GET'], 'websocket'), false],
    ['a trailing slash', http('/a/{x}/'), http('/a/{x}'), false],
    ['an escape', http('/%61'), http('/a'), true],
    ['gRPC', { kind: 'grpc', rpc: 'a.B/C' }, { kind: 'grpc', rpc: 'a.B/C' }, true],
    ['gRPC and HTTP', { kind: 'grpc', rpc: 'a.B/C' }, http('/a.B/C', ['POST']), false],
    ['bytes', { kind: 'connect' }, { kind: 'connect' }, true],
  ])('ZO-41: overlap: %s', ([, a, b, expected]) => {
    const services = [{ ...acme.services[0]!, actions: [action('a', a), action('b', b)] }]
    expect(overlapsOf(services[0]!.actions).length).toBe(expected ? 1 : 0)
    const compiling = () => compile({ ...acme, services }, [])
    if (expected) expect(compiling).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }))
    else expect(compiling).not.toThrow()
  })

  test('ZO-41: matchers of one action may overlap', () => {
    expect(overlapsOf([action('a', http('/a'), http('/{x}'))])).toEqual([])
  })

  test('templates that one path matches overlap', () => {
    const template = fc
      .tuple(fc.array(fc.constantFrom('a', 'b', '{x}'), { maxLength: 3 }), fc.constantFrom('a', '{y}', '**', 'b/'))
      .map(([head, last]) => `/${[...head, last].join('/')}`)
    const path = fc
      .array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`)
    fc.assert(
      fc.property(template, template, path, (a, b, target) => {
        const matches = (text: string) => ask([action('x', http(text))], { target }) === 'x'
        if (matches(a) && matches(b)) expect(templatesOverlap(parsePathTemplate(a), parsePathTemplate(b))).toBe(true)
      }),
    )
  })

  test.for(['', 'a', '/a?b', '/**/a', '/a{x}', '/{}', '/*', '/a*', '//', '/..', '/%2f', '/{x-y}'])(
    'refuses the template %j',
    (text) => {
      expect(() => parsePathTemplate(text)).toThrow(expect.objectContaining({ code: 'PATH_TEMPLATE_INVALID' }))
    },
  )

  test('any text is a template, or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('/', '{', '}', '*', 'a', '%', '6', '1', '?') }), (text) => {
        try {
          parsePathTemplate(text)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
    )
  })
})
