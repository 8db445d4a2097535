import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { SallyportError } from '../src/errors.ts'
import type { DemoEvent } from './dev-service.ts'

type EventOf<K extends DemoEvent['event']> = Extract<DemoEvent, { event: K }>

const PATIENCE_MS = 15_000

/** A demo service as the process that started it sees it. */
export class DemoService {
  readonly name: string
  readonly spiffeId: string
  readonly selectors: readonly string[]
  readonly #child: ChildProcess
  readonly #events: DemoEvent[] = []
  #wake = Promise.withResolvers<void>()

  constructor(name: string, spiffeId: string, selectors: readonly string[], child: ChildProcess) {
    this.name = name
    this.spiffeId = spiffeId
    this.selectors = selectors
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.#events.push(JSON.parse(line) as DemoEvent)
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async watching(signal: AbortSignal): Promise<void> {
    await this.#next('watching', 0, signal)
  }

  async firstSvid(signal: AbortSignal): Promise<EventOf<'svid'>> {
    return this.#next('svid', 0, signal)
  }

  async *laterSvids(signal: AbortSignal): AsyncGenerator<EventOf<'svid'>> {
    for (let index = 1; ; index++) yield await this.#next('svid', index, signal, Number.POSITIVE_INFINITY)
  }

  /** When the SVID that it holds is renewed, about: at half of its life. */
  renewsAt(): Date {
    const latest = this.#events.findLast((event) => event.event === 'svid')
    if (latest === undefined) return new Date(0)
    return new Date((latest.atMs + Date.parse(latest.notAfter)) / 2)
  }

  async port(signal: AbortSignal): Promise<number> {
    return (await this.#next('serving', 0, signal)).port
  }

  async call(port: number, signal: AbortSignal): Promise<EventOf<'called'>> {
    this.#child.stdin?.write(`${port}\n`)
    return this.#next('called', 0, signal)
  }

  async #next<K extends DemoEvent['event']>(
    kind: K,
    index: number,
    signal: AbortSignal,
    patienceMs = PATIENCE_MS,
  ): Promise<EventOf<K>> {
    const giveUp = performance.now() + patienceMs
    for (;;) {
      signal.throwIfAborted()
      const found = this.#events.filter((event): event is EventOf<K> => event.event === kind)[index]
      if (found !== undefined) return found
      if (performance.now() > giveUp) {
        const failure = this.#events.findLast((event) => event.event === 'failed')
        throw new SallyportError(
          'NOT_READY',
          `The service ${this.name} did not get to "${kind}" within ${patienceMs / 1000} s`,
          { hint: failure?.message ?? 'What was printed above says why.' },
        )
      }
      await Promise.race([this.#wake.promise, new Promise((resolve) => setTimeout(resolve, 100).unref())])
    }
  }
}
