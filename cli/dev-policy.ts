/** What the demo's services know their listener by in the policy; the ports of this machine are whatever is free. */
export const DEMO_PORT = 8443

/** The policy of the demo: two zones, one conduit between them, one rule. */
export const demoPolicy = (
  trustDomain: string,
): string => `# Two zones and one way between them. Change something, then: sallyport policy apply <this file>
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: demo, trustDomain: ${trustDomain}, owner: you }

zones:
  - { id: web,  target: 1, sensitivity: internal,     admin: none, mode: enforce, owner: you, members: [{ spiffe: /storefront }] }
  - { id: shop, target: 2, sensitivity: confidential, admin: none, mode: enforce, owner: you, members: [{ spiffe: /orders }] }

services:
  - id: storefront
    identity: /storefront
    listeners: [{ name: web, port: ${DEMO_PORT}, protocol: http, alpn: [http/1.1] }]
    actions: { browse: [{ methods: [GET], path: "/**" }] }
  - id: orders
    identity: /orders
    listeners: [{ name: api, port: ${DEMO_PORT}, protocol: http, alpn: [http/1.1] }]
    actions:
      read: [{ methods: [GET], path: "/v1/orders/{id}" }]
      cancel: [{ methods: [DELETE], path: "/v1/orders/{id}" }]

conduits: # which zone may open connections to which
  - { id: web-to-shop, from: web, to: shop, allow: [{ protocol: http, ports: [${DEMO_PORT}] }],
      owner: you, review: 2999-01-01, justification: the storefront calls the order service }

rules: # which identity may do what
  - { id: storefront-reads, from: [/storefront], to: orders, actions: [read], owner: you }

tests:
  - { name: storefront reads an order, from: /storefront, to: orders, http: { method: GET, path: /v1/orders/42 },
      expect: { decision: allow, conduit: web-to-shop, rule: storefront-reads } }
  - { name: orders never calls back, from: /orders, to: storefront, http: { method: GET, path: / },
      expect: { decision: deny, gate: movement, code: NO_CONDUIT } }
`
