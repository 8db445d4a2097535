import { describe, expect, test } from 'vitest'
import {
  acme,
  bastionGrant,
  conduit,
  decideIn,
  HOUR,
  idOf,
  MINUTE,
  NOW,
  quarantineOf,
  rule,
  verdictOf,
  withMore,
  withZone,
} from './acme.ts'

const settled = (bundle: Partial<typeof acme.settings.bundle>, set = acme) => ({
  set: { ...set, settings: { ...set.settings, bundle: { ...set.settings.bundle, ...bundle } } },
})
const toLedger = { from: '/ns/shop/sa/checkout', to: 'ledger', grpc: '/ledger.v1.Ledger/Post' }
const storefront = { spiffeId: idOf('/ns/web/sa/storefront'), serialNumber: '4f910c', notAfter: NOW + HOUR }

describe('stage 0', () => {
  test('ZO-01: of several reasons the first is told, also where the handshake stopped at a later one', () => {
    const codeOf = (code: 'CHAIN_INVALID' | 'SVID_EXPIRED' | 'TRUST_DOMAIN_MISMATCH', claimedId: string) =>
      decideIn({}, { peer: { refused: code, claimedId }, policyAgeMs: 25 * HOUR }).code
    expect(codeOf('CHAIN_INVALID', 'spiffe://evil.example/x')).toBe('UNKNOWN_TRUST_DOMAIN')
    expect(codeOf('SVID_EXPIRED', 'spiffe://prod.acme.example/a//b')).toBe('SVID_MALFORMED')
    expect(codeOf('TRUST_DOMAIN_MISMATCH', storefront.spiffeId)).toBe('TRUST_DOMAIN_MISMATCH')
    expect(decideIn({}, { peer: { ...storefront, notAfter: NOW }, policyAgeMs: 25 * HOUR }).code).toBe('SVID_EXPIRED')
  })

  test('ZO-01: what a refused peer claims stands in the record and is given no zone', () => {
    const peer = { refused: 'CHAIN_INVALID', claimedId: storefront.spiffeId } as const
    expect(decideIn({}, { peer }).src).toEqual({ id: storefront.spiffeId, zone: null })
  })

  test('ZO-01: a refused peer of which no claim can be read is told the reason of the handshake', () => {
    expect(decideIn({}, { peer: { refused: 'CHAIN_INVALID' } })).toMatchObject({
      code: 'CHAIN_INVALID',
      src: { id: null },
    })
  })

  test('ZO-04: who was believed until it expired is told by name', () => {
    expect(decideIn({}, { peer: { ...storefront, notAfter: NOW } }).src.id).toBe(storefront.spiffeId)
  })

  test('ZO-02: SE-41: a destination of target 3 or more goes stale after 5 minutes, whatever the settings say', () => {
    const stale = (policyAgeMs: number) =>
      verdictOf(decideIn(settled({ hardStaleMs: 24 * HOUR }), { ...toLedger, policyAgeMs }))
    expect(stale(5 * MINUTE - 1)).toBe('allow')
    expect(stale(5 * MINUTE)).toBe('deny identity POLICY_STALE')
  })

  test('ZO-02: its own limit replaces the 5 minutes', () => {
    const set = withZone('pay', { hardStaleMs: HOUR })
    expect(verdictOf(decideIn({ set }, { ...toLedger, policyAgeMs: HOUR - 1 }))).toBe('allow')
    expect(verdictOf(decideIn({ set }, { ...toLedger, policyAgeMs: HOUR }))).toBe('deny identity POLICY_STALE')
  })

  test('ZO-02: an age equal to the limit of the settings denies', () => {
    expect(verdictOf(decideIn(settled({ hardStaleMs: HOUR }), { policyAgeMs: HOUR - 1 }))).toBe('allow')
    expect(verdictOf(decideIn(settled({ hardStaleMs: HOUR }), { policyAgeMs: HOUR }))).toBe(
      'deny identity POLICY_STALE',
    )
  })

  test('ZO-02: keep keeps destinations of target 2 and less, and denies elsewhere', () => {
    const keep = settled({ onHardStale: 'keep' })
    expect(verdictOf(decideIn(keep, { policyAgeMs: 1000 * HOUR }))).toBe('allow')
    expect(verdictOf(decideIn(keep, { ...toLedger, policyAgeMs: HOUR }))).toBe('deny identity POLICY_STALE')
  })

  test('an age or a time that is no number denies', () => {
    expect(decideIn({}, { policyAgeMs: NaN }).code).toBe('POLICY_STALE')
    expect(decideIn({}, { peer: { ...storefront, notAfter: NaN } }).code).toBe('SVID_EXPIRED')
  })
})

