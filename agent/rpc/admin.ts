import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { VERSION } from '../../src/version.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { adminService, type GetStatusResponse, type PolicyState } from '../../src/wire/messages/sallyport-agent-v1.ts'
import type { AgentIdentity } from '../node/join.ts'
import type { SavedCheckpoint } from '../node/saved-state.ts'
import type { DecisionLog } from '../policy/decision-log.ts'
import type { PolicyHolder } from '../policy/policy-holder.ts'
import type { JwtSvidCache } from '../svids/jwt-svid-cache.ts'
import { peerOf } from './callers.ts'
import { explain, type ExplainDeps } from './explain.ts'
import { processPeer } from './process-peer.ts'

export interface AdminDeps extends ExplainDeps {
  readonly node: { readonly identity: AgentIdentity | undefined; readonly checkpoints: readonly SavedCheckpoint[] }
  readonly jwtSvids: JwtSvidCache
  readonly policy: PolicyHolder
  readonly decisions: DecisionLog
  readonly serverAddress: string
  readonly startedAt: Date
  readonly log: Log
}

/** What the agent's own command line asks, on the admin socket: status, and why any process gets what it gets. */
export function adminApi(deps: AdminDeps): Implementation {
  return implement(adminService, {
    getStatus: async () => statusOf(deps),
    async explain({ pid }, call) {
      const { uid } = peerOf(call)
      deps.log.info({ callerId: `uid:${uid}`, pid }, 'Explains a process')
      return explain(processPeer(pid), deps, call.signal)
    },
    async repinPolicyKeys({ keyId }, call) {
      deps.log.warn({ callerId: `uid:${peerOf(call).uid}` }, 'Asked to trust other policy keys')
      await deps.policy.repin(keyId.toString('hex'))
      return policyOf(deps)
    },
  })
}

/** On the workload socket: for the caller's own processes only, since what others match is nobody's business (SE-05). */
export function ownProcessesApi(deps: ExplainDeps): Implementation {
  return implement(adminService, {
    async explain({ pid }, call) {
      const { uid } = peerOf(call)
      const peer = processPeer(pid)
      if (peer.uid === uid) return explain(peer, deps, call.signal)
      throw new SallyportError('CALL_REFUSED', `Cannot explain process ${pid} to user ${uid}: it is another user's`, {
        hint: 'Ask as that user, or as root, who reaches the admin socket of the agent.',
      })
    },
  })
}

function statusOf({ node, status, entitlements, x509Svids, jwtSvids, ...deps }: AdminDeps): GetStatusResponse {
  const { identity } = node
  return {
    spiffeId: identity?.spiffeId.toString() ?? '',
    version: VERSION,
    serverAddress: deps.serverAddress,
    state: status.state,
    reason: status.reason,
    revision: status.revision,
    lastHeartbeat: secondsOf(status.lastHeartbeat),
    svidExpiresAt: secondsOf(identity?.notAfter),
    svidRenewsAt: secondsOf(identity?.renewAt),
    entries: entitlements.entries.size,
    x509Svids: x509Svids.size,
    jwtSvids: jwtSvids.size,
    openStreams: entitlements.openStreams,
    startedAt: secondsOf(deps.startedAt),
    transport: status.transport,
    checkpoints: node.checkpoints.map(({ sequence, hash }) => ({ sequence, hash })),
    policy: policyOf(deps),
  }
}

function policyOf({ policy, decisions }: Pick<AdminDeps, 'policy' | 'decisions'>): PolicyState {
  const { policyRevision, policyEpoch, fastLaneSequence, ageMs, stale } = policy.status
  const { slices, keys } = policy.state
  return {
    revision: policyRevision,
    epoch: policyEpoch,
    ...{ fastLaneSequence, ageMs, stale },
    slices: slices.size,
    streams: policy.openStreams,
    decisionBatches: decisions.spooled,
    keyIds: (keys?.keyIds ?? []).map((id) => Buffer.from(id, 'hex')),
    refused: policy.refused,
  }
}

const secondsOf = (instant: Date | undefined): number => Math.floor((instant?.getTime() ?? 0) / 1000)
