import type { DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import { workloadOf, type Reporter } from './decision-batch.ts'

/** Reporters that are remembered. */
const REPORTERS_MAX = 10_000

type Numbered = Pick<DecisionReport, 'reporter' | 'batch'>
type By = Pick<Reporter, 'uid' | 'identities'>

/**
 * The newest report of each reporter that is durable here. A reporter sends one at a time, in the order of their numbers. When they are
 * too many, the workload that has most forgets the one of its own that has not reported for longest.
 */
export class TakenReports {
  readonly #newest = new Map<string, { readonly batch: number; readonly workload: string }>()
  readonly #keysOf = new Map<string, Set<string>>()

  has(report: Numbered, by: By): boolean {
    return report.reporter.length > 0 && report.batch <= (this.#newest.get(keyOf(report, by))?.batch ?? 0)
  }

  note(report: Numbered, by: By): void {
    if (report.reporter.length === 0) return
    const key = keyOf(report, by)
    const workload = workloadOf(by)
    this.#forget(key)
    this.#newest.set(key, { batch: report.batch, workload })
    this.#keysOf.set(workload, (this.#keysOf.get(workload) ?? new Set()).add(key))
    if (this.#newest.size > REPORTERS_MAX) this.#forget(this.#oldestOfMost())
  }

  #oldestOfMost(): string | undefined {
    let most = new Set<string>()
    for (const keys of this.#keysOf.values()) if (keys.size > most.size) most = keys
    return most.values().next().value
  }

  #forget(key: string | undefined): void {
    const known = key === undefined ? undefined : this.#newest.get(key)
    if (key === undefined || known === undefined) return
    this.#newest.delete(key)
    const keys = this.#keysOf.get(known.workload)
    keys?.delete(key)
    if (keys?.size === 0) this.#keysOf.delete(known.workload)
  }
}

/** A name that one user has drawn says nothing about the reports of another. */
const keyOf = ({ reporter }: Numbered, { uid }: By): string => `${uid} ${reporter.toString('hex')}`
