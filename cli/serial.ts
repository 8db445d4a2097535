import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { adminService, lifecycleService, type RevokedSerialItem } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { printInstant, type Result, type Row } from './print.ts'
import { serialReadings } from './serial-number.ts'
import { wholeIdAt } from './whole-id.ts'

interface RevokeOptions extends GlobalOptions {
  readonly spiffeId?: string
  readonly reason: string
}

/** Single certificates that are refused, while their identity goes on. */
export function serialCommand(): Command {
  const serial = new Command('serial')
  serial
    .command('revoke')
    .argument('<serial number>', 'decimal as the journal has it, or hex as openssl prints it')
    .description('refuse one X509-SVID wherever a peer enforces; the identity keeps its others')
    .option('--spiffe-id <id>', 'whose it is (default: as the journal says)')
    .requiredOption('--reason <text>', 'why, for the journal')
    .addHelpText(
      'after',
      `
Examples:
  sallyport serial revoke 94582714105829472 --reason "the key was in a core dump"
  sallyport serial revoke 4f:91:0c --spiffe-id spiffe://example.org/ns/web/sa/storefront --reason "stolen key"`,
    )
    .action(action(revoke))
  serial
    .command('list')
    .description('list revoked certificates that have not ended yet')
    .addHelpText('after', '\nExample:\n  sallyport serial list')
    .action(action(list))
  return serial
}

async function revoke(options: RevokeOptions, text: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const { spiffeId, serialNumber } = await certificateOf(text, options.spiffeId, transport)
    const order = { spiffeId, serialNumber, reason: options.reason }
    const item = await transport.client(lifecycleService).revokeSerial(order)
    return {
      value: readable(item),
      sentence: `Revoked ${item.serialNumber} of ${item.spiffeId}: peers that enforce close its connections and refuse it until it ends.`,
    }
  })
}

interface Certificate {
  readonly spiffeId: string
  /** Hex. */
  readonly serialNumber: string
}

/** Digits alone may be decimal or hex: the journal knows which of the two was issued. */
async function certificateOf(text: string, owner: string | undefined, transport: Transport): Promise<Certificate> {
  const bare = text.replaceAll(':', '').toLowerCase()
  const isHex = /^[0-9a-f]{1,40}$/.test(bare)
  for (const reading of serialReadings(text)) {
    const spiffeId = await issuedTo(reading, transport)
    if (spiffeId !== undefined) return { spiffeId, serialNumber: reading.toString(16) }
  }
  if (!isHex || owner === undefined) {
    throw new SallyportError(
      isHex ? 'ITEM_NOT_FOUND' : 'REQUEST_INVALID',
      isHex
        ? `Cannot revoke ${text.slice(0, 60)}: the journal has no X509-SVID of that serial number`
        : `Cannot revoke "${text.slice(0, 60)}": it is not a serial number`,
      {
        hint: 'Find it with `sallyport audit list --type x509-svid.issued`; of older ones say --spiffe-id too, and write hex.',
      },
    )
  }
  return { spiffeId: await wholeIdAt(transport, owner), serialNumber: bare }
}

async function issuedTo(serial: bigint, transport: Transport): Promise<string | undefined> {
  const query = { type: 'x509-svid.issued', serialNumber: serial.toString(), limit: 1, newest: true }
  for await (const { facts } of transport.client(adminService).listAudit(query)) {
    return (JSON.parse(facts) as { spiffeId?: string }).spiffeId
  }
  return undefined
}

async function list(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const { serials } = await transport.client(lifecycleService).listRevokedSerials({})
    const none = serials.length === 0 ? { sentence: 'No certificate is revoked.' } : {}
    return { value: serials.map(readable), rows: serials.map(rowOf), ...none }
  })
}

const readable = ({ sinceMs, expiresMs, ...rest }: RevokedSerialItem) => ({
  ...rest,
  since: new Date(sinceMs).toISOString(),
  expires: expiresMs === 0 ? null : new Date(expiresMs).toISOString(),
})

const rowOf = ({ serialNumber, spiffeId, sinceMs, expiresMs, by, reason }: RevokedSerialItem): Row => ({
  serial: serialNumber,
  'spiffe id': spiffeId,
  revoked: printInstant(new Date(sinceMs), new Date()),
  'would end': expiresMs === 0 ? 'not known' : printInstant(new Date(expiresMs), new Date()),
  by,
  reason,
})
