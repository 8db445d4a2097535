import { setTimeout as sleep } from 'node:timers/promises'
import { House } from '../../test/e2e/house.ts'
import { Soak } from '../../test/soak/soak.ts'
import { ask } from '../ask.ts'
import { rssBytesOf } from '../cost.ts'
import { Trend } from '../trend.ts'

/** Authorities that live a minute are replaced every half of one. */
const serverYaml = 'ca: {ttl: 60s}\nsvid: {x509Ttl: 10s, jwtTtl: 10s, agentTtl: 20s}'
const REQUESTS_PER_SECOND = 200
/** Each look collects garbage, so that growth is growth. */
const LOOK_MS = 10_000

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)

await ask(
  'two services on a real system: SVIDs of 10 s, authorities replaced all the while, 200 requests/s over HTTP/1.1, fetch, HTTP/2, gRPC and new connections',
  async ({ isQuick, add }) => {
    const seconds = isQuick ? 60 : 360
    await using house = await House.open({ serverYaml })
    await using soak = await Soak.start(house, { requestsPerSecond: REQUESTS_PER_SECOND, svidTtl: '10s' })
    const memory = (['service', 'client'] as const).map((side) => ({ side, heap: new Trend(), rss: new Trend() }))
    const endMs = performance.now() + seconds * 1_000
    while (performance.now() < endMs) {
      await sleep(LOOK_MS)
      const now = await soak.look()
      for (const { side, heap, rss } of memory) {
        heap.add(now[side].heapMb)
        rss.add(rssBytesOf(soak[side].child.pid!) / 2 ** 20)
      }
    }
    const { client, service } = await soak.look()
    for (const [what, count] of Object.entries({ ...client.failed, ...service.refused }))
      console.log(`${count} × ${what}`)
    const { opened, refused } = service
    add(
      { name: 'failed requests', value: sum(client.failed), unit: `of ${client.sent.toLocaleString('en')}`, atMost: 0 },
      { name: '… answered', value: client.answered / seconds, unit: '/s' },
      { name: '… latency p99', value: client.p99Ms, unit: 'ms' },
      { name: 'failed handshakes', value: sum(refused), unit: `of ${opened.toLocaleString('en')}`, atMost: 0 },
      { name: 'authorities replaced', value: service.issuers - 1, unit: '', atLeast: isQuick ? 1 : 5 },
      { name: 'connections that the service had to end', value: service.expired, unit: '' },
    )
    const bar = (atMost: number): { readonly atMost?: number } => (isQuick ? {} : { atMost })
    for (const { side, heap, rss } of memory) {
      console.log(`RSS of the ${side} in MB: ${rss.toString()}\nheap: ${heap.toString()}`)
      add(
        { name: `memory of the ${side}: RSS`, value: rss.last, unit: 'MB' },
        { name: '… slope of the second half', value: rss.perMinute, unit: 'MB a minute' },
        { name: '… peak of the last third over the middle one', value: rss.growth, unit: 'MB', ...bar(5) },
        { name: '… the same of the heap', value: heap.growth, unit: 'MB', ...bar(1) },
      )
    }
  },
  { needsPackage: false },
)
