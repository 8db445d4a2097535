import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { SallyportError } from '../src/errors.ts'
import type { DemoCall, DemoEvent } from './dev-service.ts'

type Kind = DemoEvent['event']
export type EventOf<K extends Kind> = Extract<DemoEvent, { event: K }>

const PATIENCE_MS = 15_000
/** The most events that wait to be asked for. */
const EVENTS_MAX = 1_000

/** A demo service as the process that started it sees it. */
export class DemoService {
  readonly name: string
  readonly spiffeId: string
  readonly selectors: readonly string[]
  readonly #child: ChildProcess
  /** What it has told and nobody has asked for. */
  #events: DemoEvent[] = []
  #latestSvid: EventOf<'svid'> | undefined
  #port: number | undefined
  #trouble: string | undefined
  #wake = Promise.withResolvers<void>()

  constructor(name: string, spiffeId: string, selectors: readonly string[], child: ChildProcess) {
    this.name = name
    this.spiffeId = spiffeId
    this.selectors = selectors
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.#heard(JSON.parse(line) as DemoEvent))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async watching(signal: AbortSignal): Promise<void> {
    await this.next('watching', signal)
  }

  async svid(signal: AbortSignal, patienceMs?: number): Promise<EventOf<'svid'>> {
    return this.next('svid', signal, () => true, patienceMs)
  }

  async *laterSvids(signal: AbortSignal): AsyncGenerator<EventOf<'svid'>> {
    for (;;) yield await this.svid(signal, Number.POSITIVE_INFINITY)
  }

  /** When the SVID that it holds is renewed, about: at half of its life. */
  renewsAt(): Date {
    if (this.#latestSvid === undefined) return new Date(0)
    return new Date((this.#latestSvid.atMs + Date.parse(this.#latestSvid.notAfter)) / 2)
  }

  async port(signal: AbortSignal): Promise<number> {
    this.#port ??= (await this.next('serving', signal)).port
    return this.#port
  }

  /** Has it call another one; resolves with what came back. */
  async call(order: DemoCall, signal: AbortSignal): Promise<EventOf<'answered'>> {
    this.forget('answered')
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
    return this.next('answered', signal)
  }

  /** Drops what it has told of a kind, before something new of that kind is caused. */
  forget(kind: Kind): void {
    this.#events = this.#events.filter(({ event }) => event !== kind)
  }

  /** The first event of a kind that nobody has asked for and that will do. */
  async next<K extends Kind>(
    kind: K,
    signal: AbortSignal,
    willDo: (event: EventOf<K>) => boolean = () => true,
    patienceMs = PATIENCE_MS,
  ): Promise<EventOf<K>> {
    const giveUp = performance.now() + patienceMs
    for (;;) {
      signal.throwIfAborted()
      const found = this.#take(kind, willDo)
      if (found !== undefined) return found
      if (performance.now() > giveUp) {
        throw new SallyportError(
          'NOT_READY',
          `The service ${this.name} did not get to "${kind}" within ${patienceMs / 1000} s`,
          { hint: this.#trouble ?? 'What was printed above says why.' },
        )
      }
      await Promise.race([this.#wake.promise, new Promise((resolve) => setTimeout(resolve, 100).unref())])
    }
  }

  #take<K extends Kind>(kind: K, willDo: (event: EventOf<K>) => boolean): EventOf<K> | undefined {
    const isWanted = (event: DemoEvent): event is EventOf<K> => event.event === kind && willDo(event as EventOf<K>)
    const found = this.#events.find(isWanted)
    if (found !== undefined) this.#events.splice(this.#events.indexOf(found), 1)
    return found
  }

  #heard(event: DemoEvent): void {
    if (event.event === 'svid') this.#latestSvid = event
    if (event.event === 'failed') this.#trouble = event.message
    else this.#events.push(event)
    if (this.#events.length > EVENTS_MAX) this.#events.shift()
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}
