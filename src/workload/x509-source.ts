import type { BundleSet } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { awaitFirstState, nothingYet } from './first-state.ts'
import { Followed } from './followed.ts'
import { checkPicker, selectSvid, type SvidPicker } from './select-svid.ts'
import type { SourceHealth } from './source-health.ts'
import { type SourceClient, sourceClient, type SourceOptions, type SvidClient } from './source-options.ts'
import type { X509Context } from './x509-context.ts'

export interface X509SourceOptions extends SourceOptions<SvidClient> {
  /** Which identity to be when there are several: `{ hint }`, `{ spiffeId }` or a function. Default: the first. */
  readonly picker?: SvidPicker<X509Svid> | undefined
  /**
   * Apply the revocation lists that the agent sends: a certificate that one names is refused, and so is one whose issuer's list is
   * out of date. A list that cannot be read makes its message unusable. Default: no, SVIDs end soon by themselves.
   */
  readonly checkRevocation?: boolean | undefined
}

/** The identity of a moment, with the bundles of the same message. The same object until the next change. */
export interface X509Identity {
  readonly svid: X509Svid
  readonly bundles: BundleSet
}

/** Everything of X.509 that a workload holds since a change. */
export interface X509State extends X509Context {
  /** Goes up with every change. */
  readonly revision: number
  /** The picked one; undefined when none is held that will do. */
  readonly svid: X509Svid | undefined
}

/**
 * This workload's X509-SVID and bundles, kept current by a stream from the agent. All of one message takes effect at once. While
 * agent or server are away the last good value stays in use, and never beyond the end of the SVID.
 *
 * @example
 * ```ts
 * await using source = await X509Source.open()
 * const { svid, bundles } = source.current()
 * ```
 */
export class X509Source implements TlsSource, AsyncDisposable {
  readonly #followed: Followed<HeldContext>
  readonly #clock: Clock
  readonly #connection: SourceClient<SvidClient>

  /**
   * Connects to the Workload API and waits for the first SVID.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`; `SOURCE_TIMEOUT`, which says what is missing and what
   *   helps; what the agent answered when asking again is of no use; the reason of `signal`
   */
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    checkPicker(options.picker)
    const source = new X509Source(await sourceClient(options), options)
    try {
      await source.#ready(options)
      return source
    } catch (error) {
      await source.close()
      throw error
    }
  }

  private constructor(connection: SourceClient<SvidClient>, { picker, checkRevocation, onHealth }: X509SourceOptions) {
    const { client } = connection
    this.#connection = connection
    this.#clock = client.clock
    this.#followed = new Followed<HeldContext>({
      what: 'X.509 source',
      clock: client.clock,
      watch: (signal, onError) => held(client.watchX509Svids(signal, { onError, checkRevocation }), picker),
      isWithdrawn: ({ context }) => context.svids.length === 0,
      expiresAt: ({ expiresAt }) => expiresAt,
    })
    if (onHealth !== undefined) this.#followed.onHealth(onHealth)
  }

  /**
   * The SVID and bundles of this moment.
   *
   * @throws {@link SallyportError} `SVID_EXPIRED`; `IDENTITY_NOT_HELD` when the agent has withdrawn it or the picker finds none;
   *   `SOURCE_CLOSED`
   */
  current(): X509Identity {
    const held = this.#held()
    if ('problem' in held.picked) throw held.picked.problem
    const { expiresAt } = held
    if (expiresAt !== undefined && expiresAt <= this.#clock.now()) throw this.#expired(held.picked.svid, expiresAt)
    return held.picked
  }

  /** Every SVID that is held, the default one first, expired ones included. */
  get svids(): readonly X509Svid[] {
    return this.#held().context.svids
  }

  /** Goes up with every change, so that what follows from one state can be cached. */
  get revision(): number {
    return this.#followed.revision
  }

  /** Calls `listener` after every change, when `current()` answers with the new state. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    return this.#followed.onChange(listener)
  }

  /** The state of now, and every later one until this is closed or `signal` aborts. Whoever is slow misses those in between. */
  async *watch(signal?: AbortSignal): AsyncGenerator<X509State> {
    for await (const { context, picked } of this.#followed.states(signal)) {
      yield { ...context, revision: this.revision, svid: 'svid' in picked ? picked.svid : undefined }
    }
  }

  get health(): SourceHealth {
    return this.#followed.health
  }

  /** Calls `listener` with every change of health. Disposing ends it. */
  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return this.#followed.onHealth(listener)
  }

  /** Ends the stream; afterwards `current()` refuses. */
  async close(): Promise<void> {
    await this.#followed.close()
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #held(): HeldContext {
    const { state, isClosed } = this.#followed
    if (isClosed) throw new SallyportError('SOURCE_CLOSED', 'Cannot use the X.509 source: it is closed')
    if (state === undefined) throw nothingYet('IDENTITY_NOT_HELD', 'Cannot be anybody: no SVID has arrived yet')
    return state
  }

  #expired({ spiffeId }: X509Svid, expiresAt: Date): SallyportError {
    const { error } = this.health
    const why = error === undefined ? 'no newer one has come' : error.message
    return new SallyportError(
      'SVID_EXPIRED',
      `Cannot be ${spiffeId} any more: its SVID expired at ${expiresAt.toISOString()}, ${why}`,
      { cause: error },
    )
  }

  #ready({ timeoutMs, signal }: X509SourceOptions): Promise<void> {
    const { clock, address } = this.#connection.client
    const missing = (): Error | undefined => {
      try {
        this.current()
        return undefined
      } catch (error) {
        if (this.#followed.failure !== undefined) throw this.#followed.failure
        return error as Error
      }
    }
    return awaitFirstState([this.#followed], { clock, address, what: 'an X509-SVID', timeoutMs, signal, missing })
  }
}

/** A message with what the picker makes of it, so that it is asked once and everybody gets the same object. */
interface HeldContext {
  readonly context: X509Context
  readonly picked: X509Identity | { readonly problem: Error }
  /** Of the picked SVID: the first end in its chain. */
  readonly expiresAt: Date | undefined
}

async function* held(
  contexts: AsyncIterable<X509Context>,
  picker: SvidPicker<X509Svid> | undefined,
): AsyncGenerator<HeldContext> {
  for await (const context of contexts) yield heldContext(context, picker)
}

function heldContext(context: X509Context, picker: SvidPicker<X509Svid> | undefined): HeldContext {
  const { svids, bundles } = context
  if (svids.length === 0) {
    const problem = new SallyportError('IDENTITY_NOT_HELD', 'Cannot be anybody: the agent has withdrawn every SVID')
    return { context, picked: { problem }, expiresAt: undefined }
  }
  try {
    const svid = selectSvid(svids, picker)
    const ends = svid.chain.map(({ notAfter }) => notAfter.getTime())
    return { context, picked: { svid, bundles }, expiresAt: new Date(Math.min(...ends)) }
  } catch (error) {
    // Of a picker that throws, too: the stream goes on, and the next message may please it.
    return { context, picked: { problem: error as Error }, expiresAt: undefined }
  }
}
