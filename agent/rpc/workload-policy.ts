import type { Call } from '../../src/wire/call.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import {
  workloadPolicyService,
  type DecisionReceipt,
  type DecisionReport,
  type PolicyUpdate,
  type WatchPolicyRequest,
} from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { Wake } from '../entries/wake.ts'
import type { DecisionLog } from '../policy/decision-log.ts'
import { lackedBy } from '../policy/fast-lane-log.ts'
import type { PolicyHolder } from '../policy/policy-holder.ts'
import type { HeldSliceState, PolicyState } from '../policy/policy-state.ts'
import type { Signed } from '../policy/signed-content.ts'
import type { Caller, Callers } from './callers.ts'
import { inMessages, type PolicyNews } from './policy-updates.ts'

export interface WorkloadPolicyDeps {
  readonly entitlements: Entitlements
  readonly policy: PolicyHolder
  readonly decisions: DecisionLog
  readonly callers: Callers
}

/** Policy for the workloads of this node: each gets the slices of its own identities, and tells what it decided by them. */
export function workloadPolicyApi(deps: WorkloadPolicyDeps): Implementation {
  return implement(workloadPolicyService, {
    watchPolicy: (request, call) => watchPolicy(deps, request, call),
    reportDecisions: (reports, call) => reportDecisions(deps, reports, call),
  })
}

/** What a workload has of policy: what was written to its stream so far. */
interface Told {
  readonly digests: Map<string, string>
  readonly fastLane: { readonly epoch: number; readonly sequence: number }
  readonly keys: Signed | undefined
}

async function* watchPolicy(
  { callers, entitlements, policy }: WorkloadPolicyDeps,
  request: WatchPolicyRequest,
  call: Call,
): AsyncGenerator<Sent<PolicyUpdate>> {
  const caller = await callers.identify(call)
  using hold = callers.hold(caller, call.signal)
  const wake = new Wake()
  using subscription = entitlements.subscribe(caller.selectors, wake)
  using reader = policy.read(wake)
  const { signal } = hold
  let told: Told = {
    digests: new Map(request.held.map(({ spiffeId, digest }) => [spiffeId, digest.toString('hex')])),
    fastLane: { epoch: request.policyEpoch, sequence: request.fastLaneSequence },
    keys: undefined,
  }
  for (;;) {
    const { entries } = subscription.take()
    reader.take()
    if (entries.length === 0) hold.wait(() => callers.noIdentity(caller))
    else {
      hold.end()
      await callers.checkStill(caller)
      const { state } = policy
      const mine = slicesOf(state, new Set(entries.map(({ spiffeId }) => spiffeId.toString())))
      for (const news of inMessages(updateOf(state, mine, told))) yield { ...news, status: policy.status }
      told = {
        digests: new Map(mine.map(({ spiffeId, digest }) => [spiffeId, digest.toString('hex')])),
        fastLane: { epoch: state.fastLane.epoch, sequence: state.fastLane.sequence },
        keys: state.keys?.signed,
      }
    }
    subscription.delivered()
    reader.delivered()
    await wake.wait(signal)
  }
}

function slicesOf({ slices }: PolicyState, identities: ReadonlySet<string>): HeldSliceState[] {
  return [...identities].flatMap((spiffeId) => slices.get(spiffeId) ?? [])
}

/** Everything that this workload may see and has not been told. */
function updateOf({ fastLane, keys }: PolicyState, mine: readonly HeldSliceState[], told: Told): PolicyNews {
  const { snapshot, entries } = lackedBy(fastLane, told.fastLane)
  const held = new Set(mine.map(({ spiffeId }) => spiffeId))
  return {
    slices: mine
      .filter(({ spiffeId, digest }) => told.digests.get(spiffeId) !== digest.toString('hex'))
      .map(({ signed }) => signed),
    removedIdentities: [...told.digests.keys()].filter((spiffeId) => !held.has(spiffeId)),
    fastLane: entries,
    lifecycle: snapshot ?? null,
    keys: keys === undefined || keys.signed === told.keys ? null : keys.signed,
  }
}

async function* reportDecisions(
  { callers, entitlements, decisions }: WorkloadPolicyDeps,
  reports: AsyncIterable<DecisionReport>,
  call: Call,
): AsyncGenerator<Sent<DecisionReceipt>> {
  const caller = await callers.identify(call)
  for await (const report of reports) {
    await callers.checkStill(caller)
    await decisions.take(report, reporterOf(caller, entitlements), call.signal)
    yield { batch: report.batch }
  }
}

/** Whose decisions these may be: a workload speaks for its own identities. */
function reporterOf({ peer, selectors }: Caller, entitlements: Entitlements) {
  const identities = entitlements.matching(selectors).map(({ spiffeId }) => spiffeId.toString())
  return { uid: peer.uid, pid: peer.pid, identities: new Set(identities) }
}
