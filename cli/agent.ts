import { Command } from 'commander'
import { parseDuration, printDuration } from '../src/config/field-types.ts'
import { parseSelector, printSelector } from '../src/entry/selector.ts'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { adminService as agentAdminService } from '../src/wire/messages/sallyport-agent-v1.ts'
import { adminService, type AgentPolicy } from '../src/wire/messages/sallyport-server-v1.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Agent } from '../src/wire/messages/spire-api-types.ts'
import { action, collect } from './action.ts'
import { agentArgument } from './agent-argument.ts'
import { withAgentAdmin, withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { printId } from './ids.ts'
import { counted, fromUnix, printInstant, type Result } from './print.ts'
import { runAgent } from './run-agent.ts'

interface FilterOptions extends GlobalOptions {
  readonly type?: string
  readonly selector?: readonly string[]
  readonly banned?: boolean
}

export function agentCommand(): Command {
  const agent = new Command('agent')
  agent
    .command('run')
    .description('run the agent of this node until SIGTERM')
    .option('--config <path>', 'agent.yaml; the options below override it')
    .option('--join-file <path>', 'what `sallyport token create` printed')
    .option('--server <host:port>', 'address of the server')
    .option('--trust-domain <name>', 'the trust domain to join (default: as the join file or the bundle says)')
    .option('--trust-bundle <path>', 'PEM file with the CA certificates of the trust domain (`sallyport bundle show`)')
    .option('--join-token-file <path>', 'file with a join token (`sallyport token create --bare`)')
    .option(
      '--data-dir <path>',
      "where the agent's key and state are kept (default: /var/lib/sallyport/agent as root, else ./agent/data)",
    )
    .option('--socket <path>', 'workload socket (default: /run/sallyport/agent/api.sock as root)')
    .option('--admin-socket <path>', 'admin socket')
    .option('--runtime-dir <path>', 'folder in memory where workload keys survive a restart')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
Examples:
  sallyport agent run --join-file join.txt
  sallyport agent run --server 10.0.0.5:8081 --trust-bundle bundle.pem --join-token-file token.txt
  sallyport agent run --config agent.yaml`,
    )
    .action(action(runAgent))
  agent
    .command('list')
    .description('list the agents that have joined')
    .option('--type <attestor>', 'only agents attested this way, such as join_token')
    .option('--selector <type:value>', 'only agents with these selectors; repeat for more', collect)
    .option('--banned', 'only banned agents')
    .addHelpText('after', '\nExample:\n  sallyport agent list --type join_token')
    .action(action(listAgents))
  agent
    .command('count')
    .description('count the agents that have joined')
    .addHelpText('after', '\nExample:\n  sallyport agent count')
    .action(action(countAgents))
  agent
    .command('show')
    .argument('<spiffe id>', 'of the agent, or the name given with `token create`')
    .description('show one agent')
    .addHelpText('after', '\nExample:\n  sallyport agent show spiffe://example.org/node/web-1')
    .action(action(showAgent))
  agent
    .command('ban')
    .argument('<spiffe id>', 'of the agent, or the name given with `token create`')
    .description('refuse the agent from now on; `evict` undoes it')
    .addHelpText('after', '\nExample:\n  sallyport agent ban spiffe://example.org/node/web-1')
    .action(action(banAgent))
  agent
    .command('evict')
    .argument('<spiffe id>', 'of the agent, or the name given with `token create`')
    .description('forget the agent; it must attest again')
    .addHelpText('after', '\nExample:\n  sallyport agent evict spiffe://example.org/node/web-1')
    .action(action(evictAgent))
  agent
    .command('purge')
    .description('forget agents whose SVID has been expired for long')
    .option('--expired-for <duration>', 'how long', '30d')
    .option('--dry-run', 'only show them', false)
    .addHelpText('after', '\nExample:\n  sallyport agent purge --expired-for 30d --dry-run')
    .action(action(purgeAgents))
  agent
    .command('repin')
    .argument('<key id>', 'the whole id of the active key, as `sallyport policy key list` prints it on the server')
    .description(
      'on the node: trust the policy keys of a restored server, though no key that was trusted vouches for them',
    )
    .addHelpText(
      'after',
      `
Only after \`sallyport status --of agent\` shows POLICY_KEYS_UNTRUSTED, and only with an id that somebody has read from the server
itself. Where a key is left that agents trust, \`sallyport policy key recover\` on the server does it for all of them.

Example:
  sallyport agent repin 4be1a9c07d1f4be1a9c07d1f4be1a9c07d1f4be1a9c07d1f4be1a9c07d1f4be1`,
    )
    .action(action(repin))
  return agent
}

async function repin(options: GlobalOptions, keyId: string): Promise<Result> {
  if (!/^[0-9a-f]{64}$/i.test(keyId)) {
    throw new SallyportError(
      'COMMAND_INVALID',
      `Cannot trust "${keyId.slice(0, 80)}": not the whole id of a policy key`,
      {
        hint: 'It has 64 characters of 0-9 a-f: `sallyport policy key list` on the server prints it.',
      },
    )
  }
  return withAgentAdmin(options, async (transport) => {
    const { keyIds } = await transport.client(agentAdminService).repinPolicyKeys({ keyId: Buffer.from(keyId, 'hex') })
    const trusted = keyIds.map((id) => id.toString('hex'))
    return { value: { keyIds: trusted }, sentence: `This agent trusts ${trusted.join(', ')} from now on.` }
  })
}

