import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { decodeCsr } from '../../src/x509/csr.ts'
import { ask } from '../ask.ts'
import { joinAgents, makeCsr } from '../light-agent.ts'
import { decoderOf, LightClient, prepare } from '../light-client.ts'
import { drive } from '../load.ts'
import { System } from '../system.ts'

const CSRS = 50
const CALLS = 4

await ask('X509-SVIDs: 50 CSRs a call, 4 calls in flight, mTLS', async ({ seconds, add }) => {
  await using system = await System.open()
  using admin = LightClient.overUnix(system.serverSocket)
  using anonymous = await LightClient.overTls(system.port)
  const [agent] = await joinAgents(admin, anonymous, 1)
  if (agent === undefined) throw new Error('No agent joined')
  const orders = Array.from({ length: CSRS }, (_, index) => ({
    spiffeId: `spiffe://example.org/service/${index}`,
    parentId: agent.agentId,
    selectors: [`unix:uid:${index}`],
  }))
  const ids = await system.register(orders)
  using client = await LightClient.overTls(system.port, agent)
  // Several sets of keys, so that no cache of the server can know them all from the last call.
  const calls = await Promise.all(
    Array.from({ length: 40 }, async () =>
      prepare(svidService, 'batchNewX509Svid', {
        params: await Promise.all(ids.map(async (entryId) => ({ entryId, csr: (await makeCsr()).csr }))),
      }),
    ),
  )
  const call = (index: number): Promise<Buffer> => client.call(calls[index % calls.length] as (typeof calls)[number])
  const { results } = decoderOf(svidService, 'batchNewX509Svid')(await call(0))
  if (results.some(({ status }) => status?.code !== 0)) throw new Error(`Not signed: ${results[0]?.status?.message}`)

  const before = await nodeItself(seconds / 3)
  const { cpuMicros, perSecond, p50Ms, p99Ms } = await drive({
    pid: system.serverPid,
    inFlight: CALLS,
    each: CSRS,
    seconds,
    operation: call,
  })
  const after = await nodeItself(seconds / 3)
  const itself = (before + after) / 2
  add(
    { name: 'server CPU each', value: cpuMicros, unit: 'µs', atMost: 220, scales: true, spire: '304 µs (275–414)' },
    { name: 'rate', value: perSecond, unit: '/s', atLeast: 7000, scales: true, spire: '5,100/s' },
    { name: 'Node itself: key import, verify, sign', value: itself, unit: 'µs' },
    { name: 'times what Node itself needs', value: cpuMicros / itself, unit: '×', atMost: 1.8 },
    { name: 'p50 of a call', value: p50Ms, unit: 'ms' },
    { name: 'p99 of a call', value: p99Ms, unit: 'ms' },
  )
})

/** Processor time of the part that no server can avoid, through the thread pool as the server does it, 50 at a time. */
async function nodeItself(seconds: number): Promise<number> {
  const requests = await Promise.all(
    Array.from({ length: CSRS }, async () => ({ ...decodeCsr((await makeCsr()).csr), ...(await makeCsr()) })),
  )
  const one = async ({ spki, info, signature, privateKey }: (typeof requests)[number]): Promise<void> => {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    if (!(await verified(key, info, signature))) throw new Error('A CSR is not signed with its key')
    await signed(privateKey, info)
  }
  const endMs = performance.now() + seconds * 1000
  const before = process.cpuUsage()
  let count = 0
  while (performance.now() < endMs) {
    await Promise.all(requests.map(one))
    count += requests.length
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

function verified(key: KeyObject, data: Buffer, signature: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify('sha256', data, { key, dsaEncoding: 'der' }, signature, (error, is) => (error ? reject(error) : resolve(is)))
  })
}

function signed(key: KeyObject, data: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign('sha256', data, { key, dsaEncoding: 'der' }, (error, made) => (error ? reject(error) : resolve(made)))
  })
}
