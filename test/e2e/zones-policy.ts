/** Three zones with a service in each, and a way in for emergencies. Zones of target 3 always enforce; the others as is asked for. */
export const zonesPolicy = (mode: 'enforce' | 'observe' = 'enforce', more = ''): string => `
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: shop, trustDomain: example.org, owner: "group:platform" }
zones:
  - { id: web,  target: 1, sensitivity: internal,     admin: none,    mode: ${mode}, owner: team-web,  members: [ { spiffe: /web/** } ] }
  - { id: shop, target: 2, sensitivity: confidential, admin: none,    mode: ${mode}, owner: team-shop, members: [ { spiffe: /shop/** } ] }
  - { id: pay,  target: 3, sensitivity: restricted,   admin: none,    mode: enforce, owner: team-pay,  members: [ { spiffe: /pay/** }, { entryLabel: { pci: "true" } } ] }
  - { id: ops,  target: 3, sensitivity: confidential, admin: operate, mode: enforce, owner: team-ops,  members: [ { spiffe: /ops/** } ] }
services:
  - id: orders
    identity: /shop/orders
    listeners: [ { name: api, port: 8443, protocol: http, alpn: [http/1.1] } ]
    actions: { read: [ { methods: [GET], path: "/v1/orders/{id}" } ], create: [ { methods: [POST], path: /v1/orders } ] }
  - id: ledger
    identity: /pay/ledger
    listeners: [ { name: api, port: 9443, protocol: http, alpn: [http/1.1] } ]
    actions: { read: [ { methods: [GET], path: /v1/ledger } ] }
conduits:
  - { id: web-to-shop, from: web, to: shop, allow: [ { protocol: http, ports: [8443] } ], owner: team-shop, review: 2999-03-01, justification: the storefront calls the API }
  - { id: shop-to-pay, from: shop, to: pay, allow: [ { protocol: http, ports: [9443] } ], owner: team-pay, review: 2999-03-01, justification: orders are posted }
rules:
  - { id: web-orders, from: [ /web/store ], to: orders, actions: [ read ], owner: team-shop }
  - { id: orders-ledger, from: [ /shop/orders ], to: ledger, actions: [ read ], owner: team-pay }
grantTemplates:
  - id: look-at-ledger
    subject: [ /ops/bastion ]
    adds:
      movement: { from: { zone: ops }, to: { zone: pay, identities: [ /pay/ledger ] }, allow: [ { protocol: http, ports: [9443] } ] }
      access: { to: ledger, actions: [ read ] }
    maxDuration: 1h
    approvals: { count: 1, from: group:owners, notSelf: true }
    requires: [ reason, ticket ]
breakGlass:
  - { id: bg-shop, activate: group:commanders, approvals: 2, maxDuration: 30m, from: [ ops ], to: [ shop, pay ], overrides: [ default-deny, rules ], never: [ quarantine, hard-guards, identity ] }
${more}
`
