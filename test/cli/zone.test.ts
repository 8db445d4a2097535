import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { zoneLevel } from '../../cli/zone-level.ts'
import { promoteZone } from '../../cli/zone-promote.ts'
import { listZones, showZone } from '../../cli/zone-show.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const options = {
  output: 'table' as const,
  policy: acmeFile,
  entries: file(JSON.stringify({ entries: acmeEntries }), 'entries.json'),
}

describe('zone', () => {
  test('lists zones with who and what is in them', async () => {
    const { rows } = await listZones(options)
    expect(rows).toHaveLength(7)
    expect(rows?.find(({ zone }) => zone === 'shop')).toMatchObject({
      target: 2,
      mode: 'enforce',
      identities: 2,
      services: 1,
    })
  })

  test('shows conduits, which inherit the higher level of their zones', async () => {
    const { rows, title } = await showZone(options, 'shop')
    expect(title).toContain('members     /ns/shop/**\nservices    orders\n')
    expect(rows?.map(({ conduit, level }) => [conduit, level])).toEqual([
      ['edge-to-shop', 2],
      ['shop-to-ledger', 4],
      ['shop-to-db', 3],
      ['shop-mesh', 2],
      ['ops-read-shop', 3],
    ])
    await expect(showZone(options, 'shp')).rejects.toThrowCode('REQUEST_INVALID', 'no such zone')
  })

  test('level prints the vectors and ends with 1 for a gap', async () => {
    const { sentence, rows } = await zoneLevel(options, 'pay')
    expect(sentence).toBe('pay: SL-T (4 4 4 4 4 4 4)  SL-C (3 4 3 4 3 4 3)  SL-A (1 4 2 4 2 1 3), 5 gaps.')
    expect([process.exitCode, rows?.length]).toEqual([1, 7])
    await zoneLevel(options, 'ext-partner')
    expect(process.exitCode).toBe(0)
  })

  test('promote names what is missing, and what enforcing would take from an attacker', async () => {
    const old = Date.now() - 20 * 86_400_000
    const quiet = {
      service: 'erp',
      destinationZone: 'legacy',
      source: 'spiffe://prod.acme.example/ns/erp/sa/x',
      action: null,
      rule: null,
    }
    const decisions = file(
      logOf(['server', 'client'].map((side) => counter({ ...quiet, side, firstMs: old, lastMs: old }))),
      'log.ndjson',
    )
    const { sentence, rows } = await promoteZone({ ...options, decisions, since: '30d' }, 'legacy')
    expect(rows?.map(({ result }) => result)).toEqual(['ok', 'ok', 'ok', 'ok'])
    expect(process.exitCode).toBe(0)
    expect(sentence).toContain('from zone edge: 3 → 2 services within reach at most')
    expect(sentence).toContain('set `mode: enforce` in the policy file')
    const short = await promoteZone({ ...options, decisions: file('', 'empty.ndjson') }, 'legacy')
    expect([process.exitCode, short.rows?.[0]?.['result']]).toEqual([1, 'MISSING'])
    const failing = file(readFileSync(acmeFile, 'utf8').replace('code: GUARD } }', 'code: NO_CONDUIT } }'))
    const red = await promoteZone({ ...options, policy: failing, decisions }, 'legacy')
    expect(red.rows?.[3]).toMatchObject({ result: 'MISSING', detail: 'storefront never talks to the ledger' })
    expect((await promoteZone({ ...options, decisions }, 'pay')).sentence).toBe('Zone pay enforces already.')
  })
})
