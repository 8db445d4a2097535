import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { DecisionRecorder } from '../../../src/enforce/decision-recorder.ts'
import { DecisionReporter } from '../../../src/enforce/decision-reporter.ts'
import type { DecisionReceipt, DecisionReport } from '../../../src/wire/messages/sallyport-policy-v1.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { decideIn } from '../policy/acme.ts'

const refused = decideIn({}, { http: { target: '/admin/users' } })

/** A reporter beside an agent that takes, keeps silent or breaks off as the test says. */
class Reported implements AsyncDisposable {
  readonly clock = new FakeClock()
  readonly recorder = new DecisionRecorder()
  readonly errors: string[] = []
  /** Every report that arrived, with what came of it. */
  readonly arrived: DecisionReport[] = []
  streams = 0
  answer: 'take' | 'silence' | 'another' | 'break' | 'refuse' = 'take'
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly reporter: DecisionReporter

  constructor() {
    this.reporter = new DecisionReporter({
      recorder: this.recorder,
      report: (reports) => this.#serve(reports),
      clock: this.clock,
      onError: ({ message }) => void this.errors.push(message),
    })
    this.#running = this.reporter.run(this.#stop.signal)
  }

  decide(name: string): void {
    const facts = { side: 'server' as const, port: 8443, protocol: 'http', policyRevision: 1 }
    this.recorder.take(refused, facts, this.clock.now().getTime(), false, () => () => ({ name }))
  }

  get names(): string[] {
    return this.arrived.flatMap(({ records }) =>
      records.map((bytes) => (JSON.parse(bytes.toString()) as { name: string }).name),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.clock.advance(0)
    await this.#running
  }

  async *#serve(reports: AsyncIterable<DecisionReport>): AsyncGenerator<DecisionReceipt> {
    this.streams++
    for await (const report of reports) {
      this.arrived.push(report)
      if (this.answer === 'break') throw new Error('the agent has gone')
      if (this.answer === 'refuse') throw new SallyportError('REQUEST_INVALID', 'a record cannot be read')
      if (this.answer === 'another') yield { batch: report.batch + 1 }
      if (this.answer === 'take') yield { batch: report.batch }
    }
  }
}

describe('reports', () => {
  test('go every ten seconds, and soon after something that somebody may look for', async () => {
    await using reported = new Reported()
    await reported.clock.advance(0)
    reported.decide('a')
    await reported.clock.advance(9_999)
    expect(reported.names).toEqual([])
    await reported.clock.advance(1)
    expect(reported.names).toEqual(['a'])
    reported.decide('b')
    reported.reporter.hurry()
    reported.reporter.hurry()
    await reported.clock.advance(200)
    expect(reported.names).toEqual(['a', 'b'])
  })

  test('wait for the receipt of the one before', async () => {
    await using reported = new Reported()
    reported.answer = 'silence'
    reported.decide('a')
    await reported.clock.advance(10_000)
    reported.decide('b')
    reported.reporter.hurry()
    await reported.clock.advance(60_000)
    expect(reported.names).toEqual(['a'])
  })

  test('without a receipt are sent again under the same number on the next stream, and nothing is lost', async () => {
    await using reported = new Reported()
    reported.answer = 'break'
    reported.decide('a')
    await reported.clock.advance(10_000)
    expect([reported.names, reported.errors]).toEqual([['a'], ['the agent has gone']])
    reported.decide('b')
    reported.answer = 'take'
    await reported.clock.advance(5000)
    await reported.clock.advance(10_000)
    expect(reported.names).toEqual(['a', 'a', 'b'])
    expect(reported.arrived.map(({ batch }) => batch)).toEqual([1, 1, 2])
    expect(reported.streams).toBe(2)
  })

  test('that an agent cannot use are given up, and do not hold up those that come after them', async () => {
    await using reported = new Reported()
    reported.answer = 'refuse'
    reported.decide('a')
    await reported.clock.advance(10_000)
    reported.decide('b')
    reported.answer = 'take'
    await reported.clock.advance(5000)
    await reported.clock.advance(10_000)
    expect([reported.names, reported.errors]).toEqual([['a', 'b'], ['a record cannot be read']])
  })

  test('that an agent answers under another number are not taken for received', async () => {
    await using reported = new Reported()
    reported.answer = 'another'
    reported.decide('a')
    await reported.clock.advance(10_000)
    let isFlushed = false
    void reported.reporter.flushed().then(() => (isFlushed = true))
    await reported.clock.advance(60_000)
    expect(isFlushed).toBe(false)
  })

  test('are flushed when the agent has everything, not before', async () => {
    await using reported = new Reported()
    await reported.clock.advance(0)
    reported.decide('a')
    let isFlushed = false
    void reported.reporter.flushed().then(() => (isFlushed = true))
    expect(isFlushed).toBe(false)
    await reported.clock.advance(100)
    expect([isFlushed, reported.names]).toEqual([true, ['a']])
  })
})
