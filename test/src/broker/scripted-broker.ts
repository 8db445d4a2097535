import { decodeMessage } from '../../../src/wire/decode-message.ts'
import type { Client, ClientOptions, Transport } from '../../../src/wire/client.ts'
import {
  type apiService,
  kubernetesObjectReferenceType,
  type WorkloadReference,
  workloadPidReferenceType,
} from '../../../src/wire/messages/spiffe-broker.ts'
import type { Methods, Sent, Service } from '../../../src/wire/service.ts'
import { answerOf, play, silence, type Step } from '../../fakes/workload-api.ts'

type Method = 'subscribeToX509Svid' | 'subscribeToX509Bundles' | 'subscribeToJwtBundles' | 'fetchJwtSvid'

interface Referring {
  readonly reference?: Sent<WorkloadReference> | null | undefined
}

export interface BrokerCall {
  readonly method: Method
  /** The number of the process, or the name of the object. */
  readonly workload: string
  readonly request: unknown
  readonly options: ClientOptions
}

/** A broker endpoint that does for each workload what a test scripts: the first call of a method gets the first script, and so on. */
export class ScriptedBroker implements Transport {
  readonly calls: BrokerCall[] = []
  closed = false
  readonly #scripts = new Map<string, (readonly Step[])[]>()

  /** The next scripts of a method for a workload. When there are no more, it answers with nothing and waits. */
  script(workload: number | string, method: Method, ...scripts: readonly (readonly Step[])[]): this {
    const key = `${workload} ${method}`
    this.#scripts.set(key, [...(this.#scripts.get(key) ?? []), ...scripts])
    return this
  }

  client<M extends Methods>(service: Service<M>): Client<Service<M>> {
    if (service.name !== 'spiffe.broker.API') throw new Error(`no script for ${service.name}`)
    const client: Client<typeof apiService> = {
      subscribeToX509Svid: (request, options) => this.#stream('subscribeToX509Svid', request, options),
      subscribeToX509Bundles: (request, options) => this.#stream('subscribeToX509Bundles', request, options),
      subscribeToJwtBundles: (request, options) => this.#stream('subscribeToJwtBundles', request, options),
      fetchJwtSvid: (request, options) => this.#unary('fetchJwtSvid', request, options),
    }
    return client as unknown as Client<Service<M>>
  }

  async close(): Promise<void> {
    this.closed = true
  }

  /** How often a method was called for a workload. */
  count(workload: number | string, method: Method): number {
    return this.calls.filter((call) => call.workload === String(workload) && call.method === method).length
  }

  async *#stream<T>(method: Method, request: Referring, options: ClientOptions = {}): AsyncGenerator<T> {
    const workload = nameOf(request.reference?.reference ?? {})
    this.calls.push({ method, workload, request, options })
    yield* play<T>(this.#scripts.get(`${workload} ${method}`)?.shift() ?? [silence], options)
  }

  #unary<T>(method: Method, request: Referring, options?: ClientOptions): Promise<T> {
    return answerOf(method, this.#stream<T>(method, request, options))
  }
}

function nameOf({
  type_url: typeUrl = '',
  value = Buffer.alloc(0),
}: {
  type_url?: string | undefined
  value?: Uint8Array | undefined
}): string {
  if (typeUrl.endsWith('.WorkloadPIDReference'))
    return String(decodeMessage(workloadPidReferenceType, Buffer.from(value)).pid)
  const { key, uid } = decodeMessage(kubernetesObjectReferenceType, Buffer.from(value))
  return key?.name ?? uid
}
