import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { lifecycleService, type OffboardedItem } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { printInstant, type Result, type Row } from './print.ts'
import { wholeIdAt } from './whole-id.ts'

interface TargetOptions extends GlobalOptions {
  readonly entry?: string
  readonly reason: string
}

/** Identities whose time is over: what they still hold opens nothing. */
export function offboardCommand(): Command {
  const command = new Command('offboard')
  command
    .command('add')
    .argument('[spiffe id]', 'the identity, or its path in the own trust domain')
    .description('take an identity out of service: SVIDs that it still holds open nothing any more')
    .option('--entry <entry id>', 'this entry alone; an identity is out when all of its entries are')
    .requiredOption('--reason <text>', 'why, for the journal')
    .addHelpText(
      'after',
      '\nExample:\n  sallyport offboard add spiffe://example.org/ns/erp/sa/importer --reason "retired, TICKET-9"',
    )
    .action(action(add))
  command
    .command('list')
    .description('list identities that are out of service, in whole or in part')
    .addHelpText('after', '\nExample:\n  sallyport offboard list')
    .action(action(list))
  command
    .command('rm')
    .argument('[spiffe id]', 'the identity, or its path in the own trust domain')
    .description('take an identity back into service')
    .option('--entry <entry id>', 'this entry alone')
    .option('--reason <text>', 'why, for the journal', '')
    .addHelpText(
      'after',
      '\nExample:\n  sallyport offboard rm spiffe://example.org/ns/erp/sa/importer --reason "one more import"',
    )
    .action(action(remove))
  return command
}

async function add(options: TargetOptions, identity?: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const target = await targetOf(options, identity, transport)
    const item = await transport.client(lifecycleService).offboard({ ...target, reason: options.reason })
    const sentence = item.complete
      ? `Offboarded ${item.spiffeId}: SVIDs that it holds open nothing any more. \`sallyport offboard rm ${item.spiffeId}\` takes it back.`
      : `Offboarded entry ${options.entry ?? ''}; ${item.spiffeId} has others that are in service.`
    return { value: readable(item), sentence }
  })
}

async function list(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const { offboarded } = await transport.client(lifecycleService).listOffboarded({})
    const none = offboarded.length === 0 ? { sentence: 'No identity is out of service.' } : {}
    return { value: offboarded.map(readable), rows: offboarded.map(rowOf), ...none }
  })
}

async function remove(options: TargetOptions, identity?: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const target = await targetOf(options, identity, transport)
    const item = await transport.client(lifecycleService).reinstate({ ...target, reason: options.reason })
    const sentence = item.complete
      ? `${item.spiffeId} is still out of service: it was named itself. \`sallyport offboard rm ${item.spiffeId}\` takes it back.`
      : `${item.spiffeId} is in service again.`
    return { value: readable(item), sentence }
  })
}

async function targetOf(
  { entry }: TargetOptions,
  identity: string | undefined,
  transport: Transport,
): Promise<{ readonly spiffeId: string } | { readonly entryId: string }> {
  if (identity !== undefined && entry === undefined) return { spiffeId: await wholeIdAt(transport, identity) }
  if (identity === undefined && entry !== undefined) return { entryId: entry }
  throw new SallyportError(
    'COMMAND_INVALID',
    `Cannot tell what is meant: ${entry === undefined ? 'nothing is named' : 'an identity and an entry are named'}`,
    { hint: 'Name a SPIFFE ID, or an entry with --entry.' },
  )
}

const readable = ({ sinceMs, ...rest }: OffboardedItem) => ({ ...rest, since: new Date(sinceMs).toISOString() })

const rowOf = ({ spiffeId, complete, entryIds, sinceMs, by, reason }: OffboardedItem): Row => ({
  'spiffe id': spiffeId,
  state: complete ? 'out of service' : 'in part',
  entries: entryIds.join(', '),
  since: printInstant(new Date(sinceMs), new Date()),
  by,
  reason,
})
