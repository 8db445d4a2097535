import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import type { PolicySet } from '../src/policy/policy-set.ts'
import type { Transport } from '../src/wire/client.ts'
import { lifecycleService, policiesService, type GrantItem } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { parseWholeSeconds } from './durations.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'
import { printEnd, printState } from './print-end.ts'
import { wholeIdAt } from './whole-id.ts'

interface RequestOptions extends GlobalOptions {
  readonly subject?: string
  readonly duration?: string
  readonly reason: string
  readonly ticket: string
}

/** Rights for a while, asked for by one person and approved by another. */
export function grantCommand(): Command {
  const grant = new Command('grant')
  grant
    .command('request')
    .argument('<template>', 'a grant template of the policy')
    .description('ask for the rights of a template; they hold once somebody else has approved')
    .option('--subject <id>', 'the identity that gets them (default: the one that the template names)')
    .option('--duration <duration>', 'how long, such as 30m (default: as long as the template allows)')
    .option('--reason <text>', 'why', '')
    .option('--ticket <text>', 'where it is written down', '')
    .addHelpText(
      'after',
      `
Example:
  sallyport grant request oncall-orders-db --reason "index is broken" --ticket INC-311 --duration 30m`,
    )
    .action(action(request))
  grant
    .command('approve')
    .argument('<id>')
    .description('approve a request; whoever made it cannot')
    .addHelpText('after', '\nExample:\n  sallyport grant approve g-3f9a1c20b7d4')
    .action(action(approve))
  grant
    .command('revoke')
    .argument('<id>')
    .description('end a grant before its time, or refuse a request; connections that hang on it close')
    .option('--reason <text>', 'why, for the journal', '')
    .addHelpText('after', '\nExample:\n  sallyport grant revoke g-3f9a1c20b7d4 --reason "done early"')
    .action(action(revoke))
  grant
    .command('list')
    .description('list grants and requests')
    .option('--all', 'also those that are over', false)
    .addHelpText('after', '\nExample:\n  sallyport grant list --all')
    .action(action(list))
  return grant
}

async function request(options: RequestOptions, template: string): Promise<Result> {
  const durationSeconds = options.duration === undefined ? 0 : parseWholeSeconds(options.duration)
  return withServer(options, async (transport) => {
    const { subject: named, reason, ticket } = options
    const subject = await (named === undefined ? onlySubject(template, transport) : wholeIdAt(transport, named))
    const order = { template, subject, durationSeconds, reason, ticket }
    const item = await transport.client(lifecycleService).requestGrant(order)
    return {
      value: readable(item),
      sentence: `Requested ${item.id} for ${item.subject}. It waits for ${counted(item.approvalsNeeded, 'approval')} from ${item.approvalsFrom} until ${printInstant(new Date(item.approveByMs), new Date())}: \`sallyport grant approve ${item.id}\`.`,
    }
  })
}

/** The subject of a template that names one identity and no pattern. */
async function onlySubject(template: string, transport: Transport): Promise<string> {
  const { policy } = await transport.client(policiesService).get({})
  const { grantTemplates } = JSON.parse(policy) as PolicySet
  const found = grantTemplates.find(({ id }) => id === template)
  if (found === undefined) {
    throw new SallyportError(
      'LIFECYCLE_NOT_FOUND',
      `There is no grant template ${JSON.stringify(template.slice(0, 100))}`,
      {
        hint: `The policy has: ${grantTemplates.map(({ id }) => id).join(', ') || 'none'}.`,
      },
    )
  }
  const [subject, ...others] = found.subject
  if (subject !== undefined && others.length === 0 && !subject.includes('*')) return wholeIdAt(transport, subject)
  throw new SallyportError(
    'COMMAND_INVALID',
    `Cannot tell who is meant: ${template} is for ${found.subject.join(', ')}`,
    {
      hint: 'Name one of them with --subject.',
    },
  )
}

async function approve(options: GlobalOptions, id: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const item = await transport.client(lifecycleService).approveGrant({ id })
    const left = item.approvalsNeeded - item.approvers.length
    const sentence =
      item.state === 'live'
        ? `Approved ${id}: ${item.subject} holds ${item.template} until ${printInstant(new Date(item.untilMs), new Date())}.`
        : `Approved ${id}; it waits for ${counted(left, 'more approval', 'more approvals')} from ${item.approvalsFrom}.`
    return { value: readable(item), sentence }
  })
}

async function revoke(
  { reason, ...options }: GlobalOptions & { readonly reason: string },
  id: string,
): Promise<Result> {
  return withServer(options, async (transport) => {
    const item = await transport.client(lifecycleService).revokeGrant({ id, reason })
    const sentence =
      item.state === 'refused'
        ? `Refused ${id}: ${item.subject} does not get ${item.template}.`
        : `Ended ${id}: ${item.subject} does not hold ${item.template} any more.`
    return { value: readable(item), sentence }
  })
}

async function list({ all, ...options }: GlobalOptions & { readonly all: boolean }): Promise<Result> {
  return withServer(options, async (transport) => {
    const { grants } = await transport.client(lifecycleService).listGrants({ includeEnded: all })
    const none =
      grants.length === 0
        ? {
            sentence: all
              ? 'No grants. `sallyport grant request --help` shows how to ask.'
              : 'No grants that hold or wait. `sallyport grant list --all` shows those that are over and why, `sallyport grant request --help` how to ask.',
          }
        : {}
    return { value: grants.map(readable), rows: grants.map(rowOf), ...none }
  })
}

const readable = ({ requestedMs, fromMs, untilMs, approveByMs, ...rest }: GrantItem) => ({
  ...rest,
  approveBy: approveByMs === 0 ? null : new Date(approveByMs).toISOString(),
  requested: new Date(requestedMs).toISOString(),
  from: fromMs === 0 ? null : new Date(fromMs).toISOString(),
  until: untilMs === 0 ? null : new Date(untilMs).toISOString(),
})

function rowOf(item: GrantItem): Row {
  const { id, template, subject, untilMs, approveByMs, requester, approvers, approvalsNeeded, reason, ticket } = item
  return {
    ...{ id, template, subject, state: printState(item) },
    until: printEnd(untilMs, approveByMs),
    requester,
    approved: approvers.length === 0 ? `0 of ${approvalsNeeded}` : approvers.join(', '),
    why: [ticket, reason].filter((text) => text !== '').join(': '),
  }
}
