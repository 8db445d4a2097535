import { checkPolicy, type CheckOptions } from '../../../src/policy-file/check-policy.ts'
import { readPolicyFile } from '../../../src/policy-file/read-policy.ts'

/** A policy without findings; each test changes one thing of it. */
export const SMALL = `apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: small, trustDomain: example.org, owner: me }
federation:
  - { trustDomain: partner.example, accept: [/billing/**], zone: ext }
zones:
  - { id: web, target: 1, sensitivity: internal, owner: w, members: [{ spiffe: /web/** }] }
  - { id: shop, target: 2, sensitivity: confidential, owner: s, members: [{ spiffe: /shop/** }, { entryLabel: { tier: shop } }] }
  - { id: pay, target: 4, sensitivity: restricted, crownJewel: true, owner: p, members: [{ spiffe: /pay/** }] }
  - { id: ops, target: 3, sensitivity: internal, admin: operate, owner: o, members: [{ spiffe: /ops/** }] }
  - { id: ext, target: 0, sensitivity: public, owner: p, audiences: [aws] }
services:
  - id: orders
    identity: /shop/orders
    listeners: [{ name: api, port: 8443, protocol: http }]
    actions: { read: [{ methods: [GET], path: '/orders/{id}' }], write: [{ methods: [POST], path: /orders }] }
  - id: ledger
    identity: /pay/ledger
    listeners: [{ name: rpc, port: 9443, protocol: grpc }]
    actions: { post: [{ rpc: l.L/Post }] }
conduits:
  - { id: web-shop, from: web, to: shop, allow: [{ protocol: http, ports: [8443] }], owner: s, justification: j, review: 2027-01-01 }
  - { id: shop-pay, from: { zone: shop, identities: [/shop/orders] }, to: pay, allow: [{ protocol: grpc, ports: [9443] }], owner: p, justification: j, review: 2027-01-01 }
  - { id: ext-pay, from: ext, to: pay, allow: [{ protocol: grpc, ports: [9443] }], valid: { until: 2027-06-01T00:00:00Z }, owner: p, justification: j, review: 2027-01-01 }
guards:
  - { id: low, gate: movement, from: { maxTarget: 1 }, to: { sensitivity: restricted }, except: [ext-pay], hard: true }
rules:
  - { id: read, from: [/web/front], to: orders, actions: [read], owner: s }
  - { id: post, from: [/shop/orders], to: ledger, actions: [post], owner: p }
  - { id: settle, from: ['spiffe://partner.example/billing/settle'], to: ledger, actions: [post], owner: p }
grantTemplates:
  - id: look
    subject: [/ops/alice]
    adds: { movement: { from: ops, to: shop, allow: [{ protocol: http, ports: [8443] }] }, access: { to: orders, actions: [read] } }
    maxDuration: 2h
    approvals: { count: 1, from: leads }
breakGlass:
  - { id: glass, activate: leads, maxDuration: 30m, from: ops, to: [shop], overrides: [rules] }
tests:
  - { name: front reads, from: /web/front, to: orders, http: { method: GET, path: /orders/1 }, expect: { decision: allow, conduit: web-shop, rule: read } }
invariants:
  - { id: far, kind: cannotReach, from: { zone: web }, to: { service: ledger } }
`

/** Replaces one text of the small policy, which must be there. */
export function changed(...edits: readonly (readonly [from: string, to: string])[]): string {
  return edits.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new TypeError(`The small policy does not hold ${from}`)
    return text.replace(from, () => to)
  }, SMALL)
}

export function findingsOf(text: string, options: CheckOptions = {}): readonly string[] {
  const file = readPolicyFile(text)
  return checkPolicy(file.set, { placeOf: file.placeOf, ...options }).map(
    ({ code, path, place, message }) => `${code} ${place?.line ?? 0}:${place?.column ?? 0} ${path}: ${message}`,
  )
}
