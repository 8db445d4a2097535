import { encodeFrame } from '../src/wire/frames.ts'
import { syncService } from '../src/wire/messages/sallyport-sync-v1.ts'
import { codecOf } from '../src/wire/codec.ts'
import { joinAgents, type LightAgent } from './light-agent.ts'
import { decoderOf, LightClient, prepare } from './light-client.ts'
import { inParallel } from './load.ts'

/*
 * A process that plays many agents: each has joined, holds its push stream on a connection of its own and acknowledges what
 * it is told. `crowd.ts` starts it and tells it what to do.
 */
export type CrowdOrder =
  | { readonly kind: 'join'; readonly count: number; readonly port: number; readonly serverSocket: string }
  | { readonly kind: 'follow' }
export type CrowdNews =
  | { readonly kind: 'joined'; readonly agentIds: readonly string[] }
  | { readonly kind: 'following' }
  | { readonly kind: 'ended' }

const decode = decoderOf(syncService, 'follow')
const { encodeRequest } = codecOf(syncService, 'Follow')
let agents: readonly LightAgent[] = []
let port = 0

process.on('message', (order: CrowdOrder) => {
  const work = order.kind === 'join' ? join(order) : followAll()
  work.catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))

const tell = (news: CrowdNews): void => void process.send?.(news)

async function join(order: Extract<CrowdOrder, { kind: 'join' }>): Promise<void> {
  ;({ port } = order)
  using admin = LightClient.overUnix(order.serverSocket)
  using server = await LightClient.overTls(port)
  agents = await joinAgents(admin, server, order.count)
  tell({ kind: 'joined', agentIds: agents.map(({ agentId }) => agentId) })
}

async function followAll(): Promise<void> {
  await inParallel(agents, 16, follow)
  tell({ kind: 'following' })
}

/** Resolves when the agent has been told everything. */
async function follow(agent: LightAgent): Promise<void> {
  const client = await LightClient.overTls(port, agent)
  const { promise, resolve } = Promise.withResolvers<void>()
  const hello = { revision: 0, digest: Buffer.alloc(0), epoch: '', agentVersion: 'bench', nonce: Buffer.alloc(32) }
  const stream = client.stream(
    prepare(syncService, 'follow', { hello }),
    (bytes) => {
      const { snapshot, delta } = decode(bytes)
      if (delta) acknowledge(delta.to, delta.digest)
      if (!snapshot?.last) return
      acknowledge(snapshot.revision, snapshot.digest)
      resolve()
    },
    true,
  )
  const acknowledge = (revision: number, digest: Buffer): void => {
    stream.write(encodeFrame(encodeRequest({ ack: { revision, digest } })))
  }
  stream.on('close', () => tell({ kind: 'ended' }))
  await promise
}
