import * as z from 'zod'
import { codes, type Code } from '../policy/codes.ts'
import type { Invariant, Place, PolicyTest } from '../policy/policy-set.ts'
import { httpTarget, rpc } from './policy-forms.ts'
import { idOrPath, instant, labels, listOf, name, port, text } from './text-forms.ts'

const code = z.enum(Object.keys(codes) as [Code, ...Code[]])

export const policyTest = z
  .strictObject({
    name: text.describe('a sentence'),
    from: idOrPath.describe('SPIFFE ID of the source, or its path'),
    labels: labels.optional().describe('labels that the source is taken to have; left out: those of its registration'),
    to: name.describe('the service'),
    http: z
      .strictObject({
        method: z.string().min(1).max(64).describe('such as GET'),
        path: httpTarget.describe('raw target of the request, such as `/v1/orders/42`'),
      })
      .optional()
      .describe('an HTTP request'),
    rpc: rpc.optional().describe('a gRPC method'),
    port: port.optional().describe('port of the listener; the first that fits when left out'),
    at: instant.optional().describe('when; now when left out'),
    expect: z
      .strictObject({
        decision: z.enum(['allow', 'deny']).describe('before observe mode'),
        gate: z.enum(['identity', 'lifecycle', 'movement', 'access']).optional().describe('who refuses'),
        code: code.optional().describe('why'),
        conduit: name.optional().describe('what opens the movement gate'),
        rule: name.optional().describe('what opens the access gate'),
      })
      .describe('what must come out'),
  })
  .refine(
    ({ http, rpc }) => http === undefined || rpc === undefined,
    'can have http or rpc, not both',
  ) satisfies z.ZodType<PolicyTest>

const place = z.union([
  z.strictObject({ zone: name.describe('every identity or service of the zone') }),
  z.strictObject({ service: name.describe('the service') }),
  z.strictObject({ identity: idOrPath.describe('SPIFFE ID, or its path') }),
]) satisfies z.ZodType<Place>

const hops = z.int().min(1, 'direct reach is hop 1').max(1000).default(1).describe('steps; direct reach is 1')
const atMost = z.int().min(0).max(1_000_000).optional()
const id = name.describe('name of the invariant')
const from = place.describe('from where')
const KIND = 'what must hold; noNewAccess: nothing is allowed that the policy before refused'

export const invariant = z.discriminatedUnion('kind', [
  z.strictObject({
    id,
    kind: z.literal('cannotReach').describe(KIND),
    from,
    to: place.describe('what must not be reached'),
    hops,
  }),
  z.strictObject({
    id,
    kind: z.literal('maxBlastRadius').describe(KIND),
    from,
    hops,
    services: atMost.describe('services at most'),
    zones: atMost.describe('zones at most'),
    crownJewels: atMost.describe('crown jewels at most'),
  }),
  z.strictObject({
    id,
    kind: z.literal('requireFields').describe(KIND),
    on: listOf(z.enum(['conduits', 'rules', 'zones', 'guards'])).describe('objects'),
    fields: listOf(name).describe('fields that each of them must have'),
  }),
  z.strictObject({
    id,
    kind: z.literal('noNewAccess').describe(KIND),
  }),
]) satisfies z.ZodType<Invariant>
