/** What of the policy is varied between rounds. */
export interface ZonePolicyOptions {
  /** Whether the shop may read orders: what a round changes. */
  readonly isOpen: boolean
  /** Whether every identity of the fleet may call one more service, so that each slice is another one. */
  readonly isFleetOpen?: boolean
}

export const CLIENT_ID = 'spiffe://example.org/web/store'
export const ORDERS_ID = 'spiffe://example.org/shop/orders'
/** How many services, and rules that stay as they are. */
export const SERVICES = 20
export const RULES = 100

const owner = 'owner: team-a'
const range = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/**
 * The policy of the questions about whole systems: a shop of two services (`orders` over HTTP, `queue` over raw TLS), and the
 * simulated agents as a fleet that may call others.
 */
export const zonePolicy = ({ isOpen, isFleetOpen = false }: ZonePolicyOptions): string => `
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: bench, trustDomain: example.org, owner: "group:platform" }
zones:
  - { id: web, target: 1, sensitivity: internal, admin: none, mode: enforce, ${owner}, members: [ { spiffe: /web/** } ] }
  - { id: shop, target: 2, sensitivity: confidential, admin: none, mode: enforce, ${owner}, members: [ { spiffe: /shop/** } ] }
  - { id: fleet, target: 1, sensitivity: internal, admin: none, mode: enforce, ${owner}, members: [ { spiffe: /crowd/** } ] }
  - { id: back, target: 2, sensitivity: internal, admin: none, mode: enforce, ${owner}, members: [ { spiffe: /back/** } ] }
services:
  - id: orders
    identity: /shop/orders
    listeners: [ { name: api, port: 8443, protocol: http, alpn: [h2] } ]
    actions: { read: [ { methods: [GET], path: "/v1/orders/{id}" } ], list: [ { methods: [GET], path: /v1/orders } ] }
  - id: queue
    identity: /shop/queue
    listeners: [ { name: bytes, port: 5432, protocol: tcp, alpn: [queue] } ]
    actions: { connect: [ { connect: true } ] }
${range(SERVICES, serviceOf).join('\n')}
conduits:
  - { id: web-to-shop, from: web, to: shop, allow: [ { protocol: http, ports: [8443] }, { protocol: tcp, ports: [5432] } ], ${owner}, review: 2099-03-01, justification: calls the API }
  - { id: fleet-to-back, from: fleet, to: back, allow: [ { protocol: http, ports: [8443] } ], ${owner}, review: 2099-03-01, justification: calls what stands behind it }
rules:
  - { id: web-queue, from: [ /web/store ], to: queue, actions: [ connect ], ${owner} }
  - { id: web-orders-list, from: [ /web/store ], to: orders, actions: [ list ], ${owner} }
${range(RULES, ruleOf).join('\n')}
${isOpen ? `  - { id: web-orders, from: [ /web/store ], to: orders, actions: [ read ], ${owner} }` : ''}
${isFleetOpen ? `  - { id: fleet-more, from: [ { zone: fleet } ], to: back5, actions: [ read ], ${owner} }` : ''}
`

const serviceOf = (index: number): string => `  - id: back${index}
    identity: /back/s${index}
    listeners: [ { name: api, port: 8443, protocol: http, alpn: [h2] } ]
    actions: { read: [ { methods: [GET], path: "/v1/things/{id}" } ], write: [ { methods: [POST], path: /v1/things } ] }`

/** Four that concern the fleet; the others name clients of the shop that are not there. */
const ruleOf = (index: number): string =>
  index < 4
    ? `  - { id: r${index}, from: [ { zone: fleet } ], to: back${index}, actions: [ read ], ${owner} }`
    : `  - { id: r${index}, from: [ /web/p${index} ], to: orders, actions: [ list ], ${owner} }`
