import type { DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { Reporter } from './decision-batch.ts'

/** Reporters that are remembered; of more, those that have not reported for longest are forgotten. */
const REPORTERS_MAX = 10_000

type Numbered = Pick<DecisionReport, 'reporter' | 'batch'>

/** The newest report of each reporter that is durable here. A reporter sends one at a time, in the order of their numbers. */
export class TakenReports {
  readonly #newest = new Map<string, number>()

  has(report: Numbered, by: Pick<Reporter, 'uid'>): boolean {
    return report.reporter.length > 0 && report.batch <= (this.#newest.get(keyOf(report, by)) ?? 0)
  }

  note(report: Numbered, by: Pick<Reporter, 'uid'>): void {
    if (report.reporter.length === 0) return
    const key = keyOf(report, by)
    this.#newest.delete(key)
    this.#newest.set(key, report.batch)
    const [oldest] = this.#newest.keys()
    if (this.#newest.size > REPORTERS_MAX && oldest !== undefined) this.#newest.delete(oldest)
  }
}

/** A name that one user has drawn says nothing about the reports of another. */
const keyOf = ({ reporter }: Numbered, { uid }: Pick<Reporter, 'uid'>): string => `${uid} ${reporter.toString('hex')}`
