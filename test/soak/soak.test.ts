import { expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { outages } from './outages.ts'
import { Soak } from './soak.ts'

// The short version of `npm run bench -- soak`.

test('FS-09 WA-48 no request of a service fails while agent and server come and go and the authority is replaced', async () => {
  await using house = await House.open({
    serverYaml: 'ca: {ttl: 30s}\nsvid: {x509Ttl: 10s, jwtTtl: 10s, agentTtl: 10s}',
  })
  await using soak = await Soak.start(house, { requestsPerSecond: 50, svidTtl: '10s' })
  for (const happen of Object.values(outages)) await happen(house, 500)
  await expect.poll(async () => (await soak.look()).service.issuers, { timeout: 40_000 }).toBeGreaterThan(1)
  const { client, service, failures } = await soak.look()
  expect({ failed: client.failed, refused: service.refused, health: client.health }).toEqual({
    failed: {},
    refused: {},
    health: 'current',
  })
  expect(failures).toBe(0)
  // All ways were in use, and what was sent was answered, up to what is on its way.
  expect(client.answered).toBeGreaterThan(client.sent - 50)
  expect(client.handshakes).toBeGreaterThan(50)
}, 90_000)
