import { entryService } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import { ask } from '../ask.ts'
import { entryMessage, fleetEntry } from '../entries.ts'
import { decoderOf, LightClient, prepare } from '../light-client.ts'
import { drive, percentiles } from '../load.ts'
import { System } from '../system.ts'

const BATCH = 50
const LISTED = 10_000

await ask('Entries through the API, durable', async ({ isQuick, seconds, add }) => {
  await using system = await System.open()
  using admin = LightClient.overUnix(system.serverSocket)
  const calls = Array.from({ length: isQuick ? 1200 : 2600 }, (_, batch) =>
    prepare(entryService, 'batchCreateEntry', {
      entries: Array.from({ length: BATCH }, (_, index) => entryMessage(fleetEntry(batch * BATCH + index))),
      outputMask: null,
    }),
  )
  const decode = decoderOf(entryService, 'batchCreateEntry')
  const created = await drive({
    pid: system.serverPid,
    inFlight: 4,
    each: BATCH,
    seconds: Math.min(seconds, 4),
    warmUpSeconds: 1,
    operation: async (index) => {
      const call = calls[index]
      if (call === undefined) throw new Error('There were not enough entries')
      const { results } = decode(await admin.call(call))
      if (results.some(({ status }) => status?.code !== 0)) throw new Error('An entry was refused')
    },
  })
  const times: number[] = []
  for (let round = 0; round < 7; round++) {
    const startMs = performance.now()
    let [count, pageToken] = [0, '']
    do {
      const page = await system.entries.listEntries({ pageSize: 1000, pageToken })
      count += page.entries.length
      pageToken = page.nextPageToken
    } while (pageToken !== '' && count < LISTED)
    if (count !== LISTED) throw new Error(`Listed ${count}`)
    times.push(performance.now() - startMs)
  }
  add(
    {
      name: 'created in batches of 50, 4 in flight',
      value: created.perSecond,
      unit: '/s',
      atLeast: 10_000,
      spire: '910/s',
    },
    { name: 'server CPU of one', value: created.cpuMicros, unit: 'µs' },
    {
      name: '10,000 listed in pages of 1,000',
      value: percentiles(times).p50Ms / 1000,
      unit: 's',
      atMost: 0.15,
      spire: '0.30 s',
    },
  )
})
