import type { Client, ClientOptions, Transport } from '../../src/wire/client.ts'
import type { workloadPolicyService } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { spiffeWorkloadApiService } from '../../src/wire/messages/spiffe-workload.ts'
import type { Methods, Service } from '../../src/wire/service.ts'

/** What a stream does, step by step: sends a message, or fails, or waits; at its end it closes cleanly. */
export type Step = object | Error | ((options: ClientOptions) => void | Promise<void>)

/** A step that says nothing more until the client has had enough. */
export const silence = ({ signal }: ClientOptions): Promise<void> =>
  new Promise<void>((_resolve, reject) => {
    const stop = (): void => reject(signal?.reason as Error)
    if (signal?.aborted === true) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })

/** Does what a script says, until the client has had enough. */
export async function* play<T>(script: readonly Step[], options: ClientOptions): AsyncGenerator<T> {
  for (const step of script) {
    options.signal?.throwIfAborted()
    if (step instanceof Error) throw step
    if (typeof step === 'function') await (step as (given: ClientOptions) => void | Promise<void>)(options)
    else yield step as T
  }
}

/** The answer of a method that has one, by the script that it plays. */
export async function answerOf<T>(method: string, playing: AsyncIterable<T>): Promise<T> {
  for await (const answer of playing) return answer
  throw new Error(`the script of ${method} has no answer`)
}

export interface RecordedCall {
  readonly method: string
  readonly request: unknown
  readonly options: ClientOptions
}

/** An agent at the other end of a transport that does what a test scripts: the first call of a method gets the first script. */
export class ScriptedWorkloadApi implements Transport {
  readonly calls: RecordedCall[] = []
  closed = false
  readonly #scripts: Record<string, (readonly Step[])[]>

  constructor(scripts: Readonly<Record<string, readonly (readonly Step[])[]>>) {
    this.#scripts = Object.fromEntries(Object.entries(scripts).map(([method, list]) => [method, [...list]]))
  }

  client<M extends Methods>(service: Service<M>): Client<Service<M>> {
    const client: Client<typeof spiffeWorkloadApiService> & Client<typeof workloadPolicyService> = {
      fetchX509Svid: (request, options) => this.#stream('fetchX509Svid', request, options),
      fetchX509Bundles: (request, options) => this.#stream('fetchX509Bundles', request, options),
      fetchJwtSvid: (request, options) => this.#unary('fetchJwtSvid', request, options),
      fetchJwtBundles: (request, options) => this.#stream('fetchJwtBundles', request, options),
      validateJwtSvid: (request, options) => this.#unary('validateJwtSvid', request, options),
      fetchWitSvid: (request, options) => this.#stream('fetchWitSvid', request, options),
      fetchWitBundles: (request, options) => this.#stream('fetchWitBundles', request, options),
      watchPolicy: (request, options) => this.#stream('watchPolicy', request, options),
      reportDecisions: (requests, options) => this.#stream('reportDecisions', requests, options),
    }
    const isKnown = service.name === 'SpiffeWorkloadAPI' || service.name === 'sallyport.policy.v1.WorkloadPolicy'
    if (!isKnown) throw new Error(`no script for ${service.name}`)
    return client as unknown as Client<Service<M>>
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }

  async *#stream<T>(method: string, request: unknown, options: ClientOptions = {}): AsyncGenerator<T> {
    this.calls.push({ method, request, options })
    const script = this.#scripts[method]?.shift()
    if (script === undefined) throw new Error(`no more scripts for ${method}`)
    yield* play<T>(script, options)
  }

  #unary<T>(method: string, request: unknown, options?: ClientOptions): Promise<T> {
    return answerOf(method, this.#stream<T>(method, request, options))
  }
}
