import type { DatabaseSync } from 'node:sqlite'
import { genesisHash } from './audit-chain.ts'
import type { AuditPosition } from './store.ts'

/** The row of the table `state`. */
export interface StoreState {
  readonly epoch: string
  readonly revision: number
  readonly lastGroup: number
  readonly auditHead: AuditPosition
  readonly auditStart: AuditPosition
}

interface StateRow {
  readonly epoch: string
  readonly revision: number
  readonly last_group: number
  readonly audit_sequence: number
  readonly audit_hash: Uint8Array
  readonly audit_start_sequence: number
  readonly audit_start_hash: Uint8Array
}

export function readState(db: DatabaseSync): StoreState {
  const row = db.prepare('SELECT * FROM state').get() as unknown as StateRow
  return {
    epoch: row.epoch,
    revision: row.revision,
    lastGroup: row.last_group,
    auditHead: { sequence: row.audit_sequence, hash: Buffer.from(row.audit_hash) },
    auditStart: { sequence: row.audit_start_sequence, hash: Buffer.from(row.audit_start_hash) },
  }
}

/**
 * Writes the first row, or gives a restored copy a new epoch: agents that have seen later revisions of the lost file must not
 * take those of this one for them.
 */
export function claimState(
  db: DatabaseSync,
  { identity, isCopiedOver }: { readonly identity: string; readonly isCopiedOver: boolean },
  newEpoch: string,
): 'new' | 'same' | 'restored' {
  const row = db.prepare('SELECT file_identity AS identity FROM state').get() as { identity: string } | undefined
  if (row?.identity === identity && !isCopiedOver) return 'same'
  if (row !== undefined) {
    db.prepare('UPDATE state SET epoch = ?, file_identity = ?').run(newEpoch, identity)
    return 'restored'
  }
  const genesis = genesisHash(newEpoch)
  db.prepare(`INSERT INTO state VALUES (1, ?, ?, 0, 0, '[]', 0, ?, 0, ?)`).run(newEpoch, identity, genesis, genesis)
  return 'new'
}
