import { describe, type ExpectStatic, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { outages } from './outages.ts'
import { Soak } from './soak.ts'

// The short version of `npm run bench -- soak`.

const REQUESTS_PER_SECOND = 40

/** Nothing has failed or was refused, in any of the ways to ask, and what was sent was answered, up to what is on its way. */
async function expectHealth(soak: Soak, expect: ExpectStatic): Promise<void> {
  const unanswered = async (): Promise<number> => {
    const { sent, answered } = (await soak.look()).client
    return sent - answered
  }
  // An SVID's life, even where the machine was so slow to start that everything has happened already.
  await expect.poll(async () => (await soak.look()).client.handshakes, { timeout: 30_000 }).toBeGreaterThan(64)
  await expect.poll(unanswered, { timeout: 15_000 }).toBeLessThan(REQUESTS_PER_SECOND)
  const { client, service } = await soak.look()
  expect({ failed: client.failed, refused: service.refused }).toEqual({ failed: {}, refused: {} })
}

describe.concurrent('a service that calls another one all the while, in every way that there is', () => {
  test('FS-09 has no request fail when SVIDs end and the authority is replaced', async ({ expect }) => {
    const serverYaml = 'ca: {ttl: 24s}\nsvid: {x509Ttl: 8s, jwtTtl: 8s, agentTtl: 8s}'
    await using house = await House.open({ serverYaml })
    await using soak = await Soak.start(house, { requestsPerSecond: REQUESTS_PER_SECOND, svidTtl: '8s' })
    await expect.poll(async () => (await soak.look()).service.issuers, { timeout: 40_000 }).toBeGreaterThan(1)
    await expectHealth(soak, expect)
  }, 90_000)

  test('has none fail when agent and server are away, and hears of their return', async ({ expect }) => {
    await using house = await House.open()
    await using soak = await Soak.start(house, { requestsPerSecond: REQUESTS_PER_SECOND, svidTtl: '40s' })
    for (const happen of Object.values(outages)) await happen(house, 500)
    await expect.poll(async () => (await soak.look()).client.health, { timeout: 30_000 }).toBe('current')
    await expectHealth(soak, expect)
  }, 90_000)
})
