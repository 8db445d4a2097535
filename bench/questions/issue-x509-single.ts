import { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { ask } from '../ask.ts'
import { joinAgents, makeCsr } from '../light-agent.ts'
import { LightClient, prepare } from '../light-client.ts'
import { drive } from '../load.ts'
import { System } from '../system.ts'

await ask('X509-SVIDs: one CSR per call, mTLS', async ({ seconds, add }) => {
  await using system = await System.open()
  using admin = LightClient.overUnix(system.serverSocket)
  using anonymous = await LightClient.overTls(system.port)
  const [agent] = await joinAgents(admin, anonymous, 1)
  if (agent === undefined) throw new Error('No agent joined')
  const order = { spiffeId: 'spiffe://example.org/a', parentId: agent.agentId, selectors: ['unix:uid:1'] }
  const [entryId = ''] = await system.register([order])
  using client = await LightClient.overTls(system.port, agent)
  const calls = await Promise.all(
    Array.from({ length: 2000 }, async () =>
      prepare(svidService, 'batchNewX509Svid', { params: [{ entryId, csr: (await makeCsr()).csr }] }),
    ),
  )
  const load = {
    pid: system.serverPid,
    seconds,
    operation: (index: number) => client.call(calls[index % calls.length] as (typeof calls)[number]),
  }
  const many = await drive({ ...load, inFlight: 16 })
  const one = await drive({ ...load, inFlight: 1 })
  add(
    {
      name: '16 in flight: server CPU',
      value: many.cpuMicros,
      unit: 'µs',
      atMost: 400,
      scales: true,
      spire: '636 µs (520–801)',
    },
    { name: '16 in flight: rate', value: many.perSecond, unit: '/s' },
    { name: '16 in flight: p99', value: many.p99Ms, unit: 'ms' },
    { name: '1 in flight: p50', value: one.p50Ms, unit: 'ms', atMost: 1.1, scales: true, spire: '0.96 ms' },
    { name: '1 in flight: p99', value: one.p99Ms, unit: 'ms' },
    { name: '1 in flight: server CPU', value: one.cpuMicros, unit: 'µs', spire: '1,040 µs' },
  )
})
