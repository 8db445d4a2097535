import { spiffeWorkloadApiService } from '../../src/wire/messages/spiffe-workload.ts'
import { ask } from '../ask.ts'
import { ownSelector } from '../entries.ts'
import { LightClient, prepare } from '../light-client.ts'
import { drive } from '../load.ts'
import { WORKLOAD_HEADERS } from '../propagation.ts'
import { NODE_ID, System } from '../system.ts'

const CLIENTS = 8

await ask('Workload API: JWT-SVIDs, 8 clients', async ({ isQuick, seconds, add }) => {
  await using system = await System.open({ agent: true })
  await system.register([{ spiffeId: 'spiffe://example.org/a', parentId: NODE_ID, selectors: [ownSelector] }])
  const clients = Array.from({ length: CLIENTS }, () => LightClient.overUnix(system.agentSocket, WORKLOAD_HEADERS))
  const clientAt = (index: number): LightClient => clients[index % CLIENTS] as LightClient
  const asking = (audience: string) => prepare(spiffeWorkloadApiService, 'fetchJwtSvid', { audience: [audience] })
  const same = asking('orders')
  const load = { pid: system.agentPid, inFlight: CLIENTS, seconds }
  const cached = await drive({ ...load, operation: (index) => clientAt(index).call(same) })
  const others = Array.from({ length: isQuick ? 12_000 : 30_000 }, (_, index) => asking(`audience-${index}`))
  const fresh = await drive({
    ...load,
    operation: (index) => {
      const call = others[index]
      if (call === undefined) throw new Error('There were not enough audiences')
      return clientAt(index).call(call)
    },
  })
  add(
    {
      name: 'from the cache: agent CPU',
      value: cached.cpuMicros,
      unit: 'µs',
      atMost: 250,
      scales: true,
      spire: '405 µs',
    },
    { name: 'from the cache: p50', value: cached.p50Ms, unit: 'ms' },
    { name: 'new audience: agent CPU', value: fresh.cpuMicros, unit: 'µs', atMost: 500, scales: true, spire: '709 µs' },
    { name: 'new audience: p50', value: fresh.p50Ms, unit: 'ms' },
  )
})
