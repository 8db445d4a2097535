import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { diffPolicy } from '../../cli/policy-diff.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const entries = file(JSON.stringify({ entries: acmeEntries }), 'entries.json')
const text = readFileSync(acmeFile, 'utf8')
const wider = file(text.replace('actions: [ post ], owner', 'actions: [ post, read ], owner'))
const narrower = file(
  text.replace(
    'from: [ /ns/web/sa/storefront ], to: orders, actions: [ read, create ]',
    'from: [ /ns/web/sa/storefront ], to: orders, actions: [ create ]',
  ),
)
const options = { output: 'table', entries, newAccess: true } as const

describe('policy diff', () => {
  test('names what is gained, and allows that unless it is told not to', async () => {
    const result = await diffPolicy(options, acmeFile, wider)
    expect(process.exitCode).toBe(0)
    expect(result.rows).toEqual([
      {
        change: 'gained',
        from: 'spiffe://prod.acme.example/ns/shop/sa/checkout',
        zone: 'shop',
        to: 'ledger',
        action: 'read',
        by: 'shop-to-ledger, checkout-ledger',
      },
    ])
    await diffPolicy({ ...options, newAccess: false }, acmeFile, wider)
    expect(process.exitCode).toBe(1)
    await diffPolicy({ ...options, newAccess: false }, wider, acmeFile)
    expect(process.exitCode).toBe(0)
  })

  test(
    'warns of identities that the second policy would tell nothing, because it is too much',
    { timeout: 300_000 },
    async () => {
      const wordy = Array.from(
        { length: 3500 },
        (_, at) =>
          `  - { id: c${at}, from: edge, to: shop, allow: [ { protocol: http, ports: [8443] } ], owner: o, review: 2099-01-01, justification: ${'x'.repeat(900)} }\n`,
      )
      const long = file(text.replace('conduits:\n', () => `conduits:\n${wordy.join('')}`))
      expect((await diffPolicy(options, acmeFile, wider)).warnings).toEqual([])
      expect((await diffPolicy(options, acmeFile, long)).warnings).toEqual([
        expect.stringMatching(/^SLICE_TOO_LONG the slice of .* would take [34]\.\d MB, and agents take 3\.1 MB$/),
      ])
    },
  )

  test('adds the traffic that a loss would touch', async () => {
    const decisions = file(logOf([counter({ action: 'read', count: 9 }), counter({ action: 'create', count: 4 })]))
    // By web-read the storefront still reads.
    expect((await diffPolicy({ ...options, decisions }, acmeFile, narrower)).sentence).toBe(
      'Nobody gains or loses anything.',
    )
    const none = file(text.replace(/^.*storefront-orders,.*$/m, '').replace(', rule: storefront-orders', ''))
    const { rows, value } = await diffPolicy({ ...options, decisions }, acmeFile, none)
    expect(rows).toMatchObject([{ change: 'lost', action: 'create', requests: 4 }])
    expect(value).toMatchObject({ lost: [{ requests: 4, lastSeen: '2026-11-20T12:00:00.000Z' }], traffic: true })
  })

  test('tells how far a zone gets when it stops to observe', async () => {
    const enforced = file(text.replace('mode: observe', 'mode: enforce'))
    expect((await diffPolicy(options, acmeFile, enforced)).sentence).toContain(
      'from zone edge: 3 → 2 services within reach',
    )
  })

  test('a file with errors is not compared', async () => {
    await expect(diffPolicy(options, acmeFile, file('kind: X'))).rejects.toThrowCode('POLICY_INVALID', 'problem')
  })
})
