import { describe, expect, test } from 'vitest'
import { issuanceGate } from '../../../server/policy/issuance-gate.ts'
import { Members } from '../../../server/policy/members.ts'
import type { PolicyBook } from '../../../server/policy/policy-book.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../../src/policy/lifecycle.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { aPolicyRow } from '../../fakes/policy-objects.ts'
import { anId, anInstant } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from './shop-policy.ts'

const entries = [...shopEntries, shopEntry('pci', '/web/pci', { labels: { pci: 'true' } })]
const directory = {
  entries: () => entries,
  entry: () => undefined,
  entriesWithSpiffeId: (id: { toString(): string }) =>
    entries.filter(({ spiffeId }) => String(spiffeId) === String(id)),
}

/** The gate of a policy and a lifecycle; without a policy when there is no text. */
function gateOf(source: string | undefined, changes: Partial<Lifecycle> = {}, now = anInstant(0)) {
  const lifecycle = { ...NO_LIFECYCLE, ...changes }
  const policy = source === undefined ? undefined : readPolicy(source)
  const current = policy && { row: aPolicyRow(1, { policy }), members: Members.of(policy, directory) }
  const book = { current, lifecycle, lifecycleIndex: indexLifecycle(lifecycle) }
  return issuanceGate(book as unknown as PolicyBook, { now: () => now })
}

describe('the issuance gate', () => {
  test('without policy and lifecycle lets everything through', () => {
    const gate = gateOf(undefined)
    expect(gate.refusal(anId('/web/store'), anId('/spire/agent/1'))).toBeUndefined()
    expect(gate.x509TtlSeconds(anId('/web/store'))).toBeUndefined()
    expect(gate.audienceRefusal(anId('/web/store'), ['sts.partner.example'])).toBeUndefined()
  })

  test('refuses who is in quarantine, by identity also without a policy', () => {
    const quarantine = { id: 'q', forensics: [], reason: 'drill', since: 0 }
    const quarantines = [{ ...quarantine, target: { identity: anId('/web/store').toString() } }]
    expect(gateOf(undefined, { quarantines }).refusal(anId('/web/store'))?.code).toBe('ISSUANCE_REFUSED')
    const zone = gateOf(shopPolicy(), { quarantines: [{ ...quarantine, target: { zone: 'shop' } }] })
    expect(zone.refusal(anId('/shop/orders'))?.code).toBe('ISSUANCE_REFUSED')
    // By its label it is there too, whatever its path says.
    expect(zone.refusal(anId('/web/pci'))?.code).toBe('ISSUANCE_REFUSED')
    expect(zone.refusal(anId('/web/store'))).toBeUndefined()
  })

  test('refuses who is offboarded', () => {
    const gate = gateOf(undefined, { offboarded: [anId('/web/store').toString()] })
    expect(gate.refusal(anId('/web/store'))?.message).toContain('offboarded')
  })

  test('shortens lives by the target of the zone', () => {
    const gate = gateOf(shopPolicy())
    expect(gate.x509TtlSeconds(anId('/data/pg'))).toBe(1800)
    expect(gate.x509TtlSeconds(anId('/web/store'))).toBeUndefined()
    expect(gate.x509TtlSeconds(anId('/nowhere/at/all'))).toBeUndefined()
  })

  test('takes an audience for a destination: a token for one that a zone owns needs a conduit there', () => {
    const gate = gateOf(shopPolicy())
    const ask = (path: string, ...audience: string[]) => gate.audienceRefusal(anId(path), audience)?.code
    expect(ask('/shop/orders', 'sts.partner.example')).toBeUndefined()
    expect(ask('/web/pci', 'sts.partner.example')).toBeUndefined()
    expect(ask('/web/store', 'sts.partner.example')).toBe('ISSUANCE_REFUSED')
    expect(ask('/nowhere/at/all', 'sts.partner.example')).toBe('ISSUANCE_REFUSED')
    expect(ask('/web/store', 'orders', 'anything.else')).toBeUndefined()
    expect(ask('/web/store', 'orders', 'sts.partner.example')).toBe('ISSUANCE_REFUSED')
  })

  test('an expired conduit leads to no audience', () => {
    const until =
      '  - { id: late, from: web, to: partner, allow: [ { protocol: http, ports: [443] } ], valid: { until: 2026-01-01T01:00:00Z }, owner: a, review: 2027-03-01, justification: trial }'
    const at = (seconds: number) =>
      gateOf(shopPolicy({ conduits: until }), {}, anInstant(seconds)).audienceRefusal(anId('/web/store'), [
        'sts.partner.example',
      ])?.code
    expect([at(3599), at(3600)]).toEqual([undefined, 'ISSUANCE_REFUSED'])
  })
})
