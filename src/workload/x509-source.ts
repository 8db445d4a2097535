import type { BundleSet } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { awaitFirstState, nothingYet, onceReady } from './first-state.ts'
import { Followed } from './followed.ts'
import { type NobodyPicked, pickedOf, svidExpired } from './picked-svid.ts'
import { checkPicker, type SvidPicker } from './select-svid.ts'
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
    return onceReady(source, () => source.#ready(options))
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
      expiresAt: ({ picked }) => ('problem' in picked ? undefined : picked.expiresAt),
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
    const { picked } = this.#held()
    if ('problem' in picked) throw picked.problem
    const { identity, expiresAt } = picked
    if (expiresAt <= this.#clock.now()) throw this.#expired(identity.svid, expiresAt)
    return identity
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
      yield { ...context, revision: this.revision, svid: 'problem' in picked ? undefined : picked.identity.svid }
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
    return svidExpired(spiffeId, { kind: 'SVID', expiresAt, error: this.health.error })
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

/** A message with what the picker makes of it. */
interface HeldContext {
  readonly context: X509Context
  readonly picked: HeldIdentity | NobodyPicked
}

interface HeldIdentity {
  readonly identity: X509Identity
  /** The first end in the chain of its SVID. */
  readonly expiresAt: Date
}

async function* held(
  contexts: AsyncIterable<X509Context>,
  picker: SvidPicker<X509Svid> | undefined,
): AsyncGenerator<HeldContext> {
  for await (const context of contexts) {
    const { svids, bundles } = context
    yield { context, picked: pickedOf(svids, picker, (svid) => heldIdentity(svid, bundles)) }
  }
}

function heldIdentity(svid: X509Svid, bundles: BundleSet): HeldIdentity {
  const ends = svid.chain.map(({ notAfter }) => notAfter.getTime())
  return { identity: { svid, bundles }, expiresAt: new Date(Math.min(...ends)) }
}
