import { describe, expect, test } from 'vitest'
import { agentAttested, agentDuplicated } from '../../../server/audit/agent-events.ts'
import { authorityChanged } from '../../../server/audit/authority-events.ts'
import { bundleSet } from '../../../server/audit/bundle-events.ts'
import { entryCreated } from '../../../server/audit/entry-events.ts'
import { exportAudit } from '../../../server/audit/export-audit.ts'
import { jwtSvidIssued, x509SvidIssued } from '../../../server/audit/svid-events.ts'
import { tokenReused, tokenSpent } from '../../../server/audit/token-events.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { aBundle, aFullEntry, aToken, anAuthority, anId, anInstant, recording } from '../../fakes/store-objects.ts'

const at = anInstant(0)

describe('audit events', () => {
  test('say ids and instants as texts and leave out what is not there', () => {
    const issued = {
      at,
      spiffeId: anId('/w'),
      authorityId: 'a1',
      expiresAt: anInstant(60),
      serialNumber: 'ff',
      use: 'workload',
    }
    expect(x509SvidIssued({ ...issued, use: 'workload', entryId: undefined, callerId: '' })).toEqual({
      type: 'x509-svid.issued',
      at,
      facts: {
        spiffeId: 'spiffe://example.org/w',
        authorityId: 'a1',
        serialNumber: 'ff',
        use: 'workload',
        expiresAt: '2026-01-01T00:01:00.000Z',
      },
    })
    expect(jwtSvidIssued({ ...issued, audience: ['a', 'b'] }).facts['audience']).toEqual(['a', 'b'])
    expect(entryCreated({ at, callerId: anId('/admin') }, aFullEntry('e')).facts).toMatchObject({
      callerId: 'spiffe://example.org/admin',
      admin: true,
      downstream: true,
      federatesWith: ['other.org', 'third.org'],
    })
    expect(bundleSet({ at }, aBundle('other.org', 4)).facts).toMatchObject({ sequenceNumber: 4, jwtKeyIds: ['key-4'] })
    expect(authorityChanged({ at }, anAuthority('x', { state: 'active' }), ['late']).facts['missingAgents']).toEqual([
      'late',
    ])
    expect(authorityChanged({ at }, anAuthority('x')).type).toBe('authority.prepared')
    expect(agentDuplicated(at, anId('/spire/agent/a'), ['1', '2']).facts['addresses']).toEqual(['1', '2'])
    const joined = { at, spiffeId: anId('/spire/agent/a'), attestationType: 'x509pop', address: '10.0.0.1' }
    expect(agentAttested({ ...joined, serialNumber: '1', expiresAt: at }).facts['address']).toBe('10.0.0.1')
  })

  test('SE-13 a reused token names both addresses, and never its whole hash', () => {
    const hash = '0123456789abcdef'.repeat(4)
    const token = aToken(hash, { spent: { at: anInstant(1), address: '10.0.0.1' } })
    const event = tokenReused(at, token, '10.0.0.2')
    expect(event.facts).toMatchObject({ firstAddress: '10.0.0.1', address: '10.0.0.2' })
    expect(JSON.stringify([event, tokenSpent(at, hash, '')])).not.toContain(hash)
  })

  test('are exported as lines of JSON', async () => {
    const store = new MemoryStore()
    await store.commit(recording(tokenSpent(at, 'abc', '10.0.0.1'), tokenSpent(at, 'def', '10.0.0.2')))
    const lines = await Array.fromAsync(exportAudit(store, {}))
    expect(lines.every((line) => line.endsWith('}\n'))).toBe(true)
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { sequence: 1, at: at.toISOString(), type: 'token.spent', facts: { tokenHash: 'abc', address: '10.0.0.1' } },
      { sequence: 2, facts: { tokenHash: 'def' }, link: store.auditHead().hash.toString('hex') },
    ])
  })
})
