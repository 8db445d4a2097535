import { setTimeout as pause } from 'node:timers/promises'
import { spiffeWorkloadApiService, type X509SvidResponse } from '../src/wire/messages/spiffe-workload.ts'
import { entryMessage, ownSelector, type EntryOrder } from './entries.ts'
import { decoderOf, LightClient, prepare } from './light-client.ts'
import { percentiles } from './load.ts'
import { NODE_ID, type System } from './system.ts'

type Percentiles = ReturnType<typeof percentiles>

/** What a Workload API client sends with every call. */
export const WORKLOAD_HEADERS = { 'workload.spiffe.io': 'true' }

/**
 * Registers, changes and removes entries of this very process, and takes the time from the beginning of the call to the
 * message on the stream that shows it: with a new SVID, or without the old one.
 */
export async function measurePropagation(
  system: System,
  rounds: number,
): Promise<{ readonly created: Percentiles; readonly updated: Percentiles; readonly deleted: Percentiles }> {
  await system.register([order('always')])
  using client = LightClient.overUnix(system.agentSocket, WORKLOAD_HEADERS)
  const watch = new Watch()
  const decode = decoderOf(spiffeWorkloadApiService, 'fetchX509Svid')
  const hear = (bytes: Buffer): void => watch.hear(decode(bytes))
  hear(await client.first(prepare(spiffeWorkloadApiService, 'fetchX509Svid', {}), hear))

  const [created, updated, deleted]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    const name = `round-${round}`
    let id = ''
    const certificate = (): string | undefined => watch.svids.get(`spiffe://example.org/${name}`)
    created.push(
      await watch.timeUntil(
        async () => {
          id = (await system.register([order(name)]))[0] ?? ''
        },
        () => certificate() !== undefined,
      ),
    )
    const first = certificate()
    updated.push(
      await watch.timeUntil(
        () =>
          system.entries.batchUpdateEntry({
            entries: [{ id, ...entryMessage({ ...order(name), dnsNames: ['changed.internal'] }) }],
            inputMask: { dnsNames: true },
          }),
        () => certificate() !== first,
      ),
    )
    deleted.push(
      await watch.timeUntil(
        () => system.entries.batchDeleteEntry({ ids: [id] }),
        () => certificate() === undefined,
      ),
    )
    await pause(5 + ((round * 7) % 20))
  }
  // The first rounds compile the code; they count in neither.
  const warm = Math.floor(rounds / 10)
  return {
    created: percentiles(created.slice(warm)),
    updated: percentiles(updated.slice(warm)),
    deleted: percentiles(deleted.slice(warm)),
  }
}

const order = (name: string): EntryOrder => ({
  spiffeId: `spiffe://example.org/${name}`,
  parentId: NODE_ID,
  selectors: [ownSelector],
})

/** The SVIDs that the stream showed last, and somebody who waits for them to change. */
class Watch {
  svids: ReadonlyMap<string, string> = new Map()
  #heard: () => void = () => undefined

  hear({ svids }: X509SvidResponse): void {
    this.svids = new Map(svids.map(({ spiffeId, x509Svid }) => [spiffeId, x509Svid.toString('latin1')]))
    this.#heard()
  }

  async timeUntil(change: () => Promise<unknown>, isSeen: () => boolean): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const startMs = performance.now()
    const timeout = setTimeout(() => reject(new Error('A change did not arrive within 20 s')), 20_000)
    this.#heard = () => {
      if (isSeen()) resolve(performance.now() - startMs)
    }
    try {
      const [elapsedMs] = await Promise.all([promise, change()])
      return elapsedMs
    } finally {
      clearTimeout(timeout)
    }
  }
}
