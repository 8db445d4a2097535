import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openGate } from '../../../server/policy/issuance-gate.ts'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { agentId, AuthorityWorld, orderOf, workload, workloadSpki } from './authority-world.ts'

const refusal = new SallyportError('ISSUANCE_REFUSED', 'in quarantine')

describe('the issuer asks the issuance gate', () => {
  let world: AuthorityWorld
  beforeAll(async () => {
    world = await AuthorityWorld.open()
  })
  afterEach(() => {
    world.gate = openGate
  })

  test('before a certificate: what the gate refuses is neither signed nor recorded, the rest of a batch is', async () => {
    world.gate = { ...openGate, refusal: (id) => (id.equals(workload) ? refusal : undefined) }
    const other = orderOf({ spiffeId: SpiffeId.of(workload.trustDomain, '/other') })
    const before = (await world.audit('x509-svid.issued')).length
    const [refused, issued] = await world.issuer.issueX509Svids([orderOf(), other])
    expect(refused).toBe(refusal)
    expect(issued).not.toBeInstanceOf(SallyportError)
    expect(await world.audit('x509-svid.issued')).toHaveLength(before + 1)
  })

  test('before a token, for the identity and for each audience', async () => {
    const order = { spiffeId: workload, audience: ['a'], agentId }
    world.gate = { ...openGate, refusal: () => refusal }
    await expect(world.issuer.issueJwtSvid(order)).rejects.toThrowCode('ISSUANCE_REFUSED')
    await expect(world.issuer.mintJwtSvid(order)).rejects.toThrowCode('ISSUANCE_REFUSED')
    world.gate = { ...openGate, audienceRefusal: (_id, audience) => (audience.includes('b') ? refusal : undefined) }
    await expect(world.issuer.issueJwtSvid({ ...order, audience: ['a', 'b'] })).rejects.toThrowCode('ISSUANCE_REFUSED')
    expect((await world.issuer.issueJwtSvid(order)).token).not.toBe('')
  })

  test('for the life: the shorter of what was asked and what the zone allows', async () => {
    world.gate = { ...openGate, x509TtlSeconds: () => 600 }
    const lifeOf = async (ttlSeconds: number): Promise<number> => {
      const [issued] = await world.issuer.issueX509Svids([orderOf({ ttlSeconds })])
      if (issued === undefined || issued instanceof SallyportError) throw issued
      return (issued.expiresAt.getTime() - world.clock.now().getTime()) / 1000
    }
    expect([await lifeOf(0), await lifeOf(60), await lifeOf(3000)]).toEqual([600, 60, 600])
  })

  test('agents and the server itself pass: else nobody would hear of a quarantine', async () => {
    world.gate = { ...openGate, refusal: () => refusal, x509TtlSeconds: () => 1 }
    const { expiresAt } = await world.issuer.issueAgentSvid(orderOf({ spiffeId: agentId }))
    expect(expiresAt.getTime() - world.clock.now().getTime()).toBe(3_600_000)
    await world.issuer.issueServerSvid(workloadSpki)
  })

  test('a nested server gets no authority while whoever asks for it is in quarantine', async () => {
    world.gate = { ...openGate, refusal: (id) => (id.equals(workload) ? refusal : undefined) }
    const order = { spki: workloadSpki, callerId: workload }
    await expect(world.issuer.issueDownstreamCa(order)).rejects.toThrowCode('ISSUANCE_REFUSED')
    world.gate = openGate
    await world.issuer.issueDownstreamCa(order)
  })
})
