import { join } from 'node:path'
import { Conversation } from '../e2e/conversation.ts'
import type { House } from '../e2e/house.ts'
import { cleanEnvironment, root, RunningProcess } from '../e2e/processes.ts'
import type { ClientReport, ServiceReady, ServiceReport } from './messages.ts'

export interface SoakOptions {
  readonly requestsPerSecond: number
  /** Life of the SVIDs of both services, such as `10s`. */
  readonly svidTtl: string
}

/** Both sides at one moment. */
export interface SoakReport {
  readonly client: ClientReport
  readonly service: ServiceReport
  /** How many requests have failed. */
  readonly failures: number
}

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders'
const WEB = 'spiffe://example.org/ns/shop/sa/web'

/** Two services on the SDK, as processes of their own, one of which calls the other all the while; their agent is that of a house. */
export class Soak implements AsyncDisposable {
  readonly service: RunningProcess
  readonly client: RunningProcess
  readonly #service: Conversation
  readonly #client: Conversation

  private constructor(service: RunningProcess, client: RunningProcess, talks: readonly [Conversation, Conversation]) {
    this.service = service
    this.client = client
    ;[this.#service, this.#client] = talks
  }

  static async start(house: House, { requestsPerSecond, svidTtl }: SoakOptions): Promise<Soak> {
    for (const id of [ORDERS, WEB]) await house.register(new URL(id).pathname, '--x509-ttl', svidTtl)
    const start = (program: string, ...args: readonly string[]): RunningProcess =>
      new RunningProcess(process.execPath, ['--expose-gc', join(import.meta.dirname, program), ...args], {
        cwd: root,
        env: cleanEnvironment({ SPIFFE_ENDPOINT_SOCKET: house.endpoint }),
      })
    const service = start('service.ts', ORDERS)
    const toService = new Conversation(service)
    const ready = await toService.next<ServiceReady>()
    const client = start('client.ts', WEB, ORDERS, JSON.stringify(ready), String(requestsPerSecond))
    const toClient = new Conversation(client)
    await toClient.next()
    return new Soak(service, client, [toService, toClient])
  }

  async look(): Promise<SoakReport> {
    const [service, client] = await Promise.all([
      this.#service.ask<ServiceReport>('?'),
      this.#client.ask<ClientReport>('?'),
    ])
    return { service, client, failures: Object.values(client.failed).reduce((sum, count) => sum + count, 0) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.service[Symbol.asyncDispose]()
  }
}
