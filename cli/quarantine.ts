import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import {
  lifecycleService,
  type AddQuarantineRequest,
  type QuarantineItem,
} from '../src/wire/messages/sallyport-server-v1.ts'
import { bundleService } from '../src/wire/messages/spire-api-server-bundle-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Sent } from '../src/wire/service.ts'
import { action, collect } from './action.ts'
import { agentArgument } from './agent-argument.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { idArgument, printId } from './ids.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'
import { wholeIdAt } from './whole-id.ts'

interface AddOptions extends GlobalOptions {
  readonly entry?: string
  readonly node?: string
  readonly zone?: string
  readonly keepOpen?: readonly string[]
  readonly reason: string
}

/** Out of everything at once: no SVIDs, no connections, in both directions. */
export function quarantineCommand(): Command {
  const quarantine = new Command('quarantine')
  quarantine
    .command('add')
    .argument('[spiffe id]', 'the identity, or its path in the own trust domain')
    .description('stop issuing SVIDs to an identity, and close its connections wherever a peer enforces')
    .option('--entry <entry id>', 'the identity of this entry instead')
    .option('--node <spiffe id>', 'whatever was issued to this agent instead')
    .option('--zone <zone>', 'whoever is in this zone instead')
    .requiredOption('--reason <text>', 'why, for the journal')
    .option('--keep-open <conduit>', 'the only conduits that stay open, for forensics; repeat for more', collect)
    .addHelpText(
      'after',
      `
Examples:
  sallyport quarantine add spiffe://example.org/ns/shop/sa/orders --reason "stolen key"
  sallyport quarantine add --node spiffe://example.org/node/web-1 --reason "root kit" --keep-open forensics`,
    )
    .action(action(add))
  quarantine
    .command('list')
    .description('list quarantines, and those that are proposed because a node was evicted')
    .option('--all', 'also those that were lifted', false)
    .addHelpText('after', '\nExample:\n  sallyport quarantine list --all')
    .action(action(list))
  quarantine
    .command('rm')
    .argument('<id>', 'of the quarantine, or what is in it')
    .description('lift a quarantine, or drop a proposal')
    .option('--reason <text>', 'why, for the journal', '')
    .addHelpText('after', '\nExample:\n  sallyport quarantine rm q-3f9a1c20b7d4 --reason "key was replaced"')
    .action(action(remove))
  return quarantine
}

async function add(options: AddOptions, identity?: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const { keepOpen = [], reason } = options
    const target = await targetOf(options, identity, transport)
    const item = await transport.client(lifecycleService).addQuarantine({ ...target, forensics: keepOpen, reason })
    const covered = item.kind === 'node' ? ` with ${counted(item.identities.length, 'identity', 'identities')}` : ''
    return {
      value: readable(item),
      warnings: item.kind === 'identity' ? await warningsAbout(item.target, transport) : [],
      sentence: `Quarantined ${item.kind} ${item.target}${covered} as ${item.id}: no SVIDs are issued, and peers that enforce close its connections. Lift it with \`sallyport quarantine rm ${item.id}\`.`,
    }
  })
}

/** Somebody stops an identity in a hurry; a slip of the pen would leave the right one at work. */
async function warningsAbout(spiffeId: string, transport: Transport): Promise<string[]> {
  // What administrators of zones may ask too.
  const { trustDomain } = await transport.client(bundleService).getBundle({})
  const id = idArgument(spiffeId)
  if (id.trustDomain !== trustDomain) return []
  const { count } = await transport.client(entryService).countEntries({ filter: { bySpiffeId: id } })
  return count > 0 ? [] : [`No entry registers ${spiffeId}: compare it with \`sallyport entry list\`.`]
}

type Target = Pick<Sent<AddQuarantineRequest>, 'identity' | 'entryId' | 'node' | 'zone'>

async function targetOf(
  { entry, node, zone }: AddOptions,
  identity: string | undefined,
  transport: Transport,
): Promise<Target> {
  const named = [identity, entry, node, zone].filter((one) => one !== undefined)
  if (named.length !== 1) {
    const why = named.length === 0 ? 'nothing is named' : 'more than one thing is named'
    throw new SallyportError('COMMAND_INVALID', `Cannot quarantine: ${why}`, {
      hint: 'Name a SPIFFE ID, or one of --entry, --node and --zone.',
    })
  }
  if (identity !== undefined) return { identity: await wholeIdAt(transport, identity) }
  if (node !== undefined) return { node: printId(await agentArgument(node, transport)) }
  return entry === undefined ? { zone: zone! } : { entryId: entry }
}

async function list({ all, ...options }: GlobalOptions & { readonly all: boolean }): Promise<Result> {
  return withServer(options, async (transport) => {
    const { quarantines } = await transport.client(lifecycleService).listQuarantines({ includeEnded: all })
    const none = quarantines.length === 0 ? { sentence: 'Nothing is in quarantine.' } : {}
    return { value: quarantines.map(readable), rows: quarantines.map(rowOf), ...none }
  })
}

async function remove(
  { reason, ...options }: GlobalOptions & { readonly reason: string },
  id: string,
): Promise<Result> {
  return withServer(options, async (transport) => {
    const named = id.startsWith('/') ? await wholeIdAt(transport, id) : id
    const item = await transport.client(lifecycleService).removeQuarantine({ id: named, reason })
    const sentence = item.proposed
      ? `Dropped the proposal to quarantine ${item.kind} ${item.target}.`
      : `Lifted the quarantine of ${item.kind} ${item.target}: it gets SVIDs again, and reaches what the policy lets it reach.`
    return { value: readable(item), sentence }
  })
}

const readable = ({ sinceMs, endedMs, ...rest }: QuarantineItem) => ({
  ...rest,
  since: new Date(sinceMs).toISOString(),
  ended: endedMs === 0 ? null : new Date(endedMs).toISOString(),
})

function rowOf({ id, kind, target, proposed, endedMs, endedBy, sinceMs, by, reason, forensics }: QuarantineItem): Row {
  const state = endedMs > 0 ? `lifted by ${endedBy}` : proposed ? 'proposed' : 'in force'
  return {
    ...{ id, kind, target, state, since: printInstant(new Date(sinceMs), new Date()), by, reason },
    ...(forensics.length === 0 ? {} : { 'kept open': forensics.join(', ') }),
  }
}
