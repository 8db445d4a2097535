import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { idToMessage } from '../../src/wire/id-message.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { debugService } from '../../src/wire/messages/spire-agent-debug-v1.ts'
import type { Clock } from '../../src/clock.ts'
import type { AgentIdentity } from '../node/join.ts'
import type { NodeStatus } from '../node/node-status.ts'
import type { JwtSvidCache } from '../svids/jwt-svid-cache.ts'
import type { X509SvidCache } from '../svids/x509-svid-cache.ts'

export interface DebugDeps {
  readonly node: { readonly identity: AgentIdentity | undefined }
  readonly status: NodeStatus
  readonly x509Svids: X509SvidCache
  readonly jwtSvids: JwtSvidCache
  readonly clock: Clock
  readonly startedAtMs: number
}

/** SPIRE's debug service: how long the agent runs, what it holds, when it last heard from its server. */
export function debugApi({ node, status, x509Svids, jwtSvids, clock, startedAtMs }: DebugDeps): Implementation {
  return implement(debugService, {
    getInfo: async () => ({
      svidChain: (node.identity?.certificates ?? []).map(({ uriSans, notAfter }) => ({
        id: uriSans[0] === undefined ? null : idToMessage(SpiffeId.parse(uriSans[0])),
        expiresAt: Math.floor(notAfter.getTime() / 1000),
        subject: '',
      })),
      uptime: Math.floor((clock.monotonicMs() - startedAtMs) / 1000),
      svidsCount: x509Svids.size,
      cachedX509SvidsCount: x509Svids.size,
      cachedJwtSvidsCount: jwtSvids.size,
      cachedSvidstoreX509SvidsCount: 0,
      lastSyncSuccess: Math.floor((status.lastSync?.getTime() ?? 0) / 1000),
    }),
  })
}
