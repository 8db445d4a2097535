import { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { ask } from '../ask.ts'
import { joinAgents } from '../light-agent.ts'
import { LightClient, prepare } from '../light-client.ts'
import { drive } from '../load.ts'
import { System } from '../system.ts'

await ask('JWT-SVIDs: 16 calls in flight, mTLS', async ({ seconds, add }) => {
  await using system = await System.open()
  using admin = LightClient.overUnix(system.serverSocket)
  using anonymous = await LightClient.overTls(system.port)
  const [agent] = await joinAgents(admin, anonymous, 1)
  if (agent === undefined) throw new Error('No agent joined')
  const order = { spiffeId: 'spiffe://example.org/a', parentId: agent.agentId, selectors: ['unix:uid:1'] }
  const [entryId = ''] = await system.register([order])
  using client = await LightClient.overTls(system.port, agent)
  const calls = Array.from({ length: 500 }, (_, index) =>
    prepare(svidService, 'newJwtSvid', { entryId, audience: [`service-${index}`] }),
  )
  const { cpuMicros, perSecond, p50Ms, p99Ms } = await drive({
    pid: system.serverPid,
    inFlight: 16,
    seconds,
    operation: (index) => client.call(calls[index % calls.length] as (typeof calls)[number]),
  })
  add(
    { name: 'server CPU each', value: cpuMicros, unit: 'µs', atMost: 220, scales: true, spire: '458 µs (373–629)' },
    { name: 'rate', value: perSecond, unit: '/s', atLeast: 5000, scales: true, spire: '3,000/s' },
    { name: 'p50', value: p50Ms, unit: 'ms' },
    { name: 'p99', value: p99Ms, unit: 'ms' },
  )
})
