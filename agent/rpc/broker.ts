import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { Call } from '../../src/wire/call.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { apiService, type WorkloadReference } from '../../src/wire/messages/spiffe-broker.ts'
import { brokerError } from '../broker/broker-error.ts'
import type { BrokerScopes } from '../broker/brokered-entitlements.ts'
import type { Broker, Brokers } from '../broker/brokers.ts'
import { CallLife } from '../broker/call-life.ts'
import { parseReference, printReference, type Reference } from '../broker/reference.ts'
import { findWorkload, type FoundWorkload, type WorkloadsDeps } from '../broker/workloads.ts'
import type { Matched } from '../entries/subscription.ts'
import { bundlesFor, jwtOrderOf, jwtSvidsFor, type MaterialDeps, x509SvidsFor } from './caller-material.ts'
import { checkHeader } from './callers.ts'
import { jwtBundles } from './jwt-messages.ts'
import { X509Messages } from './x509-messages.ts'

export interface BrokerDeps extends Omit<MaterialDeps, 'entitlements'>, WorkloadsDeps {
  readonly brokers: Brokers
  readonly scopes: BrokerScopes
  readonly clock: Clock
  readonly log: Log
}

export const BROKER_HEADER = 'broker.spiffe.io'

/** Every call of the broker endpoint, whatever its method: first who it is, then the header (BE-05, BE-07). */
export const brokerAccess =
  (brokers: Brokers) =>
  async (call: Call): Promise<void> => {
    await brokers.admit(call)
    checkHeader(call, BROKER_HEADER)
  }

/**
 * The SPIFFE Broker API: what the Workload API gives to a process, given to a broker that refers to the process.
 *
 * @see SPIFFE_Broker_API.md
 */
export function brokerApi(deps: BrokerDeps): Implementation {
  const messages = new X509Messages(deps.log)
  const desk = new BrokerDesk(deps)
  const bundles = <T>(reference: WorkloadReference | null, call: Call, encode: (matched: Matched) => T) =>
    desk.stream(reference, call, 'bundles', async function* ({ workload, material, signal, idsOfAll }) {
      for await (const message of bundlesFor(workload, material, encode, signal)) yield { message, ids: idsOfAll() }
    })
  return implement(apiService, {
    subscribeToX509Svid: ({ reference }, call) =>
      desk.stream(reference, call, 'X509-SVIDs', async function* ({ workload, material, signal }) {
        for await (const message of x509SvidsFor(workload, material, messages, signal)) {
          yield { message, ids: message.svids.map(({ spiffeId }) => spiffeId) }
        }
      }),
    subscribeToX509Bundles: ({ reference }, call) => bundles(reference, call, (matched) => messages.bundles(matched)),
    async fetchJwtSvid({ reference, ...request }, call) {
      const order = jwtOrderOf(request)
      const answers = desk.stream(reference, call, 'JWT-SVIDs', async function* ({ workload, material, signal }) {
        const message = await jwtSvidsFor(workload, material, order, signal)
        yield { message, ids: message.svids.map(({ spiffeId }) => spiffeId) }
      })
      for await (const answer of answers) return answer
      throw new SallyportError('INTERNAL', 'A call for tokens ended without any')
    },
    subscribeToJwtBundles: ({ reference }, call) =>
      bundles(reference, call, (matched) => jwtBundles(matched, deps.log)),
  })
}

/** One call for one workload. */
interface Brokered {
  readonly workload: FoundWorkload
  /** As far as it is for this broker. */
  readonly material: MaterialDeps
  readonly signal: AbortSignal
  /** The identities that the workload has now, as far as they are for this broker. */
  readonly idsOfAll: () => readonly string[]
}

interface Given<T> {
  readonly message: T
  /** Whose it is. */
  readonly ids: readonly string[]
}

/** Where brokers refer to workloads: checks that they may, and writes down what they were given. */
class BrokerDesk {
  readonly #deps: BrokerDeps

  constructor(deps: BrokerDeps) {
    this.#deps = deps
  }

  async *stream<T>(
    reference: WorkloadReference | null,
    call: Call,
    what: 'X509-SVIDs' | 'JWT-SVIDs' | 'bundles',
    give: (brokered: Brokered) => AsyncIterable<Given<T>>,
  ): AsyncGenerator<T> {
    const wanted = parseReference(reference)
    const broker = await this.#deps.brokers.of(call)
    try {
      checkMayRefer(broker, wanted)
      using workload = await findWorkload(wanted, this.#deps, call.signal)
      for await (const { message, ids } of this.#given(workload, broker, call, give)) {
        this.#note(call, broker, wanted, { spiffeId: ids }, `Gave a broker ${what}`)
        yield message
      }
    } catch (error) {
      call.signal.throwIfAborted()
      const told = brokerError(error)
      this.#note(call, broker, wanted, { err: told }, `Ended a call of a broker for ${what}`)
      throw told
    }
  }

  async *#given<T>(
    workload: FoundWorkload,
    broker: Broker,
    call: Call,
    give: (brokered: Brokered) => AsyncIterable<Given<T>>,
  ): AsyncGenerator<Given<T>> {
    const { brokers, clock, scopes } = this.#deps
    const entitlements = scopes.of(broker.identities)
    const material = { ...this.#deps, entitlements }
    const { peer, selectors } = workload
    using life = new CallLife({ call: call.signal, peer, broker, clock })
    const idsOfAll = () => entitlements.matching(selectors).map(({ spiffeId }) => spiffeId.toString())
    try {
      for await (const given of give({ workload, material, signal: life.signal, idsOfAll })) {
        // Between the messages of a stream the bundle that vouches for the broker may have changed.
        await brokers.of(call)
        yield given
      }
    } catch (error) {
      // While the process is still held: afterwards nobody can tell whether it lives.
      throw brokerError(error, peer)
    }
  }

  /** The record of who was given what, and of what was refused. */
  #note({ method, requestId }: Call, broker: Broker, reference: Reference, fields: object, sentence: string): void {
    const workload = reference.kind === 'pid' ? { pid: reference.pid } : { reference: printReference(reference) }
    this.#deps.log.info({ callerId: broker.spiffeId.toString(), ...workload, ...fields, method, requestId }, sentence)
  }
}

/** @throws {@link SallyportError} `BROKER_REFUSED` */
function checkMayRefer({ spiffeId, references }: Broker, { kind }: Reference): void {
  if (references.has(kind)) return
  throw new SallyportError(
    'BROKER_REFUSED',
    `Cannot serve ${spiffeId}: it may not refer to workloads by ${kind} over this endpoint`,
    {
      hint: 'Allow it under experimental.broker.allow of the agent: `references` for the socket, `referencesOverTcp` for TCP.',
    },
  )
}
