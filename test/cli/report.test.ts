import { describe, expect, test } from 'vitest'
import { reportOverprivilege, reportStanding } from '../../cli/report-privilege.ts'
import { reportRules } from '../../cli/report-rules.ts'
import { reportStale } from '../../cli/report-stale.ts'
import { reportTraffic } from '../../cli/report-traffic.ts'
import { reportUnused } from '../../cli/report-unused.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const nowMs = Date.now()
const today = { firstMs: nowMs, lastMs: nowMs, day: Math.floor(nowMs / 86_400_000) }
const record = {
  ts: new Date(nowMs).toISOString(),
  pep: { side: 'server', service: 'orders' },
  decision: 'allow',
  wouldDeny: false,
  deniedBy: null,
  code: null,
  gates: {
    movement: { by: { kind: 'conduit', id: 'edge-to-shop' } },
    access: { by: { kind: 'rule', id: 'storefront-orders' }, action: 'read' },
  },
  src: { id: 'spiffe://prod.acme.example/ns/web/sa/storefront', zone: 'edge' },
  dst: { service: 'orders', zone: 'shop', port: 8443 },
}
const options = {
  output: 'table' as const,
  policy: acmeFile,
  entries: file(JSON.stringify(acmeEntries), 'entries.json'),
  decisions: file(
    logOf([record, counter({ ...today, count: 4 }), counter({ lastMs: 1, firstMs: 1, day: 0, rule: 'web-read' })]),
    'log.ndjson',
  ),
  since: '30d',
}

describe('report', () => {
  test('unused: of a rule in part use says what would be enough; old traffic does not count', async () => {
    const { rows, value } = await reportUnused(options)
    expect(rows).toContainEqual(
      expect.objectContaining({
        id: 'storefront-orders',
        status: 'partly',
        enough: 'from [/ns/web/sa/storefront] actions [read]',
      }),
    )
    expect(rows).toContainEqual(expect.objectContaining({ id: 'web-read', status: 'unused', 'last used': 'never' }))
    const base = await reportUnused({ ...options, base: acmeFile })
    expect(base.value).toEqual(value)
  })

  test('standing: begins with administration', async () => {
    const { rows, sentence } = await reportStanding({ ...options, days: '1' })
    expect(rows?.[0]).toMatchObject({ rule: 'support-read', actions: 'read, admin (administration)' })
    expect(rows?.map(({ rule }) => rule)).not.toContain('storefront-orders')
    expect(sentence).toContain('zone edge: 100 % of all rights stand')
  })

  test('overprivilege, stale and rules speak of the worked example', async () => {
    expect((await reportOverprivilege(options)).rows?.[0]).toMatchObject({ excess: 16, unused: '1 of 1: ledger.post' })
    expect((await reportStale(options)).sentence).toBe('9 findings: 6 idle, 3 ghost.')
    expect((await reportRules(options)).rows).toEqual([
      { id: 'temp-import', is: 'expired rule', owner: 'team-shop', because: 'it has ended' },
      { id: 'shop-mesh', is: 'open conduit', owner: 'team-shop', because: 'no rule uses the conduit' },
    ])
  })

  test('traffic prints counters that it reads again, and records only where there are none', async () => {
    const { value, sentence = '' } = await reportTraffic(options)
    expect(value).toHaveLength(1)
    expect((await reportTraffic({ ...options, decisions: file(sentence) })).value).toEqual(value)
    const { value: records } = await reportTraffic({ ...options, decisions: file(logOf([record])) })
    expect(records).toMatchObject([
      { conduit: 'edge-to-shop', rule: 'storefront-orders', action: 'read', count: 1, side: 'server' },
    ])
  })

  test('without traffic it says what it needs', async () => {
    const { decisions: _, ...rest } = options
    await expect(reportUnused(rest)).rejects.toThrowCode('COMMAND_INVALID', 'a log of decisions is needed')
  })
})
