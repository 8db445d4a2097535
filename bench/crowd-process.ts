import { encodeFrame } from '../src/wire/frames.ts'
import {
  syncService,
  type Ack,
  type FastLane,
  type PolicyAck,
  type PolicyDelta,
} from '../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../src/wire/service.ts'
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

/** It takes whatever it is told of policy: it verifies nothing, and says that it holds what it was sent. */
const HELD_NOTHING = { epoch: 0, revision: 0, slices: [], fastLaneSequence: 0, keysVersion: 0, keyIds: [] }

/** Resolves when the agent has been told everything. */
async function follow(agent: LightAgent): Promise<void> {
  const client = await LightClient.overTls(port, agent)
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = { revision: 0, digest: Buffer.alloc(0), epoch: '', agentVersion: 'bench' }
  const hello = { ...held, nonce: Buffer.alloc(32), policy: HELD_NOTHING }
  let ack: Sent<Ack> = { revision: 0, digest: Buffer.alloc(0) }
  let policy: Sent<PolicyAck> = {
    epoch: 0,
    revision: 0,
    fastLaneSequence: 0,
    digest: Buffer.alloc(0),
    keysVersion: 0,
    refused: '',
  }
  const acknowledge = (): void => {
    stream.write(encodeFrame(encodeRequest({ ack: { ...ack, policy } })))
  }
  const stream = client.stream(
    prepare(syncService, 'follow', { hello }),
    (bytes) => {
      const { snapshot, delta, policySnapshot, policyDelta, fastLane } = decode(bytes)
      if (delta) ack = { revision: delta.to, digest: delta.digest }
      else if (snapshot?.last) ack = { revision: snapshot.revision, digest: snapshot.digest }
      else if (policySnapshot?.last) policy = { ...policy, ...taken(policySnapshot) }
      else if (policyDelta) policy = { ...policy, ...taken(policyDelta) }
      else if (fastLane) policy = { ...policy, ...heard(fastLane) }
      else return
      acknowledge()
      if (snapshot) resolve()
    },
    true,
  )
  stream.on('close', () => tell({ kind: 'ended' }))
  await promise
}

const taken = ({ epoch, revision, digest }: Pick<PolicyDelta, 'epoch' | 'revision' | 'digest'>) => ({
  epoch,
  revision,
  digest,
})

const heard = ({ entries, snapshot, keys }: FastLane) => {
  const last = entries.at(-1) ?? snapshot
  return {
    ...(last == null
      ? {}
      : { fastLaneSequence: (JSON.parse(last.content.toString()) as { sequence: number }).sequence }),
    ...(keys === null ? {} : { keysVersion: (JSON.parse(keys.content.toString()) as { version: number }).version }),
  }
}
