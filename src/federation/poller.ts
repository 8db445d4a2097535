import { type Bundle, bundlesEqual } from '../bundle/bundle.ts'
import { type BundleDocument, readBundleDocument, REFRESH_HINT_DEFAULT_SECONDS } from '../bundle/bundle-document.ts'
import { type Clock, sleepUnlessAborted } from '../clock.ts'
import { type ErrorCode, SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { type BundleStore, parseStored, printStored } from './bundle-store.ts'
import type { EndpointPeer, EndpointTrust } from './connect-endpoint.ts'
import type { FetchDocument } from './fetch-document.ts'
import type { FetchReport } from './fetch-report.ts'
import type { GivenBundle } from './given-bundle.ts'
import { type HeldDocument, judgeDocument } from './judge-document.ts'
import { initialDigestOf, type Relationship } from './relationship.ts'
import { endOf, type RelationshipHealth, statusOf } from './relationship-health.ts'

/** A pause is longer than the hint by up to this part, so that not all workloads of a place ask in one moment. */
const JITTER = 0.1

/** What goes away when the bundle that verifies an endpoint changes. */
const WITHOUT_VERIFIER: ReadonlySet<ErrorCode> = new Set([
  'BUNDLE_UNKNOWN',
  'BUNDLE_STALE',
  'BUNDLE_ENDPOINT_UNTRUSTED',
])

export interface PollerDeps {
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly fetch: FetchDocument
  readonly store: BundleStore | undefined
  /** The bundle of another trust domain than the polled one. */
  readonly bundleOf: (trustDomain: TrustDomain) => Bundle | undefined
  /** Told when another bundle is in use. */
  readonly onChange: () => void
  readonly onHealth: (health: RelationshipHealth) => void
  readonly onFetch: (report: FetchReport) => void
}

/** Keeps the bundle of one foreign trust domain fresh: asks at the interval of its hint, whether the last attempt failed or not. */
export class Poller {
  readonly relationship: Relationship
  /** Resolves when the first attempt is over, however it went. */
  readonly firstAttempt: Promise<void>
  readonly #firstOver = Promise.withResolvers<void>()
  readonly #deps: PollerDeps
  readonly #stop = new AbortController()
  #held: HeldDocument | undefined
  #refreshedAt: Date | undefined
  #trouble: Error | undefined
  #told: string | undefined
  #attempt: Promise<FetchReport> | undefined
  #running: Promise<void> | undefined
  #writing: Promise<void> = Promise.resolve()
  /** The last text that is known to be in the store. */
  #stored: string | undefined
  #dueAtMs = 0
  #pause = new AbortController()

  constructor(relationship: Relationship, deps: PollerDeps) {
    this.relationship = relationship
    this.#deps = deps
    this.firstAttempt = this.#firstOver.promise
  }

  /**
   * Takes up what an earlier process has stored. What is damaged is fetched again.
   *
   * @throws {@link SallyportError} `BUNDLE_STORE_FAILED` when the store cannot be read
   */
  async recall(): Promise<void> {
    const text = await this.#deps.store?.read(this.relationship.trustDomain.name)
    if (text === undefined) return
    try {
      this.#held = parseStored(text, this.relationship)
      if (this.#held !== undefined) this.#stored = text
    } catch (error) {
      this.#trouble = error as Error
    }
  }

  /** Begins to poll once `after` has come. */
  start(after: Promise<void> = Promise.resolve()): void {
    this.#running ??= this.#run(after)
  }

  /** The bundle in use. */
  get bundle(): Bundle | undefined {
    return this.#held?.document.bundle
  }

  get health(): RelationshipHealth {
    const [held, error] = [this.#held, this.#trouble]
    const status = this.#stop.signal.aborted ? 'closed' : statusOf(held, error, this.#deps.clock.now())
    return {
      trustDomain: this.relationship.trustDomain,
      status,
      error,
      expiresAt: held === undefined ? undefined : endOf(held),
      sequence: held?.document.sequence,
      refreshedAt: this.#refreshedAt,
    }
  }

  /** Fetches now; joins a fetch that is under way. */
  async poll(): Promise<FetchReport> {
    this.#attempt ??= this.#tryOnce().finally(() => (this.#attempt = undefined))
    return this.#attempt
  }

  /** Puts a bundle in the place of the endpoint's, until the endpoint has been heard again. */
  async give({ document, text }: GivenBundle): Promise<void> {
    const verifier = this.#knownVerifier()
    this.#install({ document, text, origin: 'given', since: this.#deps.clock.now(), initial: this.#initial() })
    if (isAnother(verifier, this.#knownVerifier())) this.verifierChanged()
    await this.#save()
  }

  /** The bundle that verifies this endpoint is another now: an attempt that failed for it need not wait any longer. */
  verifierChanged(): void {
    if (this.#trouble instanceof SallyportError && WITHOUT_VERIFIER.has(this.#trouble.code)) this.#schedule(0)
  }

  /** Stops polling; what was fetched stays in the store. */
  async close(): Promise<void> {
    this.#stop.abort(closed(this.relationship))
    this.#firstOver.resolve()
    this.#observe()
    await this.#running
    await this.#writing
  }

  /** Ends the relationship: its bundle is in use no more at once, and is in no store when this resolves. */
  async end(): Promise<void> {
    this.#held = undefined
    await this.close()
    await this.#deps.store?.remove(this.relationship.trustDomain.name)
  }

  async #run(after: Promise<void>): Promise<void> {
    const { signal } = this.#stop
    // Whoever is closed waits for nobody.
    await Promise.race([after, this.firstAttempt])
    while (!signal.aborted) {
      await this.poll()
      this.#firstOver.resolve()
      await this.#untilDue(signal)
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    for (let leftMs = this.#leftMs(); leftMs > 0 && !signal.aborted; leftMs = this.#leftMs()) {
      this.#pause = new AbortController()
      await sleepUnlessAborted(clock, leftMs, AbortSignal.any([signal, this.#pause.signal]))
    }
  }

  #leftMs(): number {
    return this.#dueAtMs - this.#deps.clock.monotonicMs()
  }

  #schedule(inMs: number): void {
    this.#dueAtMs = this.#deps.clock.monotonicMs() + inMs
    this.#pause.abort()
  }

  /** Never rejects: how it went is in the report. */
  async #tryOnce(): Promise<FetchReport> {
    const { clock, random, onFetch } = this.#deps
    const { signal } = this.#stop
    const startMs = clock.monotonicMs()
    const attempt: Attempt = { verifier: undefined, answeredBy: undefined, document: undefined }
    const result = await this.#fetch(attempt).catch((error: unknown) => {
      // What comes after the end concerns nobody.
      if (!signal.aborted) this.#trouble = error as Error
      return { outcome: 'failed' as const, error: error as Error, warnings: attempt.document?.warnings ?? [] }
    })
    // Another bundle that came meanwhile may verify what the one before did not.
    const isOutdated = result.outcome === 'failed' && isAnother(attempt.verifier, this.#knownVerifier())
    const pauseSeconds = this.#held?.document.pollAfterSeconds ?? REFRESH_HINT_DEFAULT_SECONDS
    this.#schedule(isOutdated ? 0 : pauseSeconds * 1000 * (1 + JITTER * random()))
    const { trustDomain, url, endpoint } = this.relationship
    const report = {
      trustDomain,
      url: url.toString(),
      profile: endpoint.profile,
      answeredBy: attempt.answeredBy,
      sequence: attempt.document?.sequence,
      ...result,
      durationMs: clock.monotonicMs() - startMs,
    }
    if (!signal.aborted) {
      this.#observe()
      onFetch(report)
    }
    return report
  }

  async #fetch(attempt: Attempt): Promise<Pick<FetchReport, 'outcome' | 'error' | 'warnings'>> {
    const { clock, fetch } = this.#deps
    const { relationship } = this
    const { signal } = this.#stop
    const onConnected = (url: { toString(): string }, peer: EndpointPeer): void => {
      attempt.answeredBy = { ...peer, url: url.toString() }
    }
    const { url, followRedirects } = relationship
    attempt.verifier = this.#verifier()
    const text = await fetch(
      { url, followRedirects, trust: this.#trust(attempt.verifier), onConnected },
      { clock, signal },
    )
    signal.throwIfAborted()
    const document = readBundleDocument(text, relationship.trustDomain)
    attempt.document = document
    const { outcome, warnings } = judgeDocument(this.#held, document)
    this.#trouble = undefined
    this.#refreshedAt = clock.now()
    if (outcome === 'installed') {
      this.#install({ document, text, origin: 'fetched', since: clock.now(), initial: this.#initial() })
    }
    const error = await this.#save().then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    return { outcome, warnings, error }
  }

  /**
   * What the endpoint must prove.
   *
   * @throws {@link SallyportError} `BUNDLE_UNKNOWN`, `BUNDLE_STALE`
   */
  #trust(bundle: Bundle | undefined): EndpointTrust {
    const { endpoint } = this.relationship
    if (endpoint.profile === 'https_web') return endpoint
    const { endpointId } = endpoint
    if (bundle === undefined)
      throw new SallyportError(
        'BUNDLE_UNKNOWN',
        `Cannot verify the bundle endpoint ${endpointId}: no bundle of ${endpointId.trustDomain} is known`,
      )
    checkNotStale(bundle, endpointId, this.#deps.clock.now())
    return { profile: 'https_spiffe', endpointId, bundle }
  }

  /** The bundle that verifies an endpoint with an SVID: the latest one, and the initial one only before that. */
  #verifier(): Bundle | undefined {
    const { endpoint, trustDomain } = this.relationship
    if (endpoint.profile === 'https_web') return undefined
    const { endpointId, initial } = endpoint
    if (endpointId.isMemberOf(trustDomain)) return this.bundle ?? initial?.document.bundle
    return this.#deps.bundleOf(endpointId.trustDomain)
  }

  /** Undefined also while whoever knows it cannot say. */
  #knownVerifier(): Bundle | undefined {
    try {
      return this.#verifier()
    } catch {
      return undefined
    }
  }

  #initial(): string | undefined {
    return initialDigestOf(this.relationship) ?? this.#held?.initial
  }

  #install(held: HeldDocument): void {
    this.#held = held
    this.#deps.onChange()
    this.#observe()
  }

  /** One write after the other; what is stored already is not written again. */
  async #save(): Promise<void> {
    const { store } = this.#deps
    const { trustDomain } = this.relationship
    const write = async (): Promise<void> => {
      const held = this.#held
      if (store === undefined || held === undefined || this.#stop.signal.aborted) return
      const text = printStored(this.relationship, held)
      if (text === this.#stored) return
      await store.write(trustDomain.name, text)
      this.#stored = text
    }
    const writing = this.#writing.then(write)
    // Whoever saves is told below of a write that fails; the next write, and the end, only wait until it is over.
    this.#writing = writing.catch(() => {})
    await writing
  }

  /** Tells of a status or a trouble that is not the one told last. */
  #observe(): void {
    const { health } = this
    const summary = `${health.status} ${health.error?.message ?? ''}`
    if (summary === this.#told) return
    this.#told = summary
    this.#deps.onHealth(health)
  }
}

/** What is learnt while an attempt lasts. */
interface Attempt {
  verifier: Bundle | undefined
  answeredBy: FetchReport['answeredBy']
  document: BundleDocument | undefined
}

/** By content: what comes from elsewhere may be a new object each time. */
const isAnother = (before: Bundle | undefined, now: Bundle | undefined): boolean =>
  before !== now && (before === undefined || now === undefined || !bundlesEqual(before, now))

function checkNotStale({ x509Authorities }: Bundle, endpointId: SpiffeId, now: Date): void {
  if (x509Authorities.some(({ certificate }) => certificate.notAfter >= now)) return
  const why =
    x509Authorities.length === 0 ? 'has no X.509 authority' : 'is stale: all of its X.509 authorities have expired'
  const { trustDomain } = endpointId
  throw new SallyportError(
    'BUNDLE_STALE',
    `Cannot verify the bundle endpoint ${endpointId}: the bundle of ${trustDomain} that is held here ${why}`,
  )
}

const closed = ({ trustDomain }: Relationship): SallyportError =>
  new SallyportError('SOURCE_CLOSED', `The relationship with ${trustDomain} has ended`)
