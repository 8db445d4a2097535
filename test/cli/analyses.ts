import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'

/** The worked example, eight registered identities on four nodes, and files of a test. */
export const acmeFile = join(import.meta.dirname, '../vectors/policy/acme-prod.yaml')
const td = 'spiffe://prod.acme.example'

const entry = (path: string, node: number, uid: number, more: object = {}) => ({
  spiffeId: `${td}${path}`,
  parent: `${td}/agent/n${node}`,
  selectors: [`unix:uid:${uid}`],
  ...more,
})

export const acmeEntries = [
  entry('/ns/web/sa/storefront', 1, 1001, { labels: { env: 'prod' } }),
  entry('/ns/web/sa/blog', 1, 1002, { labels: { env: 'prod' } }),
  entry('/ns/web/sa/stage', 2, 1002, { labels: { env: 'stage' } }),
  entry('/ns/shop/sa/orders', 2, 2001, { x509Ttl: '30m' }),
  entry('/ns/shop/sa/checkout', 2, 2002),
  entry('/ns/pay/sa/ledger', 3, 3001),
  entry('/ns/data/sa/pg-orders', 3, 3002),
  entry('/ns/erp/sa/erp', 4, 4001),
]

/** Files that go with the test; exit codes do not leak into the next. */
export function testFiles(): (text: string, name?: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-analyses-'))
  let made = 0
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(() => {
    process.exitCode = undefined
  })
  return (text, name = `${++made}.yaml`) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
}

/** Decision records or counters as a log. */
export const logOf = (lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** A counter as `report traffic` prints it. */
export function counter(change: object) {
  const nowMs = Date.parse('2026-11-20T12:00:00Z')
  return {
    source: `${td}/ns/web/sa/storefront`,
    sourceZone: 'edge',
    service: 'orders',
    destinationZone: 'shop',
    action: 'read',
    conduit: 'edge-to-shop',
    rule: 'storefront-orders',
    decision: 'allow',
    wouldDeny: false,
    deniedBy: null,
    code: null,
    side: 'server',
    port: 8443,
    protocol: 'http',
    route: '/v1/orders/{id}',
    count: 1,
    firstMs: nowMs,
    lastMs: nowMs,
    day: Math.floor(nowMs / 86_400_000),
    ...change,
  }
}
