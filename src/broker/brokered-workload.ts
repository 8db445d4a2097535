import { orAborted } from '../abort.ts'
import { type BundleSet, NO_BUNDLES } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { type JwtSvid, wantedAudiences } from '../svid/jwt-svid.ts'
import type { Client, ClientOptions } from '../wire/client.ts'
import { type apiService, type WorkloadReference as ReferenceMessage } from '../wire/messages/spiffe-broker.ts'
import { BundleSource, type BundleSourceOptions } from '../workload/bundle-source.ts'
import { jwtBundlesOf, jwtSvidsOf } from '../workload/jwt-answers.ts'
import { JwtSource, type JwtSourceOptions } from '../workload/jwt-source.ts'
import type { SvidClient } from '../workload/source-options.ts'
import { watchStream } from '../workload/watch.ts'
import type { JwtSvidRequest, WatchSettings, X509WatchSettings } from '../workload/workload-client.ts'
import { NO_X509_CONTEXT, x509BundlesReader, type X509Context, x509ContextReader } from '../workload/x509-context.ts'
import { X509Source, type X509SourceOptions } from '../workload/x509-source.ts'
import { brokerError, consequenceOf, isBrokerRefused } from './broker-answers.ts'
import type { BrokerIdentity } from './broker-identity.ts'
import { pinProcess } from './process-pin.ts'
import { encodeReference, printReference, type WorkloadReference } from './reference.ts'

/** Proof that the caller means to speak to the broker endpoint, and is not tricked into it by somebody else's request (BE-04). */
const SECURITY_HEADER = { 'broker.spiffe.io': 'true' } as const

export interface BrokeredWorkloadDeps {
  readonly api: Client<typeof apiService>
  readonly identity: BrokerIdentity
  readonly clock: Clock
  /** For messages: where the other end is. */
  readonly address: string
  /** From 0 to 1; spreads retries. */
  readonly random: () => number
  /** Told when this broker itself is refused. */
  readonly onRefused: (error: Error) => void
  /** Told when this is closed, or its workload has ended. */
  readonly onOver: (workload: BrokeredWorkload) => void
  /** Whether a number still is the process that it was. Default: as `/proc` tells. */
  readonly pin?: ((pid: number) => () => boolean) | undefined
}

/**
 * What a broker holds for one workload, apart from what it holds for others: SVIDs, tokens and bundles of one handle come from calls
 * for this workload alone, so that a TLS context made from it presents this workload's SVID and trusts whom this workload trusts.
 *
 * Everything is dropped as soon as the agent says that the workload has ended, or is entitled to nothing any more. A process that has
 * ended is over for good: a later one of the same number is another workload.
 *
 * Incubating.
 *
 * @example
 * ```ts
 * await using orders = broker.workload({ pid: 4711 })
 * await using source = await orders.x509Source()
 * const socket = await connectTls(source, { to: { host: 'db', port: 8443 }, server: exactly('spiffe://example.org/db') })
 * ```
 */
export class BrokeredWorkload implements SvidClient, AsyncDisposable {
  readonly reference: WorkloadReference
  /** The clock of everything that is built on this. */
  readonly clock: Clock
  readonly address: string
  readonly #deps: BrokeredWorkloadDeps
  readonly #message: ReferenceMessage
  readonly #isSame: () => boolean
  readonly #over = new AbortController()

  /** For {@link BrokerClient.workload}. */
  constructor(reference: WorkloadReference, deps: BrokeredWorkloadDeps) {
    const { pin = pinProcess } = deps
    this.reference = reference
    this.clock = deps.clock
    this.address = deps.address
    this.#deps = deps
    this.#message = encodeReference(reference)
    this.#isSame = 'pid' in reference ? pin(reference.pid) : () => true
  }

  /** Aborts when this is closed (`SOURCE_CLOSED`) or its process has ended (`WORKLOAD_NOT_FOUND`). */
  get ended(): AbortSignal {
    return this.#over.signal
  }

  /**
   * The workload's X509-SVIDs and bundles, for `tlsServer`, `tlsClient` and all that takes a source.
   *
   * @throws {@link SallyportError} as `X509Source.open`; `SOURCE_TIMEOUT` says what the agent has answered
   */
  x509Source(options: Omit<X509SourceOptions, 'client' | 'endpoint'> = {}): Promise<X509Source> {
    return withOwnHint(X509Source.open({ ...options, client: this }))
  }

  /** The workload's tokens, and the JWT bundles that it verifies those of others with. */
  jwtSource(options: Omit<JwtSourceOptions, 'client' | 'endpoint'> = {}): Promise<JwtSource> {
    return withOwnHint(JwtSource.open({ ...options, client: this }))
  }

  /** The bundles that the workload may see. */
  bundleSource(options: Omit<BundleSourceOptions, 'client' | 'endpoint'> = {}): Promise<BundleSource> {
    return withOwnHint(BundleSource.open({ ...options, client: this }))
  }

  /** The SVIDs and bundles, now and after every change, until `signal` aborts. An empty context: nothing is held any more. */
  watchX509Svids(signal: AbortSignal, settings: X509WatchSettings = {}): AsyncGenerator<X509Context> {
    const open = (options: ClientOptions) => this.#deps.api.subscribeToX509Svid({ reference: this.#message }, options)
    return this.#watch(open, x509ContextReader(settings), NO_X509_CONTEXT, signal, settings)
  }

