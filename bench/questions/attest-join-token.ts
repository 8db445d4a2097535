import { ask } from '../ask.ts'
import { attestation, makeCsr, makeTokens } from '../light-agent.ts'
import { LightClient } from '../light-client.ts'
import { drive, inParallel } from '../load.ts'
import { System } from '../system.ts'

await ask('Join-token attestation: 8 in flight', async ({ isQuick, seconds, add }) => {
  await using system = await System.open()
  using admin = LightClient.overUnix(system.serverSocket)
  using anonymous = await LightClient.overTls(system.port)
  // A token serves once, so there must be enough for the fastest server.
  const tokens = await makeTokens(admin, isQuick ? 6000 : 14_000)
  const calls = await inParallel(tokens, 16, async (token) => attestation(token, (await makeCsr()).csr))
  const { cpuMicros, perSecond, p50Ms, p99Ms } = await drive({
    pid: system.serverPid,
    inFlight: 8,
    seconds: Math.min(seconds, 4),
    operation: (index) => {
      const call = calls[index]
      if (call === undefined) throw new Error('There were not enough tokens')
      return anonymous.call(call)
    },
  })
  add(
    { name: 'server CPU each', value: cpuMicros / 1000, unit: 'ms', atMost: 1.3, scales: true, spire: '1.97 ms' },
    { name: 'rate', value: perSecond, unit: '/s', atLeast: 700, scales: true, spire: '480/s' },
    { name: 'p50', value: p50Ms, unit: 'ms' },
    { name: 'p99', value: p99Ms, unit: 'ms' },
  )
})
