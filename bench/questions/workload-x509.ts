import { spiffeWorkloadApiService } from '../../src/wire/messages/spiffe-workload.ts'
import { ask } from '../ask.ts'
import { ownSelector } from '../entries.ts'
import { LightClient, prepare } from '../light-client.ts'
import { drive } from '../load.ts'
import { WORKLOAD_HEADERS } from '../propagation.ts'
import { NODE_ID, System } from '../system.ts'

const CLIENTS = 8
const CALLS_PER_CONNECTION = 400

await ask('Workload API: the first X509-SVID, 8 clients', async ({ seconds, add }) => {
  await using system = await System.open({ agent: true })
  await system.register([{ spiffeId: 'spiffe://example.org/a', parentId: NODE_ID, selectors: [ownSelector] }])
  const fetch = prepare(spiffeWorkloadApiService, 'fetchX509Svid', {})
  const connect = (): LightClient => LightClient.overUnix(system.agentSocket, WORKLOAD_HEADERS)
  const load = { pid: system.agentPid, inFlight: CLIENTS, seconds }
  const connecting = await drive({
    ...load,
    operation: async () => {
      using client = connect()
      await client.first(fetch)
    },
  })
  const clients = Array.from({ length: CLIENTS }, connect)
  const open = await drive({
    ...load,
    operation: async (index) => {
      const slot = index % CLIENTS
      // A connection that cancels calls by the thousand is ended by HTTP/2 as an attack.
      if (index % (CALLS_PER_CONNECTION * CLIENTS) < CLIENTS) {
        clients[slot]?.finish()
        clients[slot] = connect()
      }
      await clients[slot]?.firstOnly(fetch)
    },
  })
  add(
    {
      name: 'new connection: agent CPU',
      value: connecting.cpuMicros,
      unit: 'µs',
      atMost: 450,
      scales: true,
      spire: '648 µs',
    },
    { name: 'new connection: p50', value: connecting.p50Ms, unit: 'ms', atMost: 4, scales: true },
    { name: 'new connection: p99', value: connecting.p99Ms, unit: 'ms' },
    {
      name: 'open connection: agent CPU',
      value: open.cpuMicros,
      unit: 'µs',
      atMost: 250,
      scales: true,
      spire: '432 µs',
    },
    { name: 'open connection: p50', value: open.p50Ms, unit: 'ms' },
  )
})
