import { Command } from 'commander'
import { existsSync } from 'node:fs'
import { SallyportError } from '../src/errors.ts'
import { adminService, type ExplainedEntry } from '../src/wire/messages/sallyport-agent-v1.ts'
import { action } from './action.ts'
import { agentAdminSocket, agentSocket, withSocket } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { fromUnix, type Result } from './print.ts'

export function explainCommand(): Command {
  return new Command('explain')
    .requiredOption('--pid <pid>', 'the process')
    .addHelpText(
      'after',
      "\nExample:\n  sallyport explain --pid 4242\n\nFor other users' processes run it as root: it then asks on the agent's admin socket.",
    )
    .action(action(explain))
}

async function explain(options: GlobalOptions & { pid: string }): Promise<Result> {
  if (!/^[1-9]\d{0,8}$/.test(options.pid)) {
    throw new SallyportError('REQUEST_INVALID', `Cannot explain "${options.pid}": not a process id`, {
      hint: 'Find it with `pgrep -f NAME`.',
    })
  }
  const admin = agentAdminSocket(options)
  // The workload socket answers for one's own processes; the admin socket, where it may be opened, for all.
  const socket = existsSync(admin) ? admin : agentSocket(options).replace(/^unix:(\/\/)?/, '')
  return withSocket(socket, socket === admin ? 'agentAdmin' : 'agent', async (transport) => {
    const answer = await transport.client(adminService).explain({ pid: Number(options.pid) })
    const lines = [
      answer.verdict,
      ...(answer.hint === '' ? [] : [`  → ${answer.hint}`]),
      '',
      `selectors of process ${answer.pid}`,
      ...answer.selectors.map((selector) => `  ${selector}`),
      ...answer.warnings.map((warning) => `  ! ${warning}`),
      ...(answer.matching.length === 0 ? [] : ['', 'entries that match', ...answer.matching.map(matchingLine)]),
      ...(answer.nearest.length === 0 ? [] : ['', 'nearest entries that do not match']),
      ...answer.nearest.flatMap((entry) => [
        `  ${entry.entryId}  ${entry.spiffeId}`,
        ...entry.missingSelectors.map(
          (selector, index) =>
            `    needs ${selector}${entry.actualValues[index] === undefined || entry.actualValues[index] === '' ? kindUnknown(selector) : `, the process has ${entry.actualValues[index]}`}`,
        ),
      ]),
    ]
    const dated = (entries: typeof answer.matching) =>
      entries.map((entry) => ({ ...entry, svidExpiresAt: fromUnix(entry.svidExpiresAt) }))
    return {
      value: { ...answer, matching: dated(answer.matching), nearest: dated(answer.nearest) },
      sentence: lines.join('\n'),
    }
  })
}

const matchingLine = ({ entryId, spiffeId, zone }: ExplainedEntry): string =>
  `  ${entryId}  ${spiffeId}${zone === '' ? '' : `  zone ${zone}`}`

const kindUnknown = (selector: string): string =>
  /^unix:(?:path|sha256):/.test(selector)
    ? ', which this agent did not look for (attestors.unix.discoverWorkloadPath in agent.yaml)'
    : ', the process has none of that kind'
