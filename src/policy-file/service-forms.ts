import * as z from 'zod'
import type { Action, Matcher, Service } from '../policy/policy-set.ts'
import { anyPattern, method, pathTemplate, rpc } from './policy-forms.ts'
import { idPath, LIST_MAX, listOf, name, port, text } from './text-forms.ts'

export const protocol = z.enum(['http', 'grpc', 'tcp'])

const alpn = z.string().regex(/^[\u0021-\u007E]{1,255}$/, 'must be 1-255 visible ASCII characters')

const authority = z.string().regex(/^[\u0021-\u007E]{1,255}$/, 'must be 1-255 visible ASCII characters')

const listener = z.strictObject({
  name: name.describe('name of the listener'),
  port: port.describe('1 to 65535'),
  protocol: protocol.describe('what is spoken on it'),
  alpn: z
    .array(alpn)
    .max(100)
    .default([])
    .describe('ALPN protocols, one of which must be negotiated; none: no ALPN is demanded'),
})

const httpMatcher = z
  .strictObject({
    methods: listOf(method).describe('exact methods; HEAD is not implied by GET'),
    path: pathTemplate.describe('template: `{id}` is one segment, a last `**` one or more'),
    upgrade: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'must be an upgrade token, such as websocket')
      .optional()
      .describe('token of the upgrade that it serves'),
  })
  .transform(({ upgrade, ...match }): Matcher => ({ kind: 'http', ...match, upgrade }))

const grpcMatcher = z
  .strictObject({ rpc: rpc.describe('gRPC method, such as `ledger.v1.Ledger/Get`') })
  .transform((match): Matcher => ({ kind: 'grpc', ...match }))

const connectMatcher = z
  .strictObject({ connect: z.literal(true).describe('a connection to a TCP listener') })
  .transform((): Matcher => ({ kind: 'connect' }))

const matchers = z
  .array(z.union([httpMatcher, grpcMatcher, connectMatcher]))
  .min(1, 'needs at least one matcher')
  .max(LIST_MAX)

const actions = z
  .record(
    name,
    z.union([
      matchers,
      z.strictObject({
        match: matchers.describe('requests that are this action'),
        pivot: z.boolean().default(true).describe('false: who may do this cannot thereby act as the service'),
      }),
    ]),
  )
  .transform((written): readonly Action[] =>
    Object.entries(written).map(([name, action]) =>
      Array.isArray(action) ? { name, match: action, pivot: true } : { name, ...action },
    ),
  )

export const service = z
  .strictObject({
    id: name.describe('name of the service'),
    identity: idPath.describe('path of its SPIFFE ID, such as `/ns/shop/sa/orders`'),
    authorities: z.array(authority).max(LIST_MAX).default([]).describe('exact authorities that it serves; none: any'),
    listeners: z.array(listener).min(1, 'needs at least one listener').max(1000).describe('where it listens'),
    acceptJwt: z
      .strictObject({
        audience: text.describe('name of the service in the tokens'),
        forwarders: listOf(anyPattern).describe('who may forward a token'),
      })
      .optional()
      .describe('tokens of callers, forwarded by others'),
    honoursMethodOverride: z
      .boolean()
      .default(false)
      .describe('it obeys X-HTTP-Method-Override: then both methods must be allowed'),
    actions: actions.describe('what can be done with it: name → requests'),
  })
  .transform(({ acceptJwt, ...service }): Service => ({ ...service, acceptJwt }))
