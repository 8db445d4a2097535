import { type Clock, systemClock } from '../clock.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { checkSource } from '../tls/tls-source.ts'
import type { Client, Transport } from '../wire/client.ts'
import { apiService } from '../wire/messages/spiffe-broker.ts'
import { BrokeredWorkload } from './brokered-workload.ts'
import { BrokerIdentity, type BrokerSource } from './broker-identity.ts'
import { connectBroker } from './connect-broker.ts'
import type { WorkloadReference } from './reference.ts'

export interface BrokerClientOptions {
  /** Where the broker endpoint is: `unix:///path`, or `tcp://host:port` with an IP address or a name. Default: the environment's `SPIFFE_BROKER_SOCKET`. */
  readonly address?: string | undefined
  /** Who this broker is, and the bundles to verify the server with: its own `X509Source`. Whoever opened it closes it. */
  readonly source: BrokerSource
  /** Who must answer: usually the SPIFFE ID of the agent. */
  readonly server: IdMatcher
  /**
   * Told when the server refuses this broker, which somebody has to change in its configuration; it is asked again by and by. Default: a
   * warning of the process.
   */
  readonly onRefused?: ((error: Error) => void) | undefined
}

export interface BrokerClientDeps extends Pick<BrokerClientOptions, 'source' | 'onRefused'> {
  readonly transport: Transport
  /** What `transport` presents, where it presents something. */
  readonly identity?: BrokerIdentity | undefined
  readonly clock: Clock
  /** For messages: where the other end is. */
  readonly address?: string | undefined
  /** From 0 to 1; spreads retries. Default: `Math.random`. */
  readonly random?: (() => number) | undefined
  /** Whether a number still is the process that it was. Default: as `/proc` tells. */
  readonly pin?: ((pid: number) => () => boolean) | undefined
}

/**
 * A client of the SPIFFE Broker API: fetches identities for workloads on whose behalf this process acts, such as a proxy of a node. One
 * connection carries the calls for all of them and outlives each.
 *
 * Incubating: {@link BROKER_API_REVISION} says which revision of the specification this is.
 *
 * @example
 * ```ts
 * await using self = await X509Source.open()
 * await using broker = await BrokerClient.open({ source: self, server: memberOf('example.org') })
 * await using orders = broker.workload({ pid: 4711 })
 * await using source = await orders.x509Source()
 * ```
 * @see SPIFFE_Broker_API.md, SPIFFE_Broker_Endpoint.md (Incubating)
 */
export class BrokerClient implements AsyncDisposable {
  readonly #api: Client<typeof apiService>
  readonly #deps: BrokerClientDeps
  readonly #identity: BrokerIdentity
  readonly #workloads = new Set<BrokeredWorkload>()

  /**
   * A client of the broker endpoint at an address. Connects when first used, with the SVID of the moment.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`
   */
  static async open({ address, source, server, onRefused }: BrokerClientOptions): Promise<BrokerClient> {
    checkSource(source)
    const identity = new BrokerIdentity(source)
    const connection = await connectBroker({ address, identity, source, server, clock: systemClock })
    return new BrokerClient({ ...connection, identity, source, onRefused, clock: systemClock })
  }

  /** A client over any transport, such as that of a test. Most callers want {@link BrokerClient.open}. */
  constructor(deps: BrokerClientDeps) {
    this.#deps = deps
    this.#identity = deps.identity ?? new BrokerIdentity(deps.source)
    this.#api = deps.transport.client(apiService)
  }

  /** A handle for one workload: what is held for it is apart from everything else. Nothing is asked before it is used. */
  workload(reference: WorkloadReference): BrokeredWorkload {
    const { clock, address = 'the broker endpoint', random = Math.random, pin, onRefused = warn } = this.#deps
    const workload = new BrokeredWorkload(reference, {
      ...{ api: this.#api, identity: this.#identity, clock, address, random, pin, onRefused },
      onOver: (one) => void this.#workloads.delete(one),
    })
    this.#workloads.add(workload)
    return workload
  }

  /** Ends every handle and the connection. */
  async close(): Promise<void> {
    await Promise.all([...this.#workloads].map((workload) => workload.close()))
    await this.#deps.transport.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const warn = (error: Error): void => process.emitWarning(error)
