import { orAborted } from '../abort.ts'
import { SallyportError } from '../errors.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { TlsIdentity } from '../wire/tls-identity.ts'

/** Where a broker takes its own SVID from, and the bundles to verify the server with: an `X509Source`. */
export interface BrokerSource extends TlsSource {
  /** Calls `listener` after every change. */
  onChange(listener: () => void): Disposable
}

/** Who this broker is to the server, as its source says at the moment. */
export class BrokerIdentity {
  readonly #source: BrokerSource
  #shown: TlsIdentity | undefined

  constructor(source: BrokerSource) {
    this.#source = source
  }

  /**
   * What is presented on new connections: the same object while the SVID is the same, whatever else the source is told.
   *
   * @throws {@link SallyportError} `CALLER_UNPROVEN` while there is none; `SOURCE_CLOSED`
   */
  current(): TlsIdentity {
    const { chain, privateKey } = this.#held()
    if (privateKey === undefined) throw new TypeError('The source of a broker must hold its private key')
    const [leaf] = this.#shown?.chain ?? []
    if (leaf?.equals(chain[0].der) !== true) this.#shown = { chain: chain.map(({ der }) => der), privateKey }
    return this.#shown!
  }

  /** As {@link current}; undefined where there is none. */
  get known(): TlsIdentity | undefined {
    try {
      return this.current()
    } catch {
      return undefined
    }
  }

  /** Resolves when there is an identity that is not this one. */
  async otherThan(used: TlsIdentity | undefined, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const { known } = this
      if (known !== undefined && known !== used) return
      await this.#changed(signal)
    }
  }

  #changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const listening = this.#source.onChange(resolve)
    return orAborted(promise, signal).finally(() => listening[Symbol.dispose]())
  }

  #held(): ReturnType<TlsSource['current']>['svid'] {
    try {
      return this.#source.current().svid
    } catch (cause) {
      if (cause instanceof SallyportError && cause.code === 'SOURCE_CLOSED') throw cause
      // Not its own code: that would read as if it were about a workload.
      throw new SallyportError('CALLER_UNPROVEN', `This broker is nobody at the moment: ${(cause as Error).message}`, {
        cause,
      })
    }
  }
}
