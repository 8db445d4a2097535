import { copyFileSync, existsSync, linkSync } from 'node:fs'
import { join } from 'node:path'
import type { Decision } from '../../src/policy/decision.ts'
import type { House } from './house.ts'
import { cleanEnvironment, root, RunningProcess } from './processes.ts'

/** What a service of a zone tells. */
export type ZoneEvent =
  | { readonly event: 'ready'; readonly port: number }
  | { readonly event: 'policy'; readonly revision: number }
  | ({ readonly event: 'decided'; readonly id: string } & Pick<
      Decision,
      'decision' | 'deniedBy' | 'code' | 'wouldDeny'
    >)
  /** Status 0: the connection was not let in. */
  | { readonly event: 'answered'; readonly status: number; readonly decisionId: string }
  | { readonly event: 'held'; readonly count: number }
  | { readonly event: 'kept' }
  | { readonly event: 'allClosed'; readonly atMs: number }
  | {
      readonly event: 'status'
      /** Connections that it has let in, and those that it holds open itself. */
      readonly open: number
      readonly held: number
      readonly revision: number
      readonly fastLane: number
      readonly ageMs: number
      /** As its agent gives it; empty: none. */
      readonly identity: string
    }

export type ZoneOrder =
  | {
      readonly do: 'call'
      readonly port: number
      readonly peer: string
      readonly method: string
      readonly path: string
      /** With the SVID that it has kept, whatever its agent says. */
      readonly asKept: boolean
    }
  | { readonly do: 'keep' }
  | { readonly do: 'hold'; readonly port: number; readonly peer: string; readonly count: number }
  | { readonly do: 'status' }
  | { readonly do: 'clock'; readonly offsetMs: number }

type EventOf<K extends ZoneEvent['event']> = Extract<ZoneEvent, { event: K }>

/** Of `agent.yaml`, so that executables tell services apart. */
export const BY_PATH = 'attestors: { unix: { discoverWorkloadPath: true } }'

/** A service with an executable of its own, so that the kernel vouches for which one it is. */
export class ZoneProcess implements AsyncDisposable {
  readonly spiffeId: string
  readonly #process: RunningProcess
  #read = 0
  #events: ZoneEvent[] = []
  #port = 0

  private constructor(spiffeId: string, process: RunningProcess) {
    this.spiffeId = spiffeId
    this.#process = process
  }

  /** Registers `/zone/name`, unless it is, and starts it. Resolves when it enforces. */
  static async start(
    house: House,
    path: string,
    policyPort: number,
    more: readonly string[] = [],
  ): Promise<ZoneProcess> {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const program = house.path(name)
    if (!existsSync(program)) {
      try {
        linkSync(process.execPath, program)
      } catch {
        copyFileSync(process.execPath, program)
      }
      const selectors = ['--selector', `unix:uid:${process.getuid?.() ?? 0}`, '--selector', `unix:path:${program}`]
      await house.register(path, ...selectors, ...more)
    }
    const args = [
      '--disable-warning=ExperimentalWarning',
      join(root, 'test/e2e/zone-service.ts'),
      name,
      String(policyPort),
    ]
    const env = cleanEnvironment({ SPIFFE_ENDPOINT_SOCKET: house.endpoint })
    const started = new ZoneProcess(`spiffe://${house.trustDomain}${path}`, new RunningProcess(program, args, { env }))
    started.#port = (await started.next('ready', () => true, 30_000)).port
    return started
  }

  /** Calls another service; resolves with what came back and what that service has decided. */
  async call(
    to: ZoneProcess,
    method = 'GET',
    path = '/v1/orders/1',
  ): Promise<{ readonly status: number; readonly decided: EventOf<'decided'> }> {
    return this.#call(to, { method, path, asKept: false })
  }

  /** As `call`, by a thief: with the SVID that `keep` has put aside. */
  async callAsKept(to: ZoneProcess): ReturnType<ZoneProcess['call']> {
    return this.#call(to, { method: 'GET', path: '/v1/orders/1', asKept: true })
  }

  async #call(
    to: ZoneProcess,
    asked: Pick<Extract<ZoneOrder, { do: 'call' }>, 'method' | 'path' | 'asKept'>,
  ): ReturnType<ZoneProcess['call']> {
    to.#forget('decided')
    this.#tell({ do: 'call', port: to.#port, peer: to.spiffeId, ...asked })
    const { status } = await this.next('answered')
    return { status, decided: await to.next('decided') }
  }

  /** Puts its SVID and key aside, as a thief would. */
  async keep(): Promise<void> {
    this.#tell({ do: 'keep' })
    await this.next('kept')
  }

  /** Opens connections to another service and leaves them open. */
  async hold(to: ZoneProcess, count: number): Promise<void> {
    this.#forget('allClosed')
    this.#tell({ do: 'hold', port: to.#port, peer: to.spiffeId, count })
    const { count: open } = await this.next('held', () => true, 120_000)
    if (open !== count) throw new Error(`${open} of ${count} connections are open`)
  }

  async status(): Promise<EventOf<'status'>> {
    this.#tell({ do: 'status' })
    return this.next('status')
  }

  /** Until it holds this revision of the policy. */
  async holds(revision: number): Promise<void> {
    while ((await this.status()).revision !== revision) await this.next('policy')
  }

  setClock(offsetMs: number): void {
    this.#tell({ do: 'clock', offsetMs })
  }

  /** The first event that will do and that nobody has asked for. */
  async next<K extends ZoneEvent['event']>(
    kind: K,
    willDo: (event: EventOf<K>) => boolean = () => true,
    withinMs = 20_000,
  ): Promise<EventOf<K>> {
    const isWanted = (event: ZoneEvent): event is EventOf<K> => event.event === kind && willDo(event as EventOf<K>)
    const giveUp = Date.now() + withinMs
    for (;;) {
      this.#take()
      const found = this.#events.find(isWanted)
      if (found !== undefined) {
        this.#events.splice(this.#events.indexOf(found), 1)
        return found
      }
      if (this.#process.hasExited || Date.now() > giveUp) {
        throw new Error(`${this.spiffeId} told no "${kind}": ${JSON.stringify(this.#events)} ${this.#process.stderr}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  get stderr(): string {
    return this.#process.stderr
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #forget(kind: ZoneEvent['event']): void {
    this.#take()
    this.#events = this.#events.filter(({ event }) => event !== kind)
  }

  #take(): void {
    for (let end; (end = this.#process.stdout.indexOf('\n', this.#read)) !== -1; this.#read = end + 1) {
      this.#events.push(JSON.parse(this.#process.stdout.slice(this.#read, end)) as ZoneEvent)
    }
  }

  #tell(order: ZoneOrder): void {
    this.#process.child.stdin?.write(`${JSON.stringify(order)}\n`)
  }
}
