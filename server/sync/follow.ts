import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import {
  syncService,
  type AgentMessage,
  type Hello,
  type ServerMessage,
} from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { AgentCaller } from '../access/caller.ts'
import { Follower } from './follower.ts'
import type { Followers } from './followers.ts'
import { reportDecisions } from './report-decisions.ts'
import type { SyncDeps } from './sync-deps.ts'

/** An agent that opens a stream says what it holds within this time. */
const HELLO_TIMEOUT_MS = 10_000
/** The longest version that an agent may tell, in characters. */
const VERSION_MAX_LENGTH = 255
const NONCE_MAX_BYTES = 64

/** An agent that missed more gets a snapshot of its own view, which costs less than so much of everybody's log. */
export const RESUME_MAX_REVISIONS = 4_096

/** The push stream as a service. */
export function syncImplementation(deps: SyncDeps, followers: Followers): Implementation {
  const reporting = new Set<string>()
  return implement(syncService, {
    follow: (requests, call) => follow(deps, followers, requests, call),
    reportDecisions: async (batch, call) => {
      const caller = deps.callerOf(call)
      if (caller.kind !== 'agent') throw new TypeError('only agents report decisions')
      const agentId = caller.spiffeId.toString()
      // They come one after the other; more at once would be in the way of those of other agents.
      if (reporting.has(agentId)) throw stillStoring(agentId)
      reporting.add(agentId)
      try {
        return await reportDecisions(batch, agentId, deps)
      } finally {
        reporting.delete(agentId)
      }
    },
  })
}

const stillStoring = (agentId: string): SallyportError =>
  new SallyportError('LIMIT_REACHED', `Cannot take decisions of ${agentId}: others of this agent are being stored`)

async function* follow(
  deps: SyncDeps,
  followers: Followers,
  requests: AsyncIterable<AgentMessage>,
  call: Call,
): AsyncGenerator<Sent<ServerMessage>> {
  const caller = deps.callerOf(call)
  if (caller.kind !== 'agent') throw new TypeError('only agents follow')
  const messages = requests[Symbol.asyncIterator]()
  const hello = await readHello(messages, deps, call)
  const held = hello.policy ?? undefined
  const follower = new Follower(deps, { call, caller, held, revisionNow: () => followers.revision })
  using _registered = followers.add(follower)
  // It may have been banned or evicted since the call was let in; from here on changes of its record are heard.
  const refusal = await deps.refusalOf(call)
  if (refusal !== undefined) throw refusal
  follower.start(hello, await revisionsAfter(hello, deps))
  follower.beatFirst(await followers.firstBeat(hello.nonce))
  deps.log.info({ agentId: follower.agentId, version: hello.agentVersion, requestId: call.requestId }, 'Agent follows')
  noteVersion(deps, caller, hello.agentVersion)
  void readAcks(messages, follower)
  while (!follower.isClosed) {
    for (let message = await nextOf(follower); message !== undefined; message = await nextOf(follower)) yield message
    await follower.wake.sleep(call.signal)
  }
}

/** Policy is signed while nothing else is to be said; a heartbeat comes when all of it is told. */
const nextOf = async (follower: Follower): Promise<Sent<ServerMessage> | undefined> =>
  follower.next() ?? (await follower.nextPolicy()) ?? follower.next()

async function readHello(messages: AsyncIterator<AgentMessage>, deps: SyncDeps, call: Call): Promise<Hello> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  using _timer = deps.clock.timer(HELLO_TIMEOUT_MS, () => reject(invalid('no hello came in time')))
  const onAbort = (): void => reject(call.signal.reason as Error)
  call.signal.addEventListener('abort', onAbort, { once: true })
  try {
    const first = await Promise.race([messages.next(), late])
    const hello = first.done === true ? undefined : first.value.hello
    if (hello === undefined || hello === null) throw invalid('the first message is not a hello')
    if (hello.agentVersion.length > VERSION_MAX_LENGTH) throw invalid('agent_version is too long')
    if (hello.nonce.length > NONCE_MAX_BYTES) throw invalid('nonce is too long')
    return hello
  } finally {
    call.signal.removeEventListener('abort', onAbort)
  }
}

/** Takes acknowledgements until the agent closes its side. */
async function readAcks(messages: AsyncIterator<AgentMessage>, follower: Follower): Promise<void> {
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { ack } = next.value
      if (ack === undefined || ack === null) throw invalid('only the first message may be a hello')
      follower.acknowledge(ack)
    }
    follower.close()
  } catch (error) {
    // Anything else than a bad message is the connection that broke, which ends the call by itself.
    if (error instanceof SallyportError) follower.end(error)
    else follower.close()
  }
}

/** The log since the agent last heard: from memory for short breaks, so that a thousand returning agents ask no database. */
async function revisionsAfter(
  hello: Hello,
  { directory, store }: SyncDeps,
): ReturnType<SyncDeps['store']['changesSince']> {
  if (hello.revision <= 0 || hello.epoch !== store.epoch || hello.revision > directory.revision) return undefined
  if (directory.revision - hello.revision > RESUME_MAX_REVISIONS) return undefined
  return directory.recentAfter(hello.revision) ?? (await store.changesSince(hello.revision))
}

function noteVersion({ store, log }: SyncDeps, caller: AgentCaller, version: string): void {
  const { agent } = caller
  if (version === '' || agent.version === version) return
  const changed = { ...agent, version, revisionNumber: agent.revisionNumber + 1 }
  store
    .commit({ mutations: [{ kind: 'agent.put', agent: changed }], audit: [] })
    .catch((error: unknown) =>
      log.warn({ agentId: String(caller.spiffeId), err: error }, 'Cannot note the version of an agent'),
    )
}

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', `Cannot follow: ${why}`)
