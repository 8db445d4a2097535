import { setTimeout as pause } from 'node:timers/promises'
import { spiffeWorkloadApiService } from '../../src/wire/messages/spiffe-workload.ts'
import { ask } from '../ask.ts'
import { anonymousBytesOf } from '../cost.ts'
import { entryMessage, ownSelector } from '../entries.ts'
import { LightClient, prepare } from '../light-client.ts'
import { inParallel, percentiles } from '../load.ts'
import { WORKLOAD_HEADERS } from '../propagation.ts'
import { NODE_ID, System } from '../system.ts'

const STREAMS = 500
const REST_MS = 15_000

await ask('500 open workload streams, each on its own connection', async ({ isQuick, add }) => {
  await using system = await System.open({ agent: true })
  const order = { spiffeId: 'spiffe://example.org/a', parentId: NODE_ID, selectors: [ownSelector] }
  const [id = ''] = await system.register([order])
  const fetch = prepare(spiffeWorkloadApiService, 'fetchX509Svid', {})
  const arrivals: number[] = []
  const open = async (count: number): Promise<LightClient[]> =>
    inParallel(Array.from({ length: count }), 8, async () => {
      const client = LightClient.overUnix(system.agentSocket, WORKLOAD_HEADERS)
      await client.first(fetch, () => arrivals.push(performance.now()))
      return client
    })
  // Compiled code and the heap that it needs grow with the first ones only, so the second half tells what a stream takes.
  const clients = await open(STREAMS)
  // At rest: a quiet agent collects its garbage. Pages of the program come and go for other reasons.
  await pause(REST_MS)
  const before = anonymousBytesOf(system.agentPid)
  const others = await open(STREAMS)
  await pause(REST_MS)
  const each = (anonymousBytesOf(system.agentPid) - before) / STREAMS / 1024
  for (const other of others) other[Symbol.dispose]()
  await pause(500)

  const spans: number[] = []
  const ends: number[] = []
  for (let round = 0; round < (isQuick ? 5 : 15); round++) {
    arrivals.length = 0
    const startMs = performance.now()
    await system.entries.batchUpdateEntry({
      entries: [{ id, ...entryMessage({ ...order, dnsNames: [`round-${round}.internal`] }) }],
      inputMask: { dnsNames: true },
    })
    while (arrivals.length < STREAMS) await pause(5)
    await pause(50)
    const sorted = arrivals.toSorted((a, b) => a - b)
    spans.push((sorted[STREAMS - 1] ?? NaN) - (sorted[0] ?? NaN))
    ends.push((sorted[STREAMS - 1] ?? NaN) - startMs)
  }
  for (const client of clients) client[Symbol.dispose]()
  add(
    { name: 'memory of a stream with its connection', value: each, unit: 'KiB', atMost: 40, spire: '52 KiB' },
    {
      name: 'a change: first to last',
      value: percentiles(spans).p50Ms,
      unit: 'ms',
      atMost: 30,
      scales: true,
      spire: '26 ms (14–88)',
    },
    { name: 'a change: from the call to the last', value: percentiles(ends).p50Ms, unit: 'ms' },
  )
})
