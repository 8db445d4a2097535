import type { Store } from '../store/store.ts'
import type { AuditQuery, StoredAuditRecord } from './record.ts'

/** The records that a query asks for, one line of JSON each, with a line feed at its end. */
export async function* exportAudit(store: Pick<Store, 'audit'>, query: AuditQuery): AsyncGenerator<string> {
  for await (const record of store.audit(query)) yield auditLine(record)
}

/** Order of fields: what a reader looks for first comes first. Facts are canonical JSON already. */
export function auditLine({ sequence, at, type, facts, linkHash }: StoredAuditRecord): string {
  const head = JSON.stringify({ sequence, at: at.toISOString(), type }).slice(0, -1)
  return `${head},"facts":${facts},"link":"${linkHash.toString('hex')}"}\n`
}
