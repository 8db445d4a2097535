import { DecisionRecorder } from './decision-recorder.ts'
import { DecisionReporter } from './decision-reporter.ts'
import type { PolicySource } from '../workload/policy-source.ts'

/** What one process has decided by one policy source, on its way to the agent. */
export interface DecisionJournal {
  readonly recorder: DecisionRecorder
  readonly reporter: DecisionReporter
}

const journals = new WeakMap<PolicySource, DecisionJournal>()

/** The journal of a source: however many servers enforce its policy, one stream tells the agent. */
export function journalOf(policy: PolicySource, onError: (error: Error) => void): DecisionJournal {
  const known = journals.get(policy)
  if (known !== undefined) return known
  const recorder = new DecisionRecorder()
  const reporter = new DecisionReporter({
    recorder,
    report: (reports, signal) => policy.reportDecisions(reports, signal),
    clock: policy.clock,
    onError,
  })
  const journal = { recorder, reporter }
  journals.set(policy, journal)
  void reporter.run(policy.closed)
  return journal
}
