import { workloadApi } from '../../../agent/rpc/workload.ts'
import type { SallyportError } from '../../../src/errors.ts'
import type { Peer } from '../../../src/peer/peer.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { Handlers } from '../../../src/wire/implementation.ts'
import type { spiffeWorkloadApiService } from '../../../src/wire/messages/spiffe-workload.ts'
import { unixConnection } from '../../fakes/fake-call.ts'
import type { AgentWorld } from '../agent-world.ts'

type Served = Required<Handlers<typeof spiffeWorkloadApiService>>

/** The handlers of the Workload API, called as functions. */
export function handlersOf(world: AgentWorld, foreignClaims: readonly string[] = []): Served {
  return workloadApi({ ...worldParts(world), foreignClaims }).handlers as unknown as Served
}

const worldParts = (world: AgentWorld) => {
  const { entitlements, x509Svids, jwtSvids, callers, clock, cryptography, log } = world
  const witSvids = world.wit ? world.witSvids : undefined
  return { entitlements, x509Svids, jwtSvids, witSvids, callers, clock, cryptography, log }
}

export interface CallOptions {
  readonly uid?: number
  readonly header?: readonly string[] | undefined
  readonly signal?: AbortSignal
  readonly peer?: Partial<Peer>
}

/** A call of a process on this node, with the header that it needs. */
export function workloadCall(options: CallOptions = {}): Call {
  const connection = unixConnection(options.uid ?? 1000)
  const header = 'header' in options ? options.header : ['true']
  return {
    connection: { ...connection, peer: { ...connection.peer, ...options.peer } },
    metadata: new Map(header === undefined ? [] : [['workload.spiffe.io', header]]),
    signal: options.signal ?? new AbortController().signal,
    requestId: 'r1',
    method: '/SpiffeWorkloadAPI/X',
  }
}

/** What a call is refused with; it may be one that streams. */
export async function failureOf(promise: Promise<unknown> | AsyncIterable<unknown>): Promise<SallyportError> {
  try {
    if (Symbol.asyncIterator in promise) for await (const _message of promise) break
    else await promise
  } catch (error) {
    return error as SallyportError
  }
  throw new Error('nothing was refused')
}

/** A stream that a test reads at its own pace. */
export class Reading<T> {
  readonly messages: T[] = []
  error: unknown
  ended = false

  constructor(stream: AsyncIterable<T>) {
    void this.#read(stream)
  }

  get last(): T {
    const last = this.messages.at(-1)
    if (last === undefined) throw new Error('no message has come')
    return last
  }

  async #read(stream: AsyncIterable<T>): Promise<void> {
    try {
      for await (const message of stream) this.messages.push(message)
      this.ended = true
    } catch (error) {
      this.error = error
    }
  }
}
