import { createHash } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type { adminService } from '../../src/wire/messages/sallyport-server-v1.ts'
import { type GetStatusResponse, type ListAuditRequest } from '../../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { AuditQuery } from '../audit/record.ts'
import { verifyAudit } from '../audit/verify-audit.ts'
import { createJoinToken } from './create-join-token.ts'
import { ownBundle } from './own-bundle.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { warningsOfSlices } from './slice-room.ts'
import { secondsOf } from './svid-message.ts'

/** How often the journal is looked at for those who follow it. */
const FOLLOW_INTERVAL_MS = 500
/** How long a token lives when nobody says. */
const TOKEN_TTL_SECONDS = 600

/** `sallyport.server.v1.Admin`: what our own tools ask beyond SPIRE's API. */
export function adminHandlers(deps: RpcDeps): Handlers<typeof adminService> {
  return {
    getStatus: async () => statusOf(deps),

    async createToken({ ttlSeconds, spiffeId, addressRange }, call) {
      const order = {
        ttlSeconds: ttlSeconds === 0 ? TOKEN_TTL_SECONDS : ttlSeconds,
        token: '',
        aliasId: spiffeId === '' ? undefined : SpiffeId.parse(spiffeId),
        addressRange: addressRange === '' ? undefined : addressRange,
      }
      const { token, expiresAt } = await createJoinToken(order, call, deps)
      return {
        token,
        expiresAt: secondsOf(expiresAt),
        serverAddress: deps.address(),
        trustDomain: deps.trustDomain.name,
        authorityHashes: ownBundle(deps).x509Authorities.map(({ certificate }) =>
          createHash('sha256').update(certificate.der).digest(),
        ),
      }
    },

    async *listAudit(request, { signal }) {
      let query = auditQueryOf(request)
      for (;;) {
        for await (const { sequence, at, type, facts, linkHash } of deps.store.audit(query)) {
          signal.throwIfAborted()
          yield { sequence, timeMs: at.getTime(), type, facts, hash: linkHash }
          query = { ...query, afterSequence: sequence }
        }
        if (!request.follow) return
        // A limit is on what is there already; what comes later is all wanted.
        const { limit: _limit, newest: _newest, ...unlimited } = query
        query = unlimited
        await deps.clock.sleep(FOLLOW_INTERVAL_MS, signal)
      }
    },

    async verifyAudit({ checkpoints }) {
      const at = deps.clock.now()
      const held = checkpoints.map(({ sequence, hash }) => ({ epoch: deps.store.epoch, sequence, hash, at }))
      const { problems, start, end, records } = await verifyAudit(deps.store, held)
      return {
        intact: problems.length === 0,
        firstSequence: start.sequence + 1,
        lastSequence: end.sequence,
        checked: records,
        problem: problems.map(({ message }) => message).join('; '),
      }
    },
  }
}

function statusOf(deps: RpcDeps): Sent<GetStatusResponse> {
  const { directory, fleet, store, trustDomain } = deps
  const connections = fleet.statuses()
  const hasOwn = directory.bundle(trustDomain) !== undefined
  return {
    trustDomain: trustDomain.name,
    version: deps.version,
    revision: directory.revision,
    epoch: store.epoch,
    startedAt: secondsOf(deps.startedAt),
    entries: directory.entryCount,
    agents: directory.agentCount,
    connectedAgents: connections.filter(({ connected }) => connected).length,
    federatedBundles: directory.bundleCount - (hasOwn ? 1 : 0),
    authorities: deps.authorities.status().map((authority) => ({
      kind: authority.kind,
      id: authority.authorityId,
      state: authority.state,
      notBefore: secondsOf(authority.notBefore),
      expiresAt: secondsOf(authority.notAfter),
      tainted: authority.tainted,
      waitingFor: authority.waitingFor,
      keyType: authority.keyType,
    })),
    agentStatuses: connections.map(({ spiffeId, connected, acknowledgedRevision, lastSeen, transport, policy }) => ({
      spiffeId: spiffeId.toString(),
      connected,
      acknowledgedRevision,
      lastSeen: lastSeen === undefined ? 0 : secondsOf(lastSeen),
      transport,
      policy: policy ?? null,
    })),
    privilegedEntries: directory.privilegedEntries().map(({ id, spiffeId, parentId, admin, downstream }) => ({
      entryId: id,
      spiffeId: spiffeId.toString(),
      parentId: parentId.toString(),
      admin,
      downstream,
    })),
    warnings: warningsOf(deps),
    address: deps.address(),
  }
}

/** What somebody should look at, in whole sentences. */
function warningsOf({ authorities, directory, clock, book }: RpcDeps): readonly string[] {
  const now = clock.now()
  const warnings = authorities
    .status()
    .filter(({ tainted }) => tainted)
    .map(
      ({ kind, authorityId }) =>
        `The ${kind} authority ${authorityId} is tainted; revoke it once workloads have moved.`,
    )
  const expired = [...directory.agents()].filter((agent) => !agent.banned && agent.expiresAt <= now).length
  if (expired > 0) warnings.push(`${expired} agents have been away for longer than their SVID lives.`)
  return [...warnings, ...warningsOfSlices({ book })]
}

function auditQueryOf(request: ListAuditRequest): AuditQuery {
  if (request.limit < 0) throw new SallyportError('REQUEST_INVALID', 'Cannot list the journal: limit is negative')
  return {
    ...(request.afterSequence === 0 ? {} : { afterSequence: request.afterSequence }),
    ...(request.limit === 0 ? {} : { limit: request.limit }),
    ...(request.type === '' ? {} : { type: request.type }),
    ...(request.spiffeId === '' ? {} : { spiffeId: request.spiffeId }),
    ...(request.serialNumber === '' ? {} : { serialNumber: request.serialNumber }),
    ...(request.since === 0 ? {} : { since: new Date(request.since * 1000) }),
    ...(request.newest ? { newest: true } : {}),
    ...(request.until === 0 ? {} : { until: new Date(request.until * 1000) }),
  }
}
