import type { Clock } from '../../src/clock.ts'
import { parseAddress } from '../../src/config/operations-fields.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { WireLimits } from '../../src/wire/limits.ts'
import type { TlsIdentity } from '../../src/wire/tls-identity.ts'
import { reflection } from '../../src/wire/reflection.ts'
import type { serve, ServeOptions, WireServer } from '../../src/wire/serve.ts'
import { type AllowedBroker, Brokers, type BrokersDeps } from '../broker/brokers.ts'
import type { BrokerConfig } from '../config.ts'
import type { AgentIdentity } from '../node/join.ts'
import { brokerAccess, brokerApi, type BrokerDeps } from './broker.ts'

export interface BrokerEndpointDeps
  extends Omit<BrokerDeps, 'brokers'>, Pick<BrokersDeps, 'isInSync' | 'cryptography' | 'callsPerBroker'> {
  readonly serve: typeof serve
  /** The agent's own SVID, which brokers know it by. */
  readonly identity: () => AgentIdentity | undefined
  readonly bundles: BrokersDeps['entitlements']
  readonly recordCall: ServeOptions['recordCall']
  readonly limits: Partial<WireLimits>
  readonly clock: Clock
  readonly log: Log
}

const modes = { owner: 0o600, group: 0o660, everyone: 0o666 } as const

/**
 * The broker endpoint: a socket, an address or both, each with what brokers may refer to over it. Mutual TLS on either, by the SVIDs of
 * the moment.
 *
 * @see SPIFFE_Broker_Endpoint.md
 */
export class BrokerEndpoint implements AsyncDisposable {
  readonly #config: BrokerConfig
  readonly #deps: BrokerEndpointDeps
  readonly #wires: WireServer[] = []

  constructor(config: BrokerConfig, deps: BrokerEndpointDeps) {
    this.#config = config
    this.#deps = deps
  }

  /**
   * Opens what the configuration names, and nothing where it names nothing.
   *
   * @returns the port of the address, where there is one
   * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`, `SOCKET_IN_USE`, `ADDRESS_UNUSABLE`
   */
  async listen(): Promise<number | undefined> {
    const { socket, socketFor, listen, allow } = this.#config
    const options = { credentials: () => this.#credentials(), requireCertificate: true }
    if (socket !== undefined) {
      await this.#wire(allow).listenTls({ unix: socket, mode: modes[socketFor] }, options)
    }
    if (listen === undefined) return undefined
    const overTcp = allow.map(({ id, referencesOverTcp, identities }) => ({
      id,
      references: referencesOverTcp,
      identities,
    }))
    const { port } = await this.#wire(overTcp).listenTls(parseAddress(listen), options)
    return port
  }

  async drain(timeoutMs: number): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.drain(timeoutMs)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire[Symbol.asyncDispose]()))
  }

  /** A socket and an address may allow different things, so each has services of its own. */
  #wire(allow: readonly AllowedBroker[]): WireServer {
    const { log, clock, recordCall, limits, bundles, isInSync, cryptography, callsPerBroker } = this.#deps
    const brokers = new Brokers({ allow, entitlements: bundles, isInSync, clock, cryptography, log, callsPerBroker })
    const api = brokerApi({ ...this.#deps, brokers })
    const wire = this.#deps.serve({
      implementations: [api, ...reflection([api])],
      before: brokerAccess(brokers),
      ...{ recordCall, log, clock, limits },
    })
    this.#wires.push(wire)
    return wire
  }

  #credentials(): TlsIdentity {
    const identity = this.#deps.identity()
    if (identity !== undefined && identity.notAfter > this.#deps.clock.now()) return identity
    throw new SallyportError('NOT_READY', 'Cannot meet brokers: this agent has no valid X509-SVID of its own')
  }
}
