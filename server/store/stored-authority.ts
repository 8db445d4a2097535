import type { AuthorityRow } from './store.ts'

/** A row of an authority journal as JSON in the database. */
export interface StoredAuthority {
  readonly serverId: string
  readonly kind: AuthorityRow['kind']
  readonly authorityId: string
  readonly state: AuthorityRow['state']
  readonly keyName: string
  readonly keyType: string
  /** Base64. */
  readonly publicDer: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
  readonly tainted: boolean
  readonly publishedRevision?: number | undefined
  readonly changedAt: number
}

export function storedAuthorityOf(row: AuthorityRow): StoredAuthority {
  return {
    serverId: row.serverId,
    kind: row.kind,
    authorityId: row.authorityId,
    state: row.state,
    keyName: row.keyName,
    keyType: row.keyType,
    publicDer: row.publicDer.map((der) => der.toString('base64')),
    notBefore: row.notBefore.getTime(),
    notAfter: row.notAfter.getTime(),
    tainted: row.tainted,
    publishedRevision: row.publishedRevision,
    changedAt: row.changedAt.getTime(),
  }
}

export function authorityOf(stored: StoredAuthority): AuthorityRow {
  return {
    serverId: stored.serverId,
    kind: stored.kind,
    authorityId: stored.authorityId,
    state: stored.state,
    keyName: stored.keyName,
    keyType: stored.keyType,
    publicDer: stored.publicDer.map((text) => Buffer.from(text, 'base64')),
    notBefore: new Date(stored.notBefore),
    notAfter: new Date(stored.notAfter),
    tainted: stored.tainted,
    publishedRevision: stored.publishedRevision,
    changedAt: new Date(stored.changedAt),
  }
}
