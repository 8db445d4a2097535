import { createHash } from 'node:crypto'
import { type BundleSet, NO_BUNDLES } from '../bundle/bundle-set.ts'
import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import type { JsonObject } from '../jws/strict-json.ts'
import { type JwtSvid, wantedAudiences } from '../svid/jwt-svid.ts'
import type { Client, ClientOptions, Transport } from '../wire/client.ts'
import { spiffeWorkloadApiService } from '../wire/messages/spiffe-workload.ts'
import {
  type DecisionReceipt,
  type DecisionReport,
  workloadPolicyService,
} from '../wire/messages/sallyport-policy-v1.ts'
import type { WitSvidWithKey } from '../wit/wit-svid.ts'
import { agentError } from './agent-error.ts'
import { connectWorkloadApi } from './connect-workload-api.ts'
import { jwtBundlesOf, jwtSvidsOf } from './jwt-answers.ts'
import { NO_POLICY_CONTEXT, type PolicyContext, PolicyReader } from './policy-context.ts'
import { jsonOfStruct } from './struct.ts'
import { type WatchOptions, watchStream } from './watch.ts'
import { witBundlesOf, witSvidsOf } from './wit-answers.ts'
import {
  incomplete,
  NO_X509_CONTEXT,
  x509BundlesReader,
  type X509Context,
  x509ContextReader,
  type X509Reading,
} from './x509-context.ts'

/** Proof that the caller means to speak to the Workload API, and is not tricked into it by somebody else's request. */
const SECURITY_HEADER = { 'workload.spiffe.io': 'true' } as const

/** How a client is opened. */
export interface WorkloadClientOptions {
  /** Where the Workload API is: `unix:///path` or `tcp://address:port`. Default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined
  /** Told about failures that watches retry. */
  readonly onError?: ((error: Error) => void) | undefined
}

export interface WorkloadClientDeps {
  readonly transport: Transport
  readonly clock: Clock
  /** For messages: where the other end is. */
  readonly address?: string | undefined
  /** From 0 to 1; spreads retries. Default: `Math.random`. */
  readonly random?: (() => number) | undefined
  /** Told about failures that watches retry. */
  readonly onError?: ((error: Error) => void) | undefined
}

export interface WatchSettings {
  /** Told of what is retried, in place of the client's own. */
  readonly onError?: ((error: Error) => void) | undefined
}

export interface X509WatchSettings extends WatchSettings, X509Reading {}

export interface WitSvidRequest {
  /** Only this identity; default: all that the workload is entitled to. */
  readonly spiffeId?: SpiffeId | undefined
}

export interface WitWatchSettings extends WatchSettings, WitSvidRequest {}

export interface JwtSvidRequest {
  readonly audience: readonly string[] | string
  /** Only this identity; default: all that the workload is entitled to. */
  readonly spiffeId?: SpiffeId | undefined
}

/** What the agent says about a token that it has validated. */
export interface ValidatedJwtSvid {
  readonly spiffeId: SpiffeId
  readonly claims: JsonObject
}

/**
 * The Workload API of the agent on this node. Every answer is the complete state; what is missing from it is no longer held.
 *
 * @see SPIFFE_Workload_API.md
 */
export class WorkloadClient implements AsyncDisposable {
  /** The clock of everything that is built on this client. */
  readonly clock: Clock
  /** Where the Workload API is, for messages. */
  readonly address: string
  readonly #api: Client<typeof spiffeWorkloadApiService>
  readonly #transport: Transport
  readonly #watching: Omit<WatchOptions, 'signal'>

  /**
   * A client of the Workload API at an address. Connects when first used, and again after the connection was lost.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`
   * @see SPIFFE_Workload_Endpoint.md §4
   */
  static async open(options: WorkloadClientOptions = {}): Promise<WorkloadClient> {
    const { transport, address } = await connectWorkloadApi(options.endpoint)
    return new WorkloadClient({ transport, address, clock: systemClock, onError: options.onError })
  }

  /** A client over any transport, such as that of a test. Most callers want {@link WorkloadClient.open}. */
  constructor(deps: WorkloadClientDeps) {
    this.#api = deps.transport.client(spiffeWorkloadApiService)
    this.#transport = deps.transport
    const { clock, random = Math.random, onError = () => {} } = deps
    this.clock = clock
    this.address = deps.address ?? 'the Workload API'
    this.#watching = { clock, random, onError }
  }

