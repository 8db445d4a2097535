import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Deed } from '../audit/deed.ts'
import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import { serialOf } from '../policy/live-lifecycle.ts'
import type { LifecycleObject, RevokedSerialRow } from '../store/policy-rows.ts'
import { changeRow, endRows } from './change-row.ts'
import { checkReason, nameOf, refused, type LifecycleDeps } from './lifecycle-deps.ts'

/** As RFC 5280 §4.1.2.2 bounds it. */
const SERIAL_MAX_HEX = 40
/** A revoked serial whose certificate's end is not known is kept so long: no SVID of ours lives longer. */
export const SERIAL_KEPT_MS = 90 * 24 * 3_600_000

/**
 * Revokes one certificate of an identity: peers that enforce refuse it at once. @param serial hex, with or without colons
 *
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED`, `SPIFFE_ID_INVALID`
 */
export async function revokeSerial(
  { spiffeId: idText, serialNumber: serial, reason }: { spiffeId: string; serialNumber: string; reason: string },
  deed: Deed,
  deps: LifecycleDeps,
): Promise<RevokedSerialRow> {
  checkReason('revoke a serial number', reason)
  const spiffeId = SpiffeId.parse(idText).toString()
  const serialNumber = parseSerial(serial)
  const expiresMs = await endOf(spiffeId, serialNumber, deps)
  return await changeRow(deps, () => {
    const id = `serial:${serialNumber}:${spiffeId}`
    const old = deps.book.lifecycleRow(id)
    if (old !== undefined && old.endedMs === undefined) throw refused('revoke', `${serialNumber} is revoked already`)
    const row: RevokedSerialRow = {
      ...{ kind: 'serial', id, spiffeId, serialNumber, reason, by: nameOf(deed), sinceMs: deed.at.getTime() },
      revisionNumber: old === undefined ? 0 : old.revisionNumber + 1,
      ...(expiresMs === undefined ? {} : { expiresMs }),
    }
    return {
      row,
      events: [{ kind: 'serial.revoke', body: serialOf(row) }],
      audit: [lifecycleEvent('serial.revoked', deed, { spiffeId, serialNumber: decimal(serialNumber), reason })],
    }
  })
}

/** Certificates that have ended need nobody to refuse them. */
export async function forgetEndedSerials(at: Date, deps: LifecycleDeps): Promise<void> {
  await endRows(at, deps, () => {
    const ended = serials(deps).filter((row) => at.getTime() >= endMsOf(row))
    return ended.map((row) => ({ row, events: [{ kind: 'serial.forget', body: serialOf(row) }], audit: [] }))
  })
}

export const serials = ({ book }: Pick<LifecycleDeps, 'book'>): RevokedSerialRow[] =>
  [...book.lifecycleRows()].filter(isStanding)

const isStanding = (row: LifecycleObject): row is RevokedSerialRow => row.kind === 'serial' && row.endedMs === undefined

const endMsOf = ({ expiresMs, sinceMs }: RevokedSerialRow): number => expiresMs ?? sinceMs + SERIAL_KEPT_MS

function parseSerial(text: string): string {
  const hex = text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '')
  if (hex.length <= SERIAL_MAX_HEX && /^[0-9a-f]+$/.test(hex) && hex !== '0') return hex
  throw refused('revoke', `${JSON.stringify(text.slice(0, 100))} is not a serial number in hex`)
}

/** When the certificate ends, as the journal says. */
async function endOf(spiffeId: string, serialNumber: string, { store }: LifecycleDeps): Promise<number | undefined> {
  const query = { type: 'x509-svid.issued', serialNumber: decimal(serialNumber) }
  for await (const { facts } of store.audit(query)) {
    const issued = JSON.parse(facts) as { spiffeId?: string; notAfter?: string }
    if (issued.spiffeId === spiffeId && issued.notAfter !== undefined) return Date.parse(issued.notAfter)
  }
  return undefined
}

/** As the journal writes serial numbers. */
const decimal = (hex: string): string => BigInt(`0x${hex}`).toString()
