import { setTimeout as pause } from 'node:timers/promises'
import { spiffeWorkloadApiService } from '../../src/wire/messages/spiffe-workload.ts'
import { ask } from '../ask.ts'
import { anonymousBytesOf, rssBytesOf } from '../cost.ts'
import { ownSelector } from '../entries.ts'
import { LightClient, prepare } from '../light-client.ts'
import { WORKLOAD_HEADERS } from '../propagation.ts'
import { NODE_ID, System } from '../system.ts'

await ask('Memory of a server and an agent that serve one workload', async ({ isQuick, add }) => {
  await using system = await System.open({ agent: true })
  await system.register([{ spiffeId: 'spiffe://example.org/a', parentId: NODE_ID, selectors: [ownSelector] }])
  using client = LightClient.overUnix(system.agentSocket, WORKLOAD_HEADERS)
  await client.first(prepare(spiffeWorkloadApiService, 'fetchX509Svid', {}))
  // Long enough for memory to be given back, and for what is needed at rest to be touched again.
  await pause(isQuick ? 8000 : 20_000)
  add(
    { name: 'server', value: rssBytesOf(system.serverPid) / 1e6, unit: 'MB', atMost: 100, spire: '95 MB' },
    { name: 'server, without pages of files', value: anonymousBytesOf(system.serverPid) / 1e6, unit: 'MB' },
    { name: 'agent', value: rssBytesOf(system.agentPid) / 1e6, unit: 'MB', atMost: 80, spire: '67 MB' },
    { name: 'agent, without pages of files', value: anonymousBytesOf(system.agentPid) / 1e6, unit: 'MB' },
  )
})