  /** The SVIDs and bundles of this moment. */
  fetchX509Svids(options: ClientOptions = {}): Promise<X509Context> {
    return firstOf(this.#api.fetchX509Svid({}, this.#call(options)), x509ContextReader())
  }

  /**
   * The SVIDs and bundles, now and after every change, until `signal` aborts. An empty context: the agent has withdrawn them.
   */
  watchX509Svids(signal: AbortSignal, settings: X509WatchSettings = {}): AsyncGenerator<X509Context> {
    const open = () => this.#api.fetchX509Svid({}, this.#call({ signal }))
    return watchStream(open, x509ContextReader(settings), NO_X509_CONTEXT, this.#watch(signal, settings))
  }

  fetchX509Bundles(options: ClientOptions = {}): Promise<BundleSet> {
    return firstOf(this.#api.fetchX509Bundles({}, this.#call(options)), x509BundlesReader())
  }

  watchX509Bundles(signal: AbortSignal, settings: X509WatchSettings = {}): AsyncGenerator<BundleSet> {
    const open = () => this.#api.fetchX509Bundles({}, this.#call({ signal }))
    return watchStream(open, x509BundlesReader(settings), NO_BUNDLES, this.#watch(signal, settings))
  }

  fetchJwtBundles(options: ClientOptions = {}): Promise<BundleSet> {
    return firstOf(this.#api.fetchJwtBundles({}, this.#call(options)), jwtBundlesOf)
  }

  watchJwtBundles(signal: AbortSignal, settings: WatchSettings = {}): AsyncGenerator<BundleSet> {
    const open = () => this.#api.fetchJwtBundles({}, this.#call({ signal }))
    return watchStream(open, jwtBundlesOf, NO_BUNDLES, this.#watch(signal, settings))
  }

  /**
   * WIT-SVIDs with their keys, the default identity's first. Incubating: an agent where they are not turned on answers
   * `METHOD_UNIMPLEMENTED`.
   *
   * @see WIT-SVID.md; SPIFFE_Workload_API.md §7 (Incubating)
   */
  fetchWitSvids({ spiffeId }: WitSvidRequest = {}, options: ClientOptions = {}): Promise<readonly WitSvidWithKey[]> {
    return firstOf(this.#api.fetchWitSvid(witRequestOf(spiffeId), this.#call(options)), witSvidsOf)
  }

  /** The WIT-SVIDs with their keys, now and after every change, until `signal` aborts. None: the agent has withdrawn them. */
  watchWitSvids(signal: AbortSignal, settings: WitWatchSettings = {}): AsyncGenerator<readonly WitSvidWithKey[]> {
    const request = witRequestOf(settings.spiffeId)
    const open = () => this.#api.fetchWitSvid(request, this.#call({ signal }))
    return watchStream(open, witSvidsOf, [], this.#watch(signal, settings))
  }

  /** The bundles that WIT-SVIDs are verified with. They hold nothing else. */
  fetchWitBundles(options: ClientOptions = {}): Promise<BundleSet> {
    return firstOf(this.#api.fetchWitBundles({}, this.#call(options)), witBundlesOf)
  }

  watchWitBundles(signal: AbortSignal, settings: WatchSettings = {}): AsyncGenerator<BundleSet> {
    const open = () => this.#api.fetchWitBundles({}, this.#call({ signal }))
    return watchStream(open, witBundlesOf, NO_BUNDLES, this.#watch(signal, settings))
  }

  /** The policy of this workload's identities, now and after every change, until `signal` aborts. */
  watchPolicy(signal: AbortSignal, settings: WatchSettings = {}): AsyncGenerator<PolicyContext> {
    const reader = new PolicyReader(sha256)
    const open = () => this.#policyContexts(reader, signal)
    return watchStream(open, (context) => context, NO_POLICY_CONTEXT, this.#watch(signal, settings))
  }

  /** Tells the agent what was decided; yields a receipt for each report that the agent will not lose. */
  reportDecisions(reports: AsyncIterable<DecisionReport>, signal: AbortSignal): AsyncIterable<DecisionReceipt> {
    return this.#transport.client(workloadPolicyService).reportDecisions(reports, this.#call({ signal }))
  }

  /** Tokens for an audience, the default identity's first. */
  async fetchJwtSvids(
    { audience, spiffeId }: JwtSvidRequest,
    options: ClientOptions = {},
  ): Promise<readonly JwtSvid[]> {
    const wanted = wantedAudiences(audience, 'fetchJwtSvids')
    const request = { audience: wanted, spiffeId: spiffeId?.toString() ?? '' }
    const response = await withCodes(this.#api.fetchJwtSvid(request, this.#call(options)))
    return jwtSvidsOf(response, wanted)
  }

  /** Asks the agent whether a token is a valid JWT-SVID for this audience. Throws what is wrong with it. */
  async validateJwtSvid(token: string, audience: string, options: ClientOptions = {}): Promise<ValidatedJwtSvid> {
    const request = { svid: token, audience }
    const { spiffeId, claims } = await withCodes(this.#api.validateJwtSvid(request, this.#call(options)))
    if (spiffeId === '' || claims === null) throw incomplete('it names no identity or no claims')
    return { spiffeId: SpiffeId.parse(spiffeId), claims: jsonOfStruct(claims) }
  }

  /** Ends every call and watch, and the connection. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** An update that cannot be used ends the stream; the next one brings everything again. */
  async *#policyContexts(reader: PolicyReader, signal: AbortSignal): AsyncGenerator<PolicyContext> {
    for await (const update of this.#transport
      .client(workloadPolicyService)
      .watchPolicy(reader.request, this.#call({ signal }))) {
      let context: PolicyContext
      try {
        context = reader.read(update, this.clock.monotonicMs())
      } catch (cause) {
        reader.forget()
        throw unusablePolicy(cause)
      }
      yield context
    }
  }

  #watch(signal: AbortSignal, { onError = this.#watching.onError }: WatchSettings): WatchOptions {
    return { ...this.#watching, onError, signal }
  }

  #call(options: ClientOptions): ClientOptions {
    return { ...options, metadata: { ...options.metadata, ...SECURITY_HEADER } }
  }
}

const witRequestOf = (spiffeId: SpiffeId | undefined) => ({ spiffeId: spiffeId?.toString() ?? '' })

const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()

/** Asking again may help: what the agent holds may be another one then. */
const unusablePolicy = (cause: unknown): SallyportError =>
  new SallyportError('WORKLOAD_RESPONSE_INVALID', `Cannot use the policy: ${(cause as Error).message}`, { cause })

/** The first message of a stream, which is then closed. */
async function firstOf<M, T>(stream: AsyncIterable<M>, decode: (message: M) => T): Promise<T> {
  const first = async (): Promise<M> => {
    for await (const message of stream) return message
    throw incomplete('the stream ended without a message')
  }
  return decode(await withCodes(first()))
}

async function withCodes<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw agentError(error)
  }
}
