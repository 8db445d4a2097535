import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { adminService as agentAdminService, type GetStatusResponse } from '../src/wire/messages/sallyport-agent-v1.ts'
import { adminService } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { agentAdminSocket, serverSocket, withAgentAdmin, withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { counted, fromUnix, printInstant, type Result } from './print.ts'

interface StatusOptions extends GlobalOptions {
  readonly of?: 'server' | 'agent'
}

export function statusCommand(): Command {
  return new Command('status')
    .addOption(
      new Option('--of <process>', 'which one (default: the one that runs here, the server first)').choices([
        'server',
        'agent',
      ]),
    )
    .addHelpText('after', '\nExamples:\n  sallyport status\n  sallyport status --of agent')
    .action(action(showStatus))
}

async function showStatus(options: StatusOptions): Promise<Result> {
  const onNode = !existsSync(serverSocket(options)) && existsSync(agentAdminSocket(options))
  return (options.of ?? (onNode ? 'agent' : 'server')) === 'agent' ? agentStatus(options) : serverStatus(options)
}

async function serverStatus(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const status = await transport.client(adminService).getStatus({})
    const now = new Date()
    const rights = (entry: { admin: boolean; downstream: boolean }): string =>
      [...(entry.admin ? ['admin'] : []), ...(entry.downstream ? ['downstream'] : [])].join(' and ')
    const title = [
      `${status.trustDomain}  version ${status.version}  revision ${status.revision}  started ${printInstant(fromUnix(status.startedAt), now)}`,
      `${counted(status.entries, 'entry', 'entries')}, ${counted(status.agents, 'agent')} (${status.connectedAgents} connected), ${counted(status.federatedBundles, 'foreign bundle')}`,
      ...status.privilegedEntries.map(
        (entry) => `privileged: ${entry.spiffeId} is ${rights(entry)} (entry ${entry.entryId} below ${entry.parentId})`,
      ),
    ].join('\n')
    const rows = status.authorities.map((authority) => ({
      authority: `${authority.kind} ${authority.id.slice(0, 16)}`,
      key: authority.keyType,
      state: `${authority.state}${authority.tainted ? ' (tainted)' : ''}`,
      expires: printInstant(fromUnix(authority.expiresAt), now),
      'waits for': authority.waitingFor.replace(/T(\d\d:\d\d:\d\d)(\.\d+)?Z/, ' $1Z'),
    }))
    const value = {
      ...status,
      startedAt: fromUnix(status.startedAt),
      authorities: status.authorities.map((authority) => ({
        ...authority,
        notBefore: fromUnix(authority.notBefore),
        expiresAt: fromUnix(authority.expiresAt),
      })),
      agentStatuses: status.agentStatuses.map((agent) => ({ ...agent, lastSeen: fromUnix(agent.lastSeen) })),
    }
    return { value, rows, title, warnings: status.warnings }
  })
}

async function agentStatus(options: GlobalOptions): Promise<Result> {
  return withAgentAdmin(options, async (transport) => {
    const status = await transport.client(agentAdminService).getStatus({})
    const now = new Date()
    const sentence = [
      `${status.spiffeId === '' ? 'not attested yet' : status.spiffeId}  version ${status.version}`,
      `${status.state}${status.reason === '' ? '' : `: ${status.reason}`}`,
      `server ${status.serverAddress} by ${status.transport === '' ? 'nothing yet' : status.transport}, revision ${status.revision}, last heard ${printInstant(fromUnix(status.lastHeartbeat), now)}`,
      `own SVID expires ${printInstant(fromUnix(status.svidExpiresAt), now)}, renews ${printInstant(fromUnix(status.svidRenewsAt), now)}`,
      `${counted(status.entries, 'entry', 'entries')}, ${counted(status.x509Svids, 'X509-SVID')}, ${counted(status.jwtSvids, 'JWT-SVID')}, ${counted(status.openStreams, 'open stream')}`,
      policyLine(status.policy),
    ].join('\n')
    const value = {
      ...status,
      lastHeartbeat: fromUnix(status.lastHeartbeat),
      svidExpiresAt: fromUnix(status.svidExpiresAt),
      svidRenewsAt: fromUnix(status.svidRenewsAt),
    }
    return { value, sentence }
  })
}

function policyLine(policy: GetStatusResponse['policy']): string {
  if (policy === null || policy.revision === 0) return 'no policy: the server has none, or does not push it'
  const age = policy.stale ? `stale: last proved to be the newest ${Math.round(policy.ageMs / 1000)} s ago` : 'fresh'
  const waiting =
    policy.decisionBatches === 0
      ? ''
      : `, ${counted(policy.decisionBatches, 'batch', 'batches')} of decisions to report`
  const refused = policy.refused === '' ? '' : `\nnot believed: ${policy.refused}`
  return `policy revision ${policy.revision}, fast lane ${policy.fastLaneSequence}, ${age}, ${counted(policy.slices, 'slice')}${waiting}${refused}`
}
