import { Command } from 'commander'
import { lifecycleService, type BreakGlassItem } from '../src/wire/messages/sallyport-server-v1.ts'
import { action, collect } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { parseWholeSeconds } from './durations.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'
import { printEnd, printState } from './print-end.ts'
import { wholeIdAt } from './whole-id.ts'

interface StartOptions extends GlobalOptions {
  readonly subject: readonly string[]
  readonly duration?: string
  readonly reason: string
}

/** Emergency access as the policy declares it: two people, an hour at most. */
export function breakGlassCommand(): Command {
  const breakGlass = new Command('breakglass')
  breakGlass
    .command('start')
    .argument('<declaration>', 'a break-glass declaration of the policy')
    .description('start emergency access as the first person; the second approves it')
    .requiredOption('--subject <id>', 'an identity that gets it; repeat for more', collect)
    .requiredOption('--reason <text>', 'why; the written review begins with it')
    .option('--duration <duration>', 'how long, such as 20m (default: as long as the declaration allows)')
    .addHelpText(
      'after',
      `
Example:
  sallyport breakglass start bg-orders --subject /ns/ops/sa/bastion --reason "INC-311: orders are lost" --duration 20m`,
    )
    .action(action(start))
  breakGlass
    .command('approve')
    .argument('<id>')
    .description('approve it as another person: it holds from now on')
    .addHelpText('after', '\nExample:\n  sallyport breakglass approve bg-3f9a1c20b7d4')
    .action(action(approve))
  breakGlass
    .command('stop')
    .argument('<id>')
    .description('end it before its time; connections that hang on it close')
    .option('--reason <text>', 'why, for the journal', '')
    .addHelpText('after', '\nExample:\n  sallyport breakglass stop bg-3f9a1c20b7d4 --reason "orders are back"')
    .action(action(stop))
  breakGlass
    .command('list')
    .description('list sessions of emergency access')
    .option('--all', 'also those that are over', false)
    .addHelpText('after', '\nExample:\n  sallyport breakglass list --all')
    .action(action(list))
  return breakGlass
}

async function start(options: StartOptions, declaration: string): Promise<Result> {
  const durationSeconds = options.duration === undefined ? 0 : parseWholeSeconds(options.duration)
  return withServer(options, async (transport) => {
    const subjects = await Promise.all(options.subject.map((subject) => wholeIdAt(transport, subject)))
    const order = { declaration, subjects, durationSeconds, reason: options.reason }
    const item = await transport.client(lifecycleService).startBreakGlass(order)
    return {
      value: readable(item),
      sentence: `Started ${item.id}. Nothing is open yet: another person has to say \`sallyport breakglass approve ${item.id}\` until ${printInstant(new Date(item.approveByMs), new Date())}.`,
    }
  })
}

async function approve(options: GlobalOptions, id: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const item = await transport.client(lifecycleService).approveBreakGlass({ id })
    const left = item.approvalsNeeded - item.startedBy.length
    const zones = `${item.fromZones.join(', ')} to ${item.toZones.join(', ')}`
    const sentence =
      item.state === 'live'
        ? `${id} is open from ${zones} until ${printInstant(new Date(item.untilMs), new Date())}, for ${item.subjects.join(', ')}. End it with \`sallyport breakglass stop ${id}\`.`
        : `Approved ${id}; it waits for ${counted(left, 'more person', 'more people')}.`
    return { value: readable(item), sentence }
  })
}

async function stop({ reason, ...options }: GlobalOptions & { readonly reason: string }, id: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const item = await transport.client(lifecycleService).stopBreakGlass({ id, reason })
    const sentence = `Ended ${id}. Review what was done: \`sallyport decisions list --from ${item.subjects[0] ?? ''}\`.`
    return { value: readable(item), sentence }
  })
}

async function list({ all, ...options }: GlobalOptions & { readonly all: boolean }): Promise<Result> {
  return withServer(options, async (transport) => {
    const { sessions } = await transport.client(lifecycleService).listBreakGlass({ includeEnded: all })
    const none = sessions.length === 0 ? { sentence: 'Nobody has emergency access.' } : {}
    return { value: sessions.map(readable), rows: sessions.map(rowOf), ...none }
  })
}

const readable = ({ requestedMs, sinceMs, untilMs, approveByMs, ...rest }: BreakGlassItem) => ({
  ...rest,
  approveBy: approveByMs === 0 ? null : new Date(approveByMs).toISOString(),
  requested: new Date(requestedMs).toISOString(),
  since: sinceMs === 0 ? null : new Date(sinceMs).toISOString(),
  until: untilMs === 0 ? null : new Date(untilMs).toISOString(),
})

function rowOf(item: BreakGlassItem): Row {
  const { id, declaration, subjects, fromZones, toZones, startedBy, approvalsNeeded, reason } = item
  return {
    ...{ id, declaration, state: printState(item), subjects: subjects.join(', ') },
    open: `${fromZones.join(', ')} to ${toZones.join(', ')}`,
    people: `${startedBy.join(', ')} (${startedBy.length} of ${approvalsNeeded})`,
    until: printEnd(item.untilMs, item.approveByMs),
    reason,
  }
}