export async function* eachAgent(transport: Transport, filter: object = {}): AsyncGenerator<Agent> {
  for (let pageToken = ''; ;) {
    const page = await transport.client(agentService).listAgents({ filter, pageSize: 500, pageToken })
    yield* page.agents
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

async function listAgents(options: FilterOptions): Promise<Result> {
  const filter = {
    ...(options.type === undefined ? {} : { byAttestationType: options.type }),
    ...(options.selector === undefined
      ? {}
      : { bySelectorMatch: { selectors: options.selector.map(parseSelector), match: 'MATCH_SUPERSET' as const } }),
    ...(options.banned === undefined ? {} : { byBanned: { value: options.banned } }),
  }
  return withServer(options, async (transport) => {
    const agents = await Array.fromAsync(eachAgent(transport, filter))
    const now = new Date()
    return {
      value: agents.map(readable),
      rows: agents.map((agent) => ({
        'spiffe id': printId(agent.id),
        type: agent.attestationType,
        expires: printInstant(fromUnix(agent.x509svidExpiresAt), now),
        banned: agent.banned ? 'banned' : '',
        version: agent.agentVersion,
      })),
      ...(agents.length > 0
        ? {}
        : Object.keys(filter).length === 0
          ? { sentence: 'No agents. Let a node join with `sallyport token create`.' }
          : { sentence: 'No agent is like that. `sallyport agent list` shows all.' }),
    }
  })
}

async function countAgents(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const { count } = await transport.client(agentService).countAgents({})
    return { value: { count }, sentence: String(count) }
  })
}

async function showAgent(options: GlobalOptions, text: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const id = await agentArgument(text, transport)
    const agent = await transport.client(agentService).getAgent({ id })
    const named = await transport.client(entryService).listEntries({ filter: { byParentId: id }, pageSize: 500 })
    const names = named.entries
      .filter(({ selectors }) =>
        selectors.some(({ type, value }) => type === 'spiffe_id' && value === printId(agent.id)),
      )
      .map(({ spiffeId }) => printId(spiffeId))
    const status = await transport.client(adminService).getStatus({})
    const live = status.agentStatuses.find(({ spiffeId }) => spiffeId === printId(agent.id))
    const value = {
      ...readable(agent),
      names,
      connected: live?.connected ?? false,
      transport: live?.transport ?? '',
      acknowledgedRevision: live?.acknowledgedRevision ?? 0,
      serverRevision: status.revision,
      policy: live?.policy ?? undefined,
    }
    return {
      value,
      rows: Object.entries({
        ...value,
        policy: policyLine(value.policy),
        expiresAt: printInstant(fromUnix(agent.x509svidExpiresAt), new Date()),
      }).map(([field, fact]) => ({ field, value: Array.isArray(fact) ? fact.join(', ') : String(fact) })),
    }
  })
}

function policyLine(policy: AgentPolicy | undefined): string {
  if (policy === undefined) return 'none: it does not follow policy'
  const { revision, fastLaneSequence, refused } = policy
  return `acknowledged revision ${revision}, fast lane ${fastLaneSequence}${refused === '' ? '' : `; refused: ${refused}`}`
}

async function banAgent(options: GlobalOptions, text: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const id = await agentArgument(text, transport)
    await transport.client(agentService).banAgent({ id })
    return {
      value: { banned: printId(id) },
      sentence: `Banned ${printId(id)}. Its workloads keep their SVIDs until these expire; \`sallyport agent evict\` lets it attest again.`,
    }
  })
}

async function evictAgent(options: GlobalOptions, text: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const id = await agentArgument(text, transport)
    await transport.client(agentService).deleteAgent({ id })
    return { value: { evicted: printId(id) }, sentence: `Evicted ${printId(id)}. It must attest again to come back.` }
  })
}

async function purgeAgents(options: GlobalOptions & { expiredFor: string; dryRun: boolean }): Promise<Result> {
  const expiredForSeconds = parseDuration(options.expiredFor)
  return withServer(options, async (transport) => {
    const limit = Date.now() / 1000 - expiredForSeconds
    const gone = (await Array.fromAsync(eachAgent(transport))).filter(
      (agent) => agent.x509svidExpiresAt < limit && !agent.banned,
    )
    if (!options.dryRun) for (const { id } of gone) await transport.client(agentService).deleteAgent({ id })
    return {
      value: gone.map(readable),
      rows: gone.map((agent) => ({
        'spiffe id': printId(agent.id),
        expired: printInstant(fromUnix(agent.x509svidExpiresAt), new Date()),
      })),
      sentence: `${options.dryRun ? 'Would purge' : 'Purged'} ${counted(gone.length, 'agent')} expired for more than ${printDuration(expiredForSeconds)}.`,
    }
  })
}

function readable(agent: Agent) {
  return {
    spiffeId: printId(agent.id),
    attestationType: agent.attestationType,
    serialNumber: agent.x509svidSerialNumber,
    expiresAt: fromUnix(agent.x509svidExpiresAt)?.toISOString(),
    selectors: agent.selectors.map(printSelector),
    banned: agent.banned,
    canReattest: agent.canReattest,
    version: agent.agentVersion,
  }
}
