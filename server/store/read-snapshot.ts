import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { openForReading } from './connection.ts'
import { readError } from './store-reader.ts'
import { readState } from './store-state.ts'
import type { StoreSnapshot } from './store.ts'
import { agentOf, type StoredAgent } from './stored-agent.ts'
import { authorityOf, type StoredAuthority } from './stored-authority.ts'
import { bundleOf, type StoredBundle } from './stored-bundle.ts'
import { entryOf, type StoredEntry } from './stored-entry.ts'

/** Rows that are read before others get a turn. */
const SNAPSHOT_PORTION = 2_000

/** Reads everything as of one revision, on a connection of its own whose transaction holds that moment. */
export async function readSnapshot(path: string): Promise<StoreSnapshot> {
  try {
    using db = openForReading(path)
    db.exec('BEGIN')
    const { revision } = readState(db)
    const ids = new Map<string, SpiffeId>()
    const idOf = (text: string): SpiffeId => ids.get(text) ?? remember(ids, text)
    return {
      revision,
      entries: await readAll(db, 'entries', 'number', (body) => entryOf(JSON.parse(body) as StoredEntry, idOf)),
      agents: await readAll(db, 'agents', 'spiffe_id', (body) => agentOf(JSON.parse(body) as StoredAgent)),
      bundles: await readAll(db, 'bundles', 'trust_domain', (body) => bundleOf(JSON.parse(body) as StoredBundle)),
      authorities: await readAll(db, 'authorities', 'server_id, kind, authority_id', (body) =>
        authorityOf(JSON.parse(body) as StoredAuthority),
      ),
    }
  } catch (error) {
    throw readError(error, path)
  }
}

async function readAll<T>(db: DatabaseSync, table: string, order: string, read: (body: string) => T): Promise<T[]> {
  const statement = db.prepare(`SELECT body FROM ${table} ORDER BY ${order}`)
  statement.setReturnArrays(true)
  const rows: T[] = []
  for (const body of bodiesOf(statement)) {
    rows.push(read(body))
    if (rows.length % SNAPSHOT_PORTION === 0) await nextTurn()
  }
  return rows
}

function* bodiesOf(statement: StatementSync): Generator<string> {
  for (const row of statement.iterate()) yield (row as unknown as readonly [string])[0]
}

function remember(ids: Map<string, SpiffeId>, text: string): SpiffeId {
  const id = SpiffeId.parse(text)
  ids.set(text, id)
  return id
}
