import { Outbox } from '../../agent/upstream/outbox.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { canonicalJson, type CanonicalValue } from '../../src/jws/canonical-json.ts'
import type { FastLaneEvent } from '../../src/policy/fast-lane.ts'
import type { IdentityRow } from '../../src/policy/membership.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { sliceOf } from '../../src/policy/slice.ts'
import { SliceIndex } from '../../src/policy/slice-index.ts'
import type { Client, ClientOptions, Transport } from '../../src/wire/client.ts'
import type {
  DecisionReport,
  PolicyStatus,
  PolicyUpdate,
  WatchPolicyRequest,
  workloadPolicyService,
} from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { Methods, Service } from '../../src/wire/service.ts'
import { PolicySource } from '../../src/workload/policy-source.ts'
import { WorkloadClient } from '../../src/workload/workload-client.ts'
import { until } from './until.ts'

/** A record as it arrives at an agent. */
export interface ReportedRecord {
  readonly id: string
  readonly decision: string
  readonly deniedBy: string | null
  readonly code: string | null
  readonly wouldDeny: boolean
  readonly reeval: string | null
  readonly jwt: string | null
  readonly pep: { readonly side: string }
  readonly src: { readonly id: string | null }
  readonly elevation?: { readonly grant: string | null; readonly breakGlass: string | null }
  readonly req: { readonly route: string | null } | null
}

/** An agent as an enforcing workload sees it: serves the policy that a test says, and takes what was decided. */
export class PolicyAgent implements Transport {
  readonly reports: DecisionReport[] = []
  #updates = new Outbox<PolicyUpdate>()
  #revision = 0
  #sequence = 0
  #said = 0
  /** A source asks for the next update when it has told everybody of the one before. */
  #asked = 0

  client<M extends Methods>(_service: Service<M>): Client<Service<M>> {
    const watch = (_request: WatchPolicyRequest, options: ClientOptions = {}) => this.#serve(options)
    const take = (reports: AsyncIterable<DecisionReport>) => this.#take(reports)
    const client: Client<typeof workloadPolicyService> = {
      watchPolicy: watch as unknown as Client<typeof workloadPolicyService>['watchPolicy'],
      reportDecisions: take as unknown as Client<typeof workloadPolicyService>['reportDecisions'],
    }
    return client as unknown as Client<Service<M>>
  }

  async close(): Promise<void> {
    this.#updates.end()
  }

  /** A source that follows this agent, with what was said so far. */
  async open(clock: Clock = systemClock): Promise<PolicySource> {
    return PolicySource.open({ client: new WorkloadClient({ transport: this, clock }) })
  }

  /** The policy for one identity from now on. */
  apply(set: PolicySet, rows: readonly IdentityRow[], spiffeId: string): void {
    this.#revision++
    const { policy, members, displaced } = sliceOf(new SliceIndex(set, rows), spiffeId)
    const document = {
      ...{ v: 1, epoch: 1, revision: this.#revision, asOf: this.#revision, issuedAt: 1, digest: `${this.#revision}` },
      ...{ trustDomain: set.trustDomain, spiffeId, policyName: set.name, policyDigest: 'p', policy },
      members: [...displaced, ...members],
    }
    const content = Buffer.from(canonicalJson(document as unknown as CanonicalValue))
    this.say({ slices: [{ content, signatures: [] }] })
  }

  tell(event: FastLaneEvent): void {
    this.#sequence++
    const entry = { v: 1, epoch: 1, sequence: this.#sequence, previous: '', at: 1, ...event }
    const content = Buffer.from(canonicalJson(entry as unknown as CanonicalValue))
    this.say({ fastLane: [{ content, signatures: [] }] })
  }

  say(fields: Partial<PolicyUpdate> = {}, status: Partial<PolicyStatus> = {}): void {
    this.#said++
    this.#updates.push({
      ...{ slices: [], removedIdentities: [], fastLane: [], lifecycle: null, keys: null },
      status: {
        ...{ hasPolicy: this.#revision > 0, policyEpoch: 1, policyRevision: this.#revision },
        ...{ fastLaneSequence: this.#sequence, ageMs: 0, stale: false, ...status },
      },
      ...fields,
    })
  }

  /** Whether everything that was said so far has been taken up. */
  get delivered(): boolean {
    return this.#asked > this.#said
  }

  /** Every record that has been reported. */
  get records(): ReportedRecord[] {
    return this.reports.flatMap(({ records }) => records.map((bytes) => JSON.parse(bytes.toString()) as ReportedRecord))
  }

  /** The record of a decision, once it is reported. */
  async record(id: string): Promise<ReportedRecord> {
    await until(() => this.records.some((record) => record.id === id), `the record ${id}`)
    return this.records.find((record) => record.id === id) as ReportedRecord
  }

  async *#serve({ signal }: ClientOptions): AsyncGenerator<PolicyUpdate> {
    signal?.addEventListener('abort', () => this.#updates.end(), { once: true })
    this.#asked = 1
    for await (const update of this.#updates) {
      yield update
      this.#asked++
    }
    throw signal?.reason ?? new Error('the agent has gone')
  }

  async *#take(reports: AsyncIterable<DecisionReport>) {
    for await (const report of reports) {
      this.reports.push(report)
      yield { batch: report.batch }
    }
  }
}
