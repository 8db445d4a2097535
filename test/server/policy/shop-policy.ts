import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'

export interface ShopOptions {
  readonly rules?: string
  readonly zones?: string
  readonly conduits?: string
  readonly more?: string
}

const owner = 'owner: team-shop'
const reviewed = `${owner}, review: 2027-03-01, justification: calls the API`

/** A small shop: web may read orders, operators may be given a way to the database, tokens for a partner go through a conduit. */
export const shopPolicy = ({ rules = '', zones = '', conduits = '', more = '' }: ShopOptions = {}): string => `
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: shop, trustDomain: example.org, owner: "group:platform" }
settings:
  x509Ttl: { 3: 30m }
zones:
  - { id: web,  target: 1, sensitivity: internal,     admin: none,    mode: enforce, ${owner}, members: [ { spiffe: /web/** } ] }
  - { id: shop, target: 2, sensitivity: confidential, admin: none,    mode: enforce, ${owner}, members: [ { spiffe: /shop/** }, { entryLabel: { pci: "true" } } ] }
  - { id: data, target: 3, sensitivity: restricted,   admin: none,    mode: enforce, ${owner}, members: [ { spiffe: /data/** } ] }
  - { id: ops,  target: 3, sensitivity: confidential, admin: operate, mode: enforce, ${owner}, members: [ { spiffe: /ops/** } ] }
  - { id: partner, target: 0, sensitivity: public, admin: none, mode: enforce, ${owner}, members: [], audiences: [ sts.partner.example ] }
${zones}
services:
  - id: orders
    identity: /shop/orders
    listeners: [ { name: api, port: 8443, protocol: http, alpn: [h2] } ]
    actions: { read: [ { methods: [GET], path: /v1/orders } ] }
  - id: db
    identity: /data/pg
    listeners: [ { name: pg, port: 5432, protocol: tcp, alpn: [postgresql] } ]
    actions: { connect: [ { connect: true } ] }
conduits:
  - { id: web-to-shop, from: web, to: shop, allow: [ { protocol: http, ports: [8443] } ], ${reviewed} }
  - { id: shop-to-data, from: shop, to: data, allow: [ { protocol: tcp, ports: [5432] } ], ${reviewed} }
  - { id: shop-to-partner, from: shop, to: partner, allow: [ { protocol: http, ports: [443] } ], ${reviewed} }
${conduits}
rules:
  - { id: web-orders, from: [ /web/store ], to: orders, actions: [ read ], ${owner} }
  - { id: orders-db, from: [ /shop/orders ], to: db, actions: [ connect ], ${owner} }
${rules}
grantTemplates:
  - id: oncall-db
    subject: [ /ops/* ]
    adds:
      movement: { from: { zone: ops }, to: { zone: data, identities: [ /data/pg ] }, allow: [ { protocol: tcp, ports: [5432] } ] }
      access: { to: db, actions: [ connect ] }
    maxDuration: 2h
    approvals: { count: 1, from: "group:data-owners", notSelf: true }
    requires: [ reason, ticket ]
breakGlass:
  - { id: bg-shop, activate: "group:commanders", approvals: 2, maxDuration: 60m, from: ops, to: [ shop, data ], overrides: [ default-deny, rules ], never: [ quarantine, hard-guards, identity ] }
${more}
`

const entryOf = (id: string, path: string, fields: Partial<RegistrationEntry> = {}): RegistrationEntry =>
  anEntry(id, { spiffeId: anId(path), parentId: anId('/spire/agent/1'), ...fields })

/** Who is registered in the shop. */
export const shopEntries: readonly RegistrationEntry[] = [
  entryOf('store', '/web/store'),
  entryOf('orders', '/shop/orders'),
  entryOf('pg', '/data/pg'),
  entryOf('alice', '/ops/alice'),
  entryOf('bob', '/ops/bob'),
]

export const shopEntry = entryOf
