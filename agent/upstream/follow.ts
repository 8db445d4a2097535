import type { Bundle } from '../../src/bundle/bundle.ts'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { bundleFromMessage } from '../../src/wire/bundle-message.ts'
import { entryFromMessage } from '../../src/wire/entry-message.ts'
import type { Transport } from '../../src/wire/client.ts'
import {
  syncService,
  type Ack,
  type AgentMessage,
  type Delta,
  type HeldPolicy,
  type PolicyAck,
  type ServerMessage,
  type Snapshot,
} from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { Changes } from './changes.ts'
import { HeartbeatReader, type VerifiedHeartbeat } from './heartbeats.ts'
import { PolicyReading, type PushedPolicy } from './policy-messages.ts'
import { Outbox } from './outbox.ts'

/** What the agent holds when a stream opens. */
export interface FollowOptions {
  readonly revision: number
  readonly digest: Buffer
  readonly epoch: string
  readonly agentVersion: string
  readonly nonce: Buffer
  readonly policy: HeldPolicy
  /** Nothing heard for so long: the server, or the way to it, is gone. */
  readonly staleAfterMs: number
}

export interface PushedSnapshot {
  readonly kind: 'snapshot'
  readonly revision: number
  readonly epoch: string
  readonly entries: readonly RegistrationEntry[]
  readonly bundles: readonly Bundle[]
  readonly digest: Buffer
}

export interface PushedDelta extends Changes {
  readonly kind: 'delta'
  readonly from: number
  readonly to: number
  readonly digest: Buffer
}

export type PushedState =
  | PushedSnapshot
  | PushedDelta
  | { readonly kind: 'policy'; readonly pushed: PushedPolicy }
  | ({ readonly kind: 'heartbeat' } & VerifiedHeartbeat)

/** An open push stream. */
export interface Follow {
  /** Ends only by throwing: `SERVER_UNREACHABLE` when nothing was heard for too long, or what the server said. */
  readonly states: AsyncGenerator<PushedState, void>
  /** Tells that everything up to this revision is saved and written to every workload stream that it concerned. */
  acknowledge(revision: number, digest: Buffer): void
  /** Tells the same of policy. */
  acknowledgePolicy(ack: PolicyAck): void
}

interface Deps {
  readonly transport: Transport
  readonly clock: Clock
  readonly cryptography: Cryptography
}

/** Opens the push stream: says what the agent holds, then yields what the server pushes. */
export function follow(options: FollowOptions, deps: Deps, signal: AbortSignal): Follow {
  const outbox = new Outbox<Sent<AgentMessage>>()
  const { revision, digest, epoch, agentVersion, nonce, policy } = options
  outbox.push({ hello: { revision, digest, epoch, agentVersion, nonce, policy } })
  // An acknowledgement of one half repeats what was last said of the other.
  let ack: Sent<Ack> = { revision, digest }
  const send = (changes: Sent<Ack>): void => outbox.push({ ack: (ack = { ...ack, ...changes }) })
  return {
    states: statesOf(outbox, options, deps, signal),
    acknowledge: (ackedRevision, ackedDigest) => send({ revision: ackedRevision, digest: ackedDigest }),
    acknowledgePolicy: (policyAck) => send({ policy: policyAck }),
  }
}

async function* statesOf(
  outbox: Outbox<Sent<AgentMessage>>,
  { staleAfterMs, nonce }: FollowOptions,
  { transport, clock, cryptography }: Deps,
  signal: AbortSignal,
): AsyncGenerator<PushedState, void> {
  const stale = new AbortController()
  const reading = new SnapshotReading()
  const policy = new PolicyReading()
  const heartbeats = new HeartbeatReader(cryptography, nonce)
  let watchdog: Disposable | undefined
  const feed = (): void => {
    watchdog?.[Symbol.dispose]()
    watchdog = clock.timer(staleAfterMs, () => stale.abort(silent(staleAfterMs)))
  }
  feed()
  try {
    const messages = transport.client(syncService).follow(outbox, { signal: AbortSignal.any([signal, stale.signal]) })
    for await (const message of messages) {
      feed()
      if (message.heartbeat) yield { kind: 'heartbeat', ...(await heartbeats.verify(message.heartbeat)) }
      else {
        const pushed = policy.read(message)
        if (pushed !== undefined) yield { kind: 'policy', pushed }
        yield* reading.read(message)
      }
    }
    throw new SallyportError('SERVER_UNREACHABLE', 'The server ended the push stream')
  } catch (error) {
    // The transport says "cancelled"; why it was is known here.
    throw stale.signal.aborted ? stale.signal.reason : error
  } finally {
    watchdog?.[Symbol.dispose]()
    outbox.end()
  }
}

const silent = (ms: number): SallyportError =>
  new SallyportError('SERVER_UNREACHABLE', `Nothing was heard from the server for ${ms / 1000} s`)

/** Puts the chunks of a snapshot together; a delta is whole by itself. */
class SnapshotReading {
  #chunks: Snapshot[] = []

  read({ snapshot, delta }: ServerMessage): readonly PushedState[] {
    if (delta) return [readDelta(delta)]
    if (!snapshot) return []
    const [first] = this.#chunks
    if (first !== undefined && first.revision !== snapshot.revision) this.#chunks = []
    this.#chunks.push(snapshot)
    if (!snapshot.last) return []
    const chunks = this.#chunks
    this.#chunks = []
    return [readSnapshot(chunks, snapshot)]
  }
}

function readSnapshot(chunks: readonly Snapshot[], { revision, epoch, digest }: Snapshot): PushedSnapshot {
  return {
    kind: 'snapshot',
    revision,
    epoch,
    entries: chunks.flatMap(({ entries }) => entries.map((entry) => entryFromMessage(entry))),
    bundles: chunks.flatMap(({ bundles }) => bundles.map((bundle) => bundleFromMessage(bundle))),
    digest,
  }
}

function readDelta(delta: Delta): PushedDelta {
  return {
    kind: 'delta',
    from: delta.from,
    to: delta.to,
    entries: delta.entries.map((entry) => entryFromMessage(entry)),
    removedEntryIds: delta.removedEntryIds,
    bundles: delta.bundles.map((bundle) => bundleFromMessage(bundle)),
    removedTrustDomains: delta.removedTrustDomains,
    digest: delta.digest,
  }
}