  watchX509Bundles(signal: AbortSignal, settings: X509WatchSettings = {}): AsyncGenerator<BundleSet> {
    const open = (options: ClientOptions) =>
      this.#deps.api.subscribeToX509Bundles({ reference: this.#message }, options)
    return this.#watch(open, x509BundlesReader(settings), NO_BUNDLES, signal, settings)
  }

  watchJwtBundles(signal: AbortSignal, settings: WatchSettings = {}): AsyncGenerator<BundleSet> {
    const open = (options: ClientOptions) => this.#deps.api.subscribeToJwtBundles({ reference: this.#message }, options)
    return this.#watch(open, jwtBundlesOf, NO_BUNDLES, signal, settings)
  }

  /**
   * Tokens of the workload for an audience, the default identity's first.
   *
   * @throws {@link SallyportError} `WORKLOAD_NOT_FOUND`, `WORKLOAD_NOT_ENTITLED`, `WORKLOAD_REFERENCE_INVALID`, `BROKER_REFUSED`,
   *   `CALLER_UNPROVEN`, `IDENTITY_PENDING`, `UNREACHABLE`, `DEADLINE_EXCEEDED`, `WORKLOAD_RESPONSE_INVALID`, `SOURCE_CLOSED`
   */
  async fetchJwtSvids(
    { audience, spiffeId }: JwtSvidRequest,
    options: ClientOptions = {},
  ): Promise<readonly JwtSvid[]> {
    const wanted = wantedAudiences(audience, 'fetchJwtSvids')
    const request = { reference: this.#message, audience: wanted, spiffeId: spiffeId?.toString() ?? '' }
    const signal = this.#until(options.signal)
    try {
      this.#checkSame()
      const response = await this.#deps.api.fetchJwtSvid(request, called({ ...options, signal }))
      this.#checkSame()
      return jwtSvidsOf(response, wanted)
    } catch (error) {
      throw this.#heard(error)
    }
  }

  /** Ends everything that this holds for the workload: sources of it hold nothing any more. */
  async close(): Promise<void> {
    this.#end(new SallyportError('SOURCE_CLOSED', `Cannot fetch for ${printReference(this.reference)}: this is closed`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Whatever ends the handle takes back what is held, on every stream at once. */
  async *#watch<M, T>(
    open: (options: ClientOptions) => AsyncIterable<M>,
    decode: (message: M) => T,
    withdrawn: T,
    signal: AbortSignal,
    { onError = () => {} }: WatchSettings,
  ): AsyncGenerator<T> {
    const { clock, random, identity } = this.#deps
    const until = this.#until(signal)
    let used = identity.known
    const opened = () => {
      used = identity.known
      return this.#messages(open(called({ signal: until })))
    }
    const renewed = (stop: AbortSignal) => identity.otherThan(used, stop)
    let held = withdrawn
    const { signal: over } = this.#over
    const states = watchStream(opened, decode, withdrawn, {
      ...{ clock, random, onError, signal: until },
      consequenceOf: (error, status) => consequenceOf(error, status, renewed),
    })
    try {
      for (;;) {
        // At the moment of the end, whatever the stream still does: who is told of the end finds nothing held.
        const next = await orAborted(states.next(), over)
        if (next.done === true) return
        held = next.value
        yield held
      }
    } catch (error) {
      if (!over.aborted || signal.aborted) throw error
      onError(over.reason as Error)
      if (held !== withdrawn) yield withdrawn
      throw over.reason
    } finally {
      // Not waited for: it ends by its signal. What it throws then is that signal's reason, or has been thrown above already.
      states.return(undefined).catch(() => {})
    }
  }

  async *#messages<M>(stream: AsyncIterable<M>): AsyncGenerator<M> {
    try {
      this.#checkSame()
      for await (const message of stream) {
        // The same before the call and now: so it was this process that the agent has looked at.
        this.#checkSame()
        yield message
      }
    } catch (error) {
      throw this.#heard(error)
    }
  }

  /** What an answer says, and what follows from it for all that is held. */
  #heard(failure: unknown): Error {
    const error = brokerError(failure)
    if (isBrokerRefused(error)) this.#deps.onRefused(error)
    const isGone = error instanceof SallyportError && error.code === 'WORKLOAD_NOT_FOUND'
    if (isGone && 'pid' in this.reference) this.#end(error)
    return error
  }

  #checkSame(): void {
    this.#over.signal.throwIfAborted()
    if (this.#isSame()) return
    throw new SallyportError('WORKLOAD_NOT_FOUND', `Cannot fetch for ${printReference(this.reference)}: it has ended`)
  }

  #end(why: SallyportError): void {
    if (this.#over.signal.aborted) return
    this.#over.abort(why)
    this.#deps.onOver(this)
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#over.signal : AbortSignal.any([signal, this.#over.signal])
  }
}

const called = (options: ClientOptions): ClientOptions => ({
  ...options,
  metadata: { ...options.metadata, ...SECURITY_HEADER },
})

/** A source that has nothing in time says how its own process could find out why; here it is another process, and another endpoint. */
async function withOwnHint<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof SallyportError) || error.code !== 'SOURCE_TIMEOUT') throw error
    const { message, cause } = error
    const hint =
      cause instanceof SallyportError && cause.code !== 'UNREACHABLE' && cause.code !== 'IDENTITY_NOT_HELD'
        ? cause.hint
        : 'Check the address of the broker endpoint, and that the agent has one: experimental.broker in its configuration.'
    throw new SallyportError('SOURCE_TIMEOUT', message, { cause, hint })
  }
}
