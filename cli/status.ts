import { Command } from 'commander'
import { adminService } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { fromUnix, printInstant, type Result } from './print.ts'

export function statusCommand(): Command {
  return new Command('status')
    .description('how the server does: authorities and what they wait for, agents, privileged entries, warnings')
    .action(action(showStatus))
}

async function showStatus(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const status = await transport.client(adminService).getStatus({})
    const now = new Date()
    const sentence = [
      `${status.trustDomain}  version ${status.version}  revision ${status.revision}  up since ${printInstant(fromUnix(status.startedAt), now)}`,
      `${status.entries} entries, ${status.agents} agents (${status.connectedAgents} connected), ${status.federatedBundles} foreign bundles`,
      ...status.privilegedEntries.map(
        (entry) =>
          `privileged: ${entry.spiffeId} ${entry.admin ? 'admin ' : ''}${entry.downstream ? 'downstream ' : ''}(entry ${entry.entryId} below ${entry.parentId})`,
      ),
      ...status.warnings.map((warning) => `warning: ${warning}`),
    ].join('\n')
    const rows = status.authorities.map((authority) => ({
      authority: `${authority.kind} ${authority.id.slice(0, 16)}`,
      key: authority.keyType,
      state: `${authority.state}${authority.tainted ? ' (tainted)' : ''}`,
      expires: printInstant(fromUnix(authority.expiresAt), now),
      'waits for': authority.waitingFor,
    }))
    return { value: status, rows, sentence }
  })
}
