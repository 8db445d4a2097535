import { describe, expect, test } from 'vitest'
import { endedElevation, identitiesIn } from '../../../src/enforce/identities-in.ts'
import { opsSession, bastionGrant, idOf, quarantineOf } from '../policy/acme.ts'

const storefront = idOf('/ns/web/sa/storefront')
const bastion = idOf('/ns/ops/sa/bastion')

describe('an entry of the fast lane concerns', () => {
  test('whom a quarantine names, all ids of its node, and everybody where it names a zone', () => {
    const of = (target: Parameters<typeof quarantineOf>[0]) =>
      identitiesIn({ kind: 'quarantine.add', body: quarantineOf(target) })
    expect(of({ identity: storefront })).toEqual([storefront])
    expect(of({ node: 'n1', identities: [storefront, bastion] })).toEqual([storefront, bastion])
    expect(of({ zone: 'edge' })).toBe('all')
  })

  test('whom it offboards, whose serial it revokes, and whom it elevates', () => {
    expect(identitiesIn({ kind: 'offboard', body: { spiffeId: storefront } })).toEqual([storefront])
    const serial = { spiffeId: storefront, serialNumber: 'ab' }
    expect(identitiesIn({ kind: 'serial.revoke', body: serial })).toEqual([storefront])
    expect(identitiesIn({ kind: 'grant.add', body: bastionGrant })).toEqual([bastion])
    expect(identitiesIn({ kind: 'breakGlass.start', body: opsSession })).toEqual([bastion])
  })

  test('nobody where it only lets in', () => {
    expect(identitiesIn({ kind: 'quarantine.remove', body: { id: 'q1' } })).toEqual([])
    expect(identitiesIn({ kind: 'reinstate', body: { spiffeId: storefront } })).toEqual([])
    expect(identitiesIn({ kind: 'serial.forget', body: { spiffeId: storefront, serialNumber: 'ab' } })).toEqual([])
  })

  test('those who rest on a grant or a session that ends, or that is no longer the same', () => {
    expect(endedElevation({ kind: 'grant.end', body: { id: 'g1' } })).toBe('g1')
    expect(endedElevation({ kind: 'breakGlass.end', body: { id: 'b1' } })).toBe('b1')
    expect(endedElevation({ kind: 'grant.add', body: bastionGrant })).toBe(bastionGrant.id)
    expect(endedElevation({ kind: 'breakGlass.start', body: opsSession })).toBe(opsSession.id)
    expect(endedElevation({ kind: 'offboard', body: { spiffeId: storefront } })).toBeUndefined()
  })
})
