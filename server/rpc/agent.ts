import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import { idFromMessage } from '../../src/wire/id-message.ts'
import type { agentService } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { SpiffeId as SpiffeIdMessage } from '../../src/wire/messages/spire-api-types.ts'
import { agentBanned, agentEvicted } from '../audit/agent-events.ts'
import { entryDeleted } from '../audit/entry-events.ts'
import { agentCallerOf } from './agent-caller.ts'
import { agentToMessage } from './agent-message.ts'
import { attestAgent } from './attest-agent.ts'
import { agentNotFound, changeAgent } from './change-agent.ts'
import { createJoinToken } from './create-join-token.ts'
import { deedOf } from './deed.ts'
import { agentFilterOf } from './filters.ts'
import { pageOf } from './page.ts'
import { renewAgent } from './renew-agent.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { secondsOf } from './svid-message.ts'

const AGENT_VERSION_MAX_LENGTH = 255

/** `spire.api.server.agent.v1.Agent`. */
export function agentHandlers(deps: RpcDeps): Handlers<typeof agentService> {
  const { directory } = deps
  return {
    async countAgents({ filter }) {
      return { count: directory.countAgents(agentFilterOf(filter)) }
    },

    async listAgents({ filter, outputMask, pageSize, pageToken }) {
      const { items, nextToken } = directory.listAgents(agentFilterOf(filter), pageOf(pageSize, pageToken))
      return { agents: items.map((agent) => agentToMessage(agent, outputMask)), nextPageToken: nextToken }
    },

    async getAgent({ id, outputMask }) {
      const agentId = agentIdOf(id, deps)
      const agent = directory.agent(agentId)
      if (agent === undefined) throw agentNotFound(agentId)
      return agentToMessage(agent, outputMask)
    },

    async deleteAgent({ id }, call) {
      await deleteAgent(agentIdOf(id, deps), call, deps)
      return {}
    },

    async banAgent({ id }, call) {
      await banAgent(agentIdOf(id, deps), call, deps)
      return {}
    },

    attestAgent: (requests, call) => attestAgent(requests, call, deps),
    renewAgent: (request, call) => renewAgent(request, call, deps),

    async createJoinToken({ ttl, token, agentId }, call) {
      const aliasId = agentId === null ? undefined : idFromMessage(agentId)
      const order = { ttlSeconds: ttl, token, aliasId, addressRange: undefined }
      const made = await createJoinToken(order, call, deps)
      return { value: made.token, expiresAt: secondsOf(made.expiresAt) }
    },

    async postStatus({ currentBundleSerial, agentVersion }, call) {
      const { spiffeId } = agentCallerOf(call, deps)
      if (agentVersion.length > AGENT_VERSION_MAX_LENGTH) {
        throw new SallyportError(
          'REQUEST_INVALID',
          `agent_version is longer than ${AGENT_VERSION_MAX_LENGTH} characters`,
        )
      }
      if (currentBundleSerial > 0) deps.fleet.polledBundle(spiffeId, currentBundleSerial)
      await changeAgent(spiffeId, deps, (agent) =>
        agent.version === agentVersion || agentVersion === ''
          ? undefined
          : { agent: { ...agent, version: agentVersion }, audit: [] },
      )
      return {}
    },
  }
}

/** Evicts: the record goes, and with it every entry that only gave this agent another name. */
async function deleteAgent(agentId: SpiffeId, call: Call, deps: RpcDeps): Promise<void> {
  const deed = deedOf(call, deps)
  const aliases = deps.directory.aliasEntriesOf(agentId)
  const outcome = await deps.store.commit({
    mutations: [
      { kind: 'agent.delete', spiffeId: agentId },
      ...aliases.map(({ id }) => ({ kind: 'entry.delete', id }) as const),
    ],
    audit: [agentEvicted(deed, agentId), ...aliases.map((entry) => entryDeleted(deed, entry))],
  })
  if (!outcome.ok) {
    if (outcome.index === 0) throw agentNotFound(agentId)
    throw new SallyportError(
      'CONCURRENT_CHANGE',
      `Cannot evict ${agentId.toString()}: its aliases changed at the same moment`,
    )
  }
  await deps.directory.reached(outcome.revision)
  deps.log.info({ agentId }, 'Evicted agent')
}

/** Bans: the record stays, so that the node cannot come back in any way. */
async function banAgent(agentId: SpiffeId, call: Call, deps: RpcDeps): Promise<void> {
  await changeAgent(agentId, deps, (agent) => ({
    agent: { ...agent, banned: true, serialNumber: '', pendingSerialNumber: undefined, pendingExpiresAt: undefined },
    audit: [agentBanned(deedOf(call, deps), agentId)],
  }))
  deps.log.info({ agentId }, 'Banned agent')
}

function agentIdOf(message: SpiffeIdMessage | null, { trustDomain }: RpcDeps): SpiffeId {
  if (message === null) throw new SallyportError('REQUEST_INVALID', 'The id of an agent is missing')
  const id = idFromMessage(message)
  if (id.isMemberOf(trustDomain) && id.isAgent) return id
  throw new SallyportError('REQUEST_INVALID', `${id.toString()} is not the id of an agent in ${trustDomain.name}`, {
    hint: 'List the ids with `sallyport agent list`.',
  })
}
