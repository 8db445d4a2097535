import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { orAborted } from '../abort.ts'
import { systemClock } from '../clock.ts'
import type { GrpcStatusName } from '../errors.ts'
import { silentLog } from '../log/log.ts'
import type { Call } from '../wire/call.ts'
import { defaultLimits } from '../wire/limits.ts'
import type { Route } from '../wire/routes.ts'
import { RpcError } from '../wire/status.ts'
import { type Mischief, mischievousAnswer } from './mischief.ts'
import { answerJwtSvids, validateJwtSvid } from './fake-jwt.ts'
import { fakeRoutes } from './fake-routes.ts'
import { FakeSocket } from './fake-socket.ts'
import { answerWitSvids } from './fake-wit.ts'
import { WorkloadMessages, type WorkloadState } from './workload-state.ts'

/** A call that a workload has made. */
export interface RecordedCall {
  /** Such as `/SpiffeWorkloadAPI/FetchX509SVID`. */
  readonly method: string
  readonly metadata: ReadonlyMap<string, readonly string[]>
}

export interface FakeWorkloadApiOptions {
  /** Where it listens. Default: a new folder of its own. */
  readonly path?: string | undefined
  /** Also serve WIT-SVIDs (Incubating), as an agent does where they are turned on. Default: UNIMPLEMENTED. */
  readonly witSvids?: boolean | undefined
}

/**
 * A Workload API on a real unix socket that serves what a test sets, to whoever asks: for tests of services, without an agent.
 *
 * @example
 * ```ts
 * const authority = await TestAuthority.create({ trustDomain: 'example.org' })
 * await using agent = await FakeWorkloadApi.open({ svids: [await authority.issue('/web')], authorities: [authority] })
 * await using source = await X509Source.open({ endpoint: agent.endpoint })
 * agent.set({ svids: [await authority.issue('/web')], authorities: [authority] }) // a rotation
 * agent.withdraw()
 * ```
 */
export class FakeWorkloadApi implements AsyncDisposable {
  /** The path of the socket. */
  readonly path: string
  /** For `SPIFFE_ENDPOINT_SOCKET`, or the `endpoint` of a source. */
  readonly endpoint: string
  /** Every call so far. */
  readonly calls: RecordedCall[] = []
  readonly #folder: string | undefined
  readonly #socket: FakeSocket
  #messages: WorkloadMessages | undefined
  #mischief: Mischief | undefined
  #failure: RpcError | undefined
  #changed = Promise.withResolvers<void>()

  /** Listens, and serves this state; without one no workload has an identity. */
  static async open(state?: WorkloadState, options: FakeWorkloadApiOptions = {}): Promise<FakeWorkloadApi> {
    const folder = options.path === undefined ? await mkdtemp(join(tmpdir(), 'workload-api-')) : undefined
    const api = new FakeWorkloadApi(options.path ?? join(folder!, 'agent.sock'), folder, options.witSvids ?? false)
    if (state !== undefined) api.set(state)
    await api.start()
    return api
  }

  private constructor(path: string, folder: string | undefined, hasWitSvids: boolean) {
    this.path = path
    this.endpoint = `unix:${path}`
    this.#folder = folder
    this.#socket = new FakeSocket(path, {
      routes: this.#routes(hasWitSvids),
      before: async ({ method, metadata }) => void this.calls.push({ method, metadata }),
      recordCall: undefined,
      log: silentLog,
      clock: systemClock,
      // Messages that are too large are for the client to refuse.
      limits: { ...defaultLimits, messageBytes: Number.MAX_SAFE_INTEGER },
    })
  }

  /** Serves this state from now on; every open stream gets it. What was amiss before is over. */
  set(state: WorkloadState): void {
    this.#become({ messages: new WorkloadMessages(state) })
  }

  /** Takes every identity away: calls are answered with PERMISSION_DENIED, as for a workload without entries. */
  withdraw(): void {
    this.#become({ messages: undefined })
  }

  /** Answers every call with this status, and ends the open streams with it, until {@link set}. */
  fail(status: GrpcStatusName, message = 'the test wants it so'): void {
    this.#become({ messages: this.#messages, failure: new RpcError(status, message) })
  }

  /** Misbehaves towards every open stream and every call for X509-SVIDs until {@link set}. */
  misbehave(mischief: Mischief): void {
    this.#become({ messages: this.#messages, mischief })
    if (mischief === 'hangUp') this.disconnect()
  }

  /** Cuts all connections, as when the agent crashes; it can be connected to again at once. */
  disconnect(): void {
    this.#socket.disconnect()
  }

  /** Is away, with its socket, until {@link start}. */
  async stop(): Promise<void> {
    await this.#socket.stop()
  }

  /** Listens again. */
  async start(): Promise<void> {
    await this.#socket.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
  }

  #become(next: {
    readonly messages: WorkloadMessages | undefined
    readonly mischief?: Mischief
    readonly failure?: RpcError
  }): void {
    this.#messages = next.messages
    this.#mischief = next.mischief
    this.#failure = next.failure
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #routes(hasWitSvids: boolean): ReadonlyMap<string, Route> {
    return fakeRoutes({
      fetchX509Svid: (_request, call) => this.#stream(call, (messages) => this.#x509Answer(messages)),
      fetchX509Bundles: (_request, call) => this.#stream(call, (messages) => messages.x509Bundles()),
      fetchJwtBundles: (_request, call) => this.#stream(call, (messages) => messages.jwtBundles()),
      fetchJwtSvid: async (request, call) => answerJwtSvids(this.#usable(call), request),
      validateJwtSvid: async (request, call) => validateJwtSvid(this.#usable(call), request),
      ...(hasWitSvids && {
        fetchWitSvid: (request, call) => this.#stream(call, (messages) => answerWitSvids(messages, request)),
        fetchWitBundles: (_request, call) => this.#stream(call, (messages) => messages.witBundles()),
      }),
    })
  }

  #x509Answer(messages: WorkloadMessages): object | undefined {
    return this.#mischief === undefined ? messages.x509Svids() : mischievousAnswer(this.#mischief, messages)
  }

  /** The state of now and every later one. */
  async *#stream(
    call: Call,
    answerOf: (messages: WorkloadMessages) => object | undefined | Promise<object>,
  ): AsyncGenerator<object> {
    for (;;) {
      const changed = this.#changed.promise
      if (this.#mischief === 'hangUp') this.disconnect()
      const answer = await answerOf(this.#usable(call))
      if (answer !== undefined) yield answer
      await orAborted(changed, call.signal)
    }
  }

  #usable({ metadata }: Call): WorkloadMessages {
    if (metadata.get('workload.spiffe.io')?.[0] !== 'true') {
      throw new RpcError('INVALID_ARGUMENT', 'security header missing from request')
    }
    if (this.#failure !== undefined) throw this.#failure
    if (this.#messages === undefined) throw new RpcError('PERMISSION_DENIED', 'no identity issued')
    return this.#messages
  }
}
