import type { TLSSocket } from 'node:tls'
import { SallyportError } from '../errors.ts'
import { clientConnections, type ReusingClientOptions } from './client-connections.ts'
import { connectTls } from './connect-tls.ts'
import type { Connections } from './connections.ts'
import { destinationOf } from './destination.ts'
import { connectionOf } from './peer-of.ts'
import { checkedClient } from './tls-client.ts'
import type { TlsSource } from './tls-source.ts'

/** What `fetch` takes as `dispatcher`, as far as the types of Node are there to say so. */
export type FetchDispatcher = RequestInit extends { dispatcher?: infer D } ? NonNullable<D> : object

export interface DispatcherOptions extends ReusingClientOptions {
  /** The class `Agent` of the `undici` whose `fetch` will use it. Default: that of Node's own `fetch`. */
  readonly agent?: AgentClass | undefined
  /** What else undici's agent goes by: `headersTimeout`, `connections`, … */
  readonly agentOptions?: Readonly<Record<string, unknown>> | undefined
}

/** Where undici would connect to. */
interface Target {
  readonly hostname: string
  readonly port: string
  readonly protocol: string
  readonly servername?: string | null | undefined
}

type Connected = (error: Error | null, socket: TLSSocket | null) => void

/** As much of undici's agent as is used here; it is the same in all versions from 5 to 8. */
export interface UndiciAgent {
  dispatch(request: { readonly origin?: string | URL | null | undefined }, handler: object): boolean
  close(done?: Done): Promise<void>
  destroy(reason?: Error | null, done?: Done): Promise<void>
}

type Done = () => void

export type AgentClass = new (options: {
  readonly connect: (target: Target, connected: Connected) => void
}) => UndiciAgent

/**
 * A dispatcher for the global `fetch`, or for that of the package `undici`. Each new connection presents the newest SVID, and no
 * request is written before its server is verified; a connection that is about to lose its proof is not used again. Plain HTTP
 * is refused.
 *
 * @throws {@link SallyportError} `FETCH_AGENT_UNKNOWN` where Node's `fetch` has been given an agent of another kind
 * @example
 * ```ts
 * const orders = dispatcher(source, { server: exactly('spiffe://example.org/orders') })
 * const answer = await fetch('https://orders:8443/', { dispatcher: orders })
 * ```
 */
export function dispatcher(source: TlsSource, options: DispatcherOptions): FetchDispatcher & AsyncDisposable {
  const { agent: Agent = agentOfNode(), agentOptions } = checkedClient(source, options)
  const connections = clientConnections(options)
  const open = (): Pool => new Pool(Agent, agentOptions, (target) => connect(source, options, connections, target))

  /** Everything that undici's dispatchers can do comes down to `dispatch`. */
  class SvidDispatcher extends Agent implements AsyncDisposable {
    readonly #pools = new Map<string, Pool>()
    /** Retired pools that finish their requests. */
    readonly #ending = new Set<Pool>()
    #isClosed = false
    #closing: Promise<unknown> | undefined

    override dispatch(request: Parameters<UndiciAgent['dispatch']>[0], handler: object): boolean {
      // Refused there, as by every dispatcher that is closed.
      if (this.#isClosed) return super.dispatch(request, handler)
      const origin = String(request.origin)
      let pool = this.#pools.get(origin)
      if (pool === undefined || pool.isRetired) {
        if (pool !== undefined) this.#letEnd(pool)
        this.#pools.set(origin, (pool = open()))
      }
      return pool.agent.dispatch(request, handler)
    }

    override async close(done?: Done): Promise<void> {
      // undici makes the promise by calling this again with a callback.
      if (done !== undefined) return super.close(done)
      // Once: undici refuses to close what is closed.
      await (this.#closing ??= this.#close())
    }

    override async destroy(reason: Error | null = null, done?: Done): Promise<void> {
      if (done !== undefined) return super.destroy(reason, done)
      this.#isClosed = true
      const destroyed = Promise.all(this.#all().map(({ agent }) => agent.destroy(reason)))
      this.#closing ??= destroyed
      await destroyed
      await super.destroy(reason)
    }

    async #close(): Promise<void> {
      this.#isClosed = true
      await Promise.all(this.#all().map((pool) => pool.close()))
      await super.close()
    }

    #letEnd(pool: Pool): void {
      this.#ending.add(pool)
      void pool.close().finally(() => this.#ending.delete(pool))
    }

    #all(): Pool[] {
      return [...this.#ending, ...this.#pools.values()]
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await this.close()
    }
  }
  return new SvidDispatcher({
    connect: (_target, connected) => connected(new Error('The dispatcher is closed'), null),
  }) as never
}

/** The connections to one origin. undici cannot be told to leave one of them alone, so one that retires takes its pool along. */
class Pool {
  readonly agent: UndiciAgent
  #closing: Promise<void> | undefined

  constructor(Agent: AgentClass, agentOptions: object | undefined, dial: (target: Target) => Promise<TLSSocket>) {
    this.agent = new Agent({
      ...agentOptions,
      connect: (target, connected) => {
        dial(target).then(
          (socket) => {
            connectionOf(socket).farewell = () => void this.close()
            connected(null, socket)
          },
          (error: Error) => connected(error, null),
        )
      },
    })
  }

  /** Takes no new request. */
  get isRetired(): boolean {
    return this.#closing !== undefined
  }

  /** Resolves when the last of its requests has finished. */
  close(): Promise<void> {
    // It fails only for an agent that was destroyed meanwhile: nothing is left to close, and its requests were told why.
    return (this.#closing ??= this.agent.close().catch(() => {}))
  }
}

async function connect(
  source: TlsSource,
  { server, clock, timeoutMs }: DispatcherOptions,
  connections: Connections,
  target: Target,
): Promise<TLSSocket> {
  const { hostname, protocol, servername } = target
  if (protocol !== 'https:')
    throw new SallyportError(
      'TLS_FAILED',
      `Cannot connect to ${hostname} over ${protocol} with an SVID: it takes https:`,
      { hint: 'Write the address with https://.' },
    )
  const { socket } = await connectTls(source, {
    to: destinationOf(target),
    server,
    clock,
    timeoutMs,
    servername: servername ?? undefined,
    alpnProtocols: ['http/1.1'],
    connections,
  })
  return socket
}

/** Where each undici leaves the agent that `fetch` uses, for the others in the process to find. */
const GLOBAL_AGENTS = [Symbol.for('undici.globalDispatcher.2'), Symbol.for('undici.globalDispatcher.1')]

function agentOfNode(): AgentClass {
  // Node loads its undici when one of its classes is first asked for.
  void globalThis.Headers
  for (const name of GLOBAL_AGENTS) {
    const { constructor } = ((globalThis as Record<symbol, unknown>)[name] ?? {}) as { constructor: { name: string } }
    // Others, such as those for proxies, do not connect as they are told.
    if (constructor.name === 'Agent') return constructor as unknown as AgentClass
  }
  throw new SallyportError('FETCH_AGENT_UNKNOWN', 'Cannot make a dispatcher for fetch: its agent has been replaced')
}
