import { Command } from 'commander'
import { existsSync } from 'node:fs'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { adminService as agentAdminService } from '../src/wire/messages/sallyport-agent-v1.ts'
import { adminService, type AuditRecord, type ListAuditRequest } from '../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../src/wire/service.ts'
import { action } from './action.ts'
import { agentAdminSocket, withAgentAdmin, withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { counted, printJson, type Result } from './print.ts'
import { serialReadings } from './serial-number.ts'
import { withWholeIds } from './whole-id.ts'

interface ListOptions extends GlobalOptions {
  readonly type?: string
  readonly spiffeId?: string
  readonly serial?: string
  readonly since?: string
  readonly limit: string
  readonly jsonLines?: boolean
}

export function auditCommand(): Command {
  const audit = new Command('audit')
  audit
    .command('list')
    .description('show records, newest last')
    .option('--type <type>', 'such as x509-svid.issued or entry.created')
    .option('--spiffe-id <id>', 'only records about this identity')
    .option('--serial <number>', 'only records about this certificate: decimal, or hex as openssl prints it')
    .option('--since <instant>', 'only records from then on, such as 2026-11-23T00:00:00Z')
    .option('--limit <count>', 'the newest of them, at most this many', '100')
    .option('--json-lines', 'one JSON object a line, for export')
    .addHelpText(
      'after',
      '\nExamples:\n  sallyport audit list --serial 94582…\n  sallyport audit list --limit 1000000 --json-lines > audit.jsonl',
    )
    .action(action(listAudit))
  audit
    .command('verify')
    .description('check the chain; where an agent runs here, also against the checkpoints that it holds')
    .addHelpText('after', '\nExample:\n  sallyport audit verify')
    .action(action(verifyAudit))
  return audit
}

async function listAudit(options: ListOptions): Promise<Result | undefined> {
  if (!/^[1-9]\d{0,8}$/.test(options.limit))
    throw new SallyportError('COMMAND_INVALID', `Cannot list ${options.limit} records: not a number from 1`)
  const since = options.since === undefined ? 0 : Date.parse(options.since)
  if (Number.isNaN(since))
    throw new SallyportError('REQUEST_INVALID', `Cannot read the instant "${options.since}"`, {
      hint: 'Write it like 2026-11-23T00:00:00Z.',
    })
  const request = {
    limit: Number(options.limit),
    newest: true,
    type: options.type ?? '',
    since: Math.floor(since / 1000),
  }
  const serials = serialsOf(options.serial)
  return withServer(options, async (transport) => {
    const { spiffeId = '' } = await withWholeIds(options, transport)
    const records = recordsOf(transport, { ...request, spiffeId }, serials)
    if (options.jsonLines === true) {
      for await (const record of records) process.stdout.write(`${printJson(readable(record))}\n`)
      return undefined
    }
    const found = (await Array.fromAsync(records)).map(readable)
    return {
      value: found,
      rows: found.map(({ sequence, at, type, facts }) => ({
        sequence,
        at: at.replace('T', ' ').replace(/\.\d+Z$/, 'Z'),
        type,
        facts: Object.entries(facts)
          .map(([name, fact]) => `${name}=${String(fact)}`)
          .join(' '),
      })),
      ...(found.length === 0 ? { sentence: 'No record is like that.' } : {}),
    }
  })
}

/** As the journal has them; one empty one stands for any. */
function serialsOf(written: string | undefined): readonly string[] {
  if (written === undefined) return ['']
  const serials = serialReadings(written).map(String)
  if (serials.length > 0) return serials
  throw new SallyportError('REQUEST_INVALID', `Cannot look for "${written.slice(0, 60)}": it is not a serial number`, {
    hint: 'Write it in decimal, or in hex as `openssl x509 -serial` prints it.',
  })
}

/** The records of the first serial number that has any. */
async function* recordsOf(
  transport: Transport,
  request: Omit<Sent<ListAuditRequest>, 'serialNumber'>,
  serials: readonly string[],
): AsyncGenerator<AuditRecord> {
  for (const serialNumber of serials) {
    let hasAny = false
    for await (const record of transport.client(adminService).listAudit({ ...request, serialNumber })) {
      hasAny = true
      yield record
    }
    if (hasAny) return
  }
}

function readable(record: AuditRecord) {
  return {
    sequence: record.sequence,
    at: new Date(record.timeMs).toISOString(),
    type: record.type,
    facts: JSON.parse(record.facts === '' ? '{}' : record.facts) as Record<string, unknown>,
    hash: Buffer.from(record.hash).toString('hex'),
  }
}

async function verifyAudit(options: GlobalOptions): Promise<Result> {
  const held = existsSync(agentAdminSocket(options))
    ? await withAgentAdmin(options, async (transport) => transport.client(agentAdminService).getStatus({}))
    : undefined
  const checkpoints = (held?.checkpoints ?? []).map((checkpoint) => ({ ...checkpoint, heldBy: held?.spiffeId ?? '' }))
  return withServer(options, async (transport) => {
    const answer = await transport.client(adminService).verifyAudit({ checkpoints })
    if (!answer.intact) {
      throw new SallyportError('AUDIT_BROKEN', `The audit journal is not intact: ${answer.problem}`, {
        hint: 'Keep the database file as it is and compare it with an export or a backup.',
      })
    }
    return {
      value: answer,
      sentence: `Intact: records ${answer.firstSequence} to ${answer.lastSequence}, compared with ${counted(checkpoints.length, 'checkpoint')} held by the agent of this node.${checkpoints.length === 0 ? ' Run it where an agent runs too: only what somebody else holds proves that nothing was cut off the end.' : ''}`,
    }
  })
}
