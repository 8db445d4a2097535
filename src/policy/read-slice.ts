import { rowsOfGroup, type MemberGroup } from './member-groups.ts'
import type { IdentityRow } from './membership.ts'
import type { PolicySet, Subject } from './policy-set.ts'
import type { SliceDocument } from './signed-documents.ts'
import {
  count,
  either,
  fail,
  flag,
  list,
  map,
  nullable,
  object,
  oneOf,
  optional,
  port,
  readDocument,
  tagged,
  text,
  type Shape,
} from './shape.ts'

/** The largest slice: a response of the Workload API has room for 4 MiB. */
export const SLICE_MAX_BYTES = 3 * 1024 * 1024

const target = oneOf(0, 1, 2, 3, 4)
const sensitivity = oneOf('public', 'internal', 'confidential', 'restricted')
const admin = oneOf('none', 'operate', 'control-plane')
const protocol = oneOf('http', 'grpc', 'tcp')
const texts = list(text)
const stage = oneOf('live', 'draft')
const use = oneOf('normal', 'rare')
const valid = object({ from: optional(count), until: optional(count) })
const window = object({ fromMinute: count, toMinute: count, tz: text })
const allow = list(object({ protocol, ports: list(port) }))
const endpoint = object({ zone: text, identities: optional(texts) })

const settings = object({
  pathProfile: oneOf('strict'),
  connection: object({ maxAgeMs: count, drainMs: count }),
  bundle: object({ maxStaleMs: count, hardStaleMs: optional(count), onHardStale: oneOf('deny', 'keep') }),
  x509TtlMs: map(count),
})

const zone = object({
  id: text,
  target,
  sensitivity,
  admin,
  mode: oneOf('observe', 'enforce'),
  enforceOnly: list(port),
  owner: text,
  crownJewel: flag,
  members: list(object({ spiffe: optional(text), entryLabel: optional(map(text)), selector: optional(text) })),
  audiences: texts,
  hardStaleMs: optional(count),
})

const matcher = tagged('kind', {
  http: object({ kind: oneOf('http'), methods: texts, path: text, upgrade: optional(text) }),
  grpc: object({ kind: oneOf('grpc'), rpc: text }),
  connect: object({ kind: oneOf('connect') }),
})

const service = object({
  id: text,
  identity: text,
  authorities: texts,
  listeners: list(object({ name: text, port, protocol, alpn: texts })),
  acceptJwt: optional(object({ audience: text, forwarders: texts })),
  honoursMethodOverride: flag,
  actions: list(object({ name: text, match: list(matcher), pivot: flag })),
})

const conduit = object({
  id: text,
  from: endpoint,
  to: endpoint,
  allow,
  valid,
  window: optional(window),
  owner: text,
  justification: text,
  review: count,
  stage,
  use,
})

const predicate = object({
  maxTarget: optional(target),
  minTarget: optional(target),
  zone: optional(text),
  notZone: optional(text),
  sensitivity: optional(sensitivity),
  admin: optional(admin),
  notAdmin: optional(admin),
  crownJewel: optional(flag),
  identities: optional(texts),
  service: optional(text),
  actions: optional(texts),
})

const guard = object({
  id: text,
  gate: oneOf('movement', 'access'),
  from: predicate,
  to: predicate,
  except: texts,
  hard: flag,
  when: optional(text),
})

const subject: Shape<Subject> = either({ pattern: object({ pattern: text }), zone: object({ zone: text }) })

const rule = object({
  id: text,
  effect: oneOf('allow', 'deny'),
  from: list(subject),
  to: text,
  actions: texts,
  when: optional(text),
  valid,
  owner: text,
  stage,
  use,
})

const grantTemplate = object({
  id: text,
  subject: texts,
  movement: object({ from: endpoint, to: endpoint, allow }),
  access: object({ to: text, actions: texts }),
  maxDurationMs: count,
  approvals: object({ count, from: text, notSelf: flag }),
  requires: list(oneOf('reason', 'ticket')),
})

const breakGlass = object({
  id: text,
  activate: text,
  approvals: count,
  maxDurationMs: count,
  from: texts,
  to: texts,
  overrides: list(oneOf('default-deny', 'rules')),
  never: list(oneOf('quarantine', 'hard-guards', 'identity')),
})

/** A slice holds no tests and no invariants: they are for whoever writes policy. */
const none: Shape<readonly never[]> = list(oneOf<never>())

const policy: Shape<PolicySet> = object({
  name: text,
  trustDomain: text,
  owner: text,
  settings,
  federation: list(object({ trustDomain: text, accept: texts, zone: text })),
  zones: list(zone),
  services: list(service),
  conduits: list(conduit),
  guards: list(guard),
  rules: list(rule),
  grantTemplates: list(grantTemplate),
  breakGlass: list(breakGlass),
  tests: none,
  invariants: none,
})

const answer = {
  zone: nullable((value, path) => (typeof value === 'string' ? value : texts(value, path))),
  via: text,
  labels: map(text),
}
const row: Shape<IdentityRow> = object({ spiffeId: text, ...answer })
const group: Shape<MemberGroup> = object({ spiffeIds: texts, ...answer })
const writtenMember = either({ spiffeId: row, spiffeIds: group })

/** Groups are short however long their ids are: so many characters they may come to. */
const MEMBER_IDS_MAX_CHARACTERS = 64 * 1024 * 1024

const members: Shape<readonly IdentityRow[]> = (value, path) => {
  let left = MEMBER_IDS_MAX_CHARACTERS
  return list(writtenMember)(value, path).flatMap((member, index): readonly IdentityRow[] => {
    if ('spiffeId' in member) return [member]
    const rows = rowsOfGroup(member, left)
    if (rows === undefined) return fail(`${path}[${index}]`, 'is no list of ids')
    left -= rows.reduce((sum, { spiffeId }) => sum + spiffeId.length, 0)
    return rows
  })
}

const slice: Shape<SliceDocument> = object({
  v: oneOf(1),
  epoch: count,
  revision: count,
  asOf: count,
  issuedAt: count,
  trustDomain: text,
  spiffeId: text,
  policyName: text,
  digest: text,
  policyDigest: text,
  policy,
  members,
})

/**
 * Reads the content of a signed slice; a field that is not known makes it unusable. Who signed it is checked by the agent.
 *
 * @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID`
 */
export const readSlice = (content: Uint8Array): SliceDocument => readDocument(content, SLICE_MAX_BYTES, 'slice', slice)