describe('stage 1', () => {
  const quarantined = quarantineOf({ identity: storefront.spiffeId })

  test('ZO-03: quarantine, offboarding and revocation in this order, for source and destination', () => {
    const revokedSerials = [{ spiffeId: storefront.spiffeId, serialNumber: '4f910c' }]
    const offboarded = [idOf('/ns/shop/sa/orders')]
    const codeOf = (lifecycle: object) => verdictOf(decideIn({ lifecycle }, {}))
    expect(codeOf({ revokedSerials })).toBe('deny lifecycle SERIAL_REVOKED')
    expect(codeOf({ revokedSerials, offboarded })).toBe('deny lifecycle OFFBOARDED')
    expect(codeOf({ revokedSerials, offboarded, quarantines: [quarantined] })).toBe('deny lifecycle QUARANTINED')
  })

  test('ZO-03: another serial of the same identity goes on', () => {
    const revokedSerials = [{ spiffeId: storefront.spiffeId, serialNumber: '4f910d' }]
    expect(verdictOf(decideIn({ lifecycle: { revokedSerials } }, {}))).toBe('allow')
  })

  test('ZO-03: quarantine of a zone covers its members, also those that are in two zones', () => {
    const lifecycle = { quarantines: [quarantineOf({ zone: 'ops' })] }
    expect(verdictOf(decideIn({ lifecycle }, { from: '/ns/shop/sa/both' }))).toBe('deny lifecycle QUARANTINED')
    expect(verdictOf(decideIn({ lifecycle }, {}))).toBe('allow')
  })

  test('ZO-03: quarantine of a node covers every identity that was issued to it', () => {
    const target = { node: idOf('/spire/agent/n1'), identities: [storefront.spiffeId] }
    expect(verdictOf(decideIn({ lifecycle: { quarantines: [quarantineOf(target)] } }, {}))).toBe(
      'deny lifecycle QUARANTINED',
    )
  })

  test('ZO-03: a forensics conduit is the only one that opens, and only by itself', () => {
    const set = withMore({
      conduits: [conduit('inspect', 'ops', 'shop')],
      rules: [rule('inspect', [{ zone: 'ops' }], 'orders')],
    })
    const lifecycle = { quarantines: [quarantineOf({ identity: idOf('/ns/shop/sa/orders') }, ['inspect'])] }
    const inspected = decideIn({ set, lifecycle }, { from: '/ns/ops/sa/inspector' })
    expect([verdictOf(inspected), inspected.gates.movement.by?.id]).toEqual(['allow', 'inspect'])
    expect(verdictOf(decideIn({ set, lifecycle }, {}))).toBe('deny lifecycle QUARANTINED')
  })

  test('ZO-03: a forensics conduit must be named by every quarantine that applies', () => {
    const set = withMore({
      conduits: [conduit('inspect', 'ops', 'shop')],
      rules: [rule('inspect', [{ zone: 'ops' }], 'orders')],
    })
    const [source, destination] = [idOf('/ns/ops/sa/inspector'), idOf('/ns/shop/sa/orders')]
    const verdict = (ofSource: readonly string[], ofDestination: readonly string[]) => {
      const quarantines = [
        quarantineOf({ identity: source }, ofSource),
        { ...quarantineOf({ identity: destination }, ofDestination), id: 'q2' },
      ]
      return verdictOf(decideIn({ set, lifecycle: { quarantines } }, { from: source }))
    }
    expect(verdict(['inspect'], ['inspect'])).toBe('allow')
    expect(verdict(['inspect'], [])).toBe('deny lifecycle QUARANTINED')
    expect(verdict([], ['inspect'])).toBe('deny lifecycle QUARANTINED')
  })

  test('ZO-03: a quarantine changes by itself only with the conduits that it leaves open', () => {
    const ends = { valid: { from: undefined, until: NOW + MINUTE } }
    const set = withMore({ conduits: [conduit('inspect', 'edge', 'shop', ends)] })
    const expires = (forensics: readonly string[]) => {
      const quarantines = [quarantineOf({ identity: storefront.spiffeId }, forensics)]
      return decideIn({ set, lifecycle: { quarantines } }, {}).expires
    }
    expect([expires([]), expires(['inspect'])]).toEqual([NOW + HOUR, NOW + MINUTE])
  })

  test('ZO-03: in a quarantine with forensics there is no grant and no observe mode', () => {
    const quarantines = [quarantineOf({ identity: bastionGrant.subject }, ['inspect'])]
    const lifecycle = { quarantines, grants: [bastionGrant] }
    const bastion = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
    expect(verdictOf(decideIn({ lifecycle }, bastion))).toBe('deny lifecycle QUARANTINED')
    const open = withMore({
      conduits: [conduit('inspect', 'ops', 'data', { allow: [{ protocol: 'tcp', ports: [5432] }] })],
    })
    expect(verdictOf(decideIn({ set: open, lifecycle }, bastion))).toBe('deny access NO_RULE')
    const toErp = withMore({ conduits: [conduit('inspect', 'ops', 'legacy')] })
    expect(verdictOf(decideIn({ set: toErp, lifecycle }, { from: '/ns/ops/sa/bastion', to: 'erp' }))).toBe(
      'deny access NO_RULE',
    )
  })

  test('ZO-04: after a refusal in stage 0 or 1 no gate is evaluated, otherwise both are', () => {
    const results = (decision: ReturnType<typeof decideIn>) => Object.values(decision.gates).map(({ result }) => result)
    expect(results(decideIn({}, { policyAgeMs: 25 * HOUR }))).toEqual(['notEvaluated', 'notEvaluated'])
    expect(results(decideIn({ lifecycle: { quarantines: [quarantined] } }, {}))).toEqual([
      'notEvaluated',
      'notEvaluated',
    ])
    expect(results(decideIn({}, { from: '/ns/pay/sa/x', http: { target: '/V1' } }))).toEqual(['deny', 'deny'])
  })

  test('ZO-04: under observe the stage and code are those of the raw answer', () => {
    expect(decideIn({}, { to: 'erp' })).toMatchObject({ decision: 'allow', deniedBy: 'movement', code: 'NO_CONDUIT' })
  })
})
