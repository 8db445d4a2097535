import { FakeClock } from '../../fakes/fake-clock.ts'
import { until } from '../../fakes/until.ts'

/** A clock that knows until when is slept on it, so that a test lets exactly that time pass. */
export class PollClock extends FakeClock {
  readonly #ends = new Set<{ readonly atMs: number }>()
  /** How long was slept, each time. */
  readonly slept: number[] = []

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const end = { atMs: this.monotonicMs() + ms }
    this.slept.push(ms)
    this.#ends.add(end)
    try {
      await super.sleep(ms, signal)
    } finally {
      this.#ends.delete(end)
    }
  }

  get sleepers(): number {
    return this.#ends.size
  }

  /** Lets time pass until the first of so many that sleep wakes up. */
  async wakeNext(sleepers = 1): Promise<void> {
    await until(() => this.sleepers === sleepers, `${sleepers} sleep`)
    await this.advance(Math.min(...[...this.#ends].map(({ atMs }) => atMs)) - this.monotonicMs())
  }
}
