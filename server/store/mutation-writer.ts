import { hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { DecisionWriter } from './decision-writer.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import type { StoredEntry } from './stored-entry.ts'
import type { StoredToken } from './stored-token.ts'
import type { EncodedChange, EncodedConflict, EncodedMutation } from './writer-protocol.ts'

/** A change with the JSON of its new value, as the change log wants it. */
export interface WrittenChange extends EncodedChange {
  readonly after: string | null
}

type EntryMutation = Extract<EncodedMutation, { kind: 'entry.create' | 'entry.update' }>
type AgentPut = Extract<EncodedMutation, { kind: 'agent.put' }>
type TokenSpend = Extract<EncodedMutation, { kind: 'token.spend' }>
type BundlePut = Extract<EncodedMutation, { kind: 'bundle.put' }>
type DocumentPut = Extract<EncodedMutation, { kind: 'document.put' }>
type DocumentDelete = Extract<EncodedMutation, { kind: 'document.delete' }>
type AuthorityMutation = Extract<EncodedMutation, { kind: 'authority.put' | 'authority.delete' }>

type Change = Omit<WrittenChange, 'mutation'>
type Conflict = Omit<EncodedConflict, 'index'>
type Result = readonly Change[] | Conflict

interface EntryRow {
  readonly number: number
  readonly body: string
}

interface Body {
  readonly body: string
}

/** Checks and writes mutations inside a transaction that somebody else opened. Every check comes before the first write of its mutation. */
export class MutationWriter {
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared
  readonly #decisions: DecisionWriter

  constructor(db: DatabaseSync) {
    this.#sql = preparedBy(db)
    this.#decisions = new DecisionWriter(db)
  }

  /** All changes in order, or the first conflict; after a conflict the caller rolls back. */
  writeAll(mutations: readonly EncodedMutation[]): WrittenChange[] | EncodedConflict {
    const changes: WrittenChange[] = []
    for (const [index, mutation] of mutations.entries()) {
      const result = this.#write(mutation)
      if ('reason' in result) return { index, ...result }
      for (const change of result) changes.push({ mutation: index, ...change })
    }
    return changes
  }

  #write(mutation: EncodedMutation): Result {
    switch (mutation.kind) {
      case 'entry.create':
        return this.#createEntry(mutation)
      case 'entry.update':
        return this.#updateEntry(mutation)
      case 'entry.delete':
        return this.#deleteEntry(mutation.id)
      case 'agent.put':
        return this.#putAgent(mutation)
      case 'agent.delete':
        return this.#deleteAgent(mutation.spiffeId)
      case 'token.create':
        return this.#createToken(mutation.token)
      case 'token.spend':
        return this.#spendToken(mutation)
      case 'token.prune':
        return this.#pruneTokens(mutation.expiredBeforeMs)
      case 'bundle.put':
        return this.#putBundle(mutation)
      case 'bundle.delete':
        return this.#deleteBundle(mutation.trustDomain)
      case 'authority.put':
      case 'authority.delete':
        return this.#writeAuthority(mutation)
      case 'document.put':
        return this.#putDocument(mutation)
      case 'document.delete':
        return this.#deleteDocument(mutation)
      case 'decisions.add':
        this.#decisions.add(mutation.batch, mutation.room)
        return []
    }
  }

  #entry(id: string): EntryRow | undefined {
    return this.#sql`SELECT number, body FROM entries WHERE id = ?`.get(id) as EntryRow | undefined
  }

  #createEntry(entry: EntryMutation): Result {
    const similarity = similarityOf(entry)
    const existingEntry = this.#entry(entry.id)?.body ?? this.#similar(similarity, '')
    if (existingEntry !== undefined) return { reason: 'exists', existingEntry }
    const { lastInsertRowid } = this
      .#sql`INSERT INTO entries (id, spiffe_id, parent_id, similarity, body) VALUES (?, ?, ?, ?, ?)`.run(
      entry.id,
      entry.spiffeId,
      entry.parentId,
      similarity,
      entry.body,
    )
    this.#addSelectors(Number(lastInsertRowid), entry.selectors)
    return [{ kind: 'entry', key: entry.id, before: null, after: entry.body }]
  }

  #updateEntry(entry: EntryMutation): Result {
    const row = this.#entry(entry.id)
    if (row === undefined) return { reason: 'missing' }
    const before = row.body
    const old = JSON.parse(before) as StoredEntry
    if (old.revisionNumber !== entry.revisionNumber - 1) return { reason: 'stale', existingEntry: before }
    const similarity = similarityOf(entry)
    const existingEntry = this.#similar(similarity, entry.id)
    if (existingEntry !== undefined) return { reason: 'exists', existingEntry }
    this.#removeSelectors(row.number, old.selectors)
    this.#sql`UPDATE entries SET spiffe_id = ?, parent_id = ?, similarity = ?, body = ? WHERE id = ?`.run(
      entry.spiffeId,
      entry.parentId,
      similarity,
      entry.body,
      entry.id,
    )
    this.#addSelectors(row.number, entry.selectors)
    return [{ kind: 'entry', key: entry.id, before, after: entry.body }]
  }

  #deleteEntry(id: string): Result {
    const row = this.#entry(id)
    if (row === undefined) return { reason: 'missing' }
    this.#removeSelectors(row.number, (JSON.parse(row.body) as StoredEntry).selectors)
    this.#sql`DELETE FROM entries WHERE number = ?`.run(row.number)
    return [{ kind: 'entry', key: id, before: row.body, after: null }]
  }

  #similar(similarity: Uint8Array, otherThan: string): string | undefined {
    const row = this.#sql`SELECT body FROM entries WHERE similarity = ? AND id <> ?`.get(similarity, otherThan)
    return (row as Body | undefined)?.body
  }

  #addSelectors(number: number, selectors: readonly string[]): void {
    const insert = this.#sql`INSERT OR IGNORE INTO entry_selectors (selector, entry_number) VALUES (?, ?)`
    for (const selector of selectors) insert.run(selector, number)
  }

  #removeSelectors(number: number, selectors: readonly string[]): void {
    const remove = this.#sql`DELETE FROM entry_selectors WHERE selector = ? AND entry_number = ?`
    for (const selector of selectors) remove.run(selector, number)
  }

  #putAgent({ spiffeId, revisionNumber, expiresAtMs, body }: AgentPut): Result {
    const row = this.#sql`SELECT revision_number AS number, body FROM agents WHERE spiffe_id = ?`.get(spiffeId)
    const stored = row as { number: number; body: string } | undefined
    if (revisionNumber === 0 && stored !== undefined) return { reason: 'exists' }
    if (revisionNumber > 0 && stored === undefined) return { reason: 'missing' }
    if (stored !== undefined && stored.number !== revisionNumber - 1) return { reason: 'stale' }
    this.#sql`INSERT OR REPLACE INTO agents (spiffe_id, revision_number, expires_at, body) VALUES (?, ?, ?, ?)`.run(
      spiffeId,
      revisionNumber,
      expiresAtMs,
      body,
    )
    return [{ kind: 'agent', key: spiffeId, before: stored?.body ?? null, after: body }]
  }

  #deleteAgent(spiffeId: string): Result {
    const stored = this.#sql`DELETE FROM agents WHERE spiffe_id = ? RETURNING body`.get(spiffeId) as Body | undefined
    if (stored === undefined) return { reason: 'missing' }
    return [{ kind: 'agent', key: spiffeId, before: stored.body, after: null }]
  }

  #createToken(token: StoredToken): Result {
    const existingToken = this.#token(token.hash)
    if (existingToken !== undefined) return { reason: 'exists', existingToken }
    this.#sql`INSERT INTO join_tokens (hash, expires_at, alias_id, address_range, spent_at, spent_address)
      VALUES (?, ?, ?, ?, ?, ?)`.run(
      token.hash,
      token.expires_at,
      token.alias_id,
      token.address_range,
      token.spent_at,
      token.spent_address,
    )
    return [tokenChange(token.hash)]
  }

  #spendToken({ hash: tokenHash, atMs, address }: TokenSpend): Result {
    const existingToken = this.#token(tokenHash)
    if (existingToken === undefined) return { reason: 'missing' }
    if (existingToken.spent_at !== null) return { reason: 'spent', existingToken }
    if (atMs >= existingToken.expires_at) return { reason: 'expired', existingToken }
    this.#sql`UPDATE join_tokens SET spent_at = ?, spent_address = ? WHERE hash = ?`.run(atMs, address, tokenHash)
    return [tokenChange(tokenHash)]
  }

  #pruneTokens(expiredBeforeMs: number): Result {
    const rows = this.#sql`DELETE FROM join_tokens WHERE expires_at < ? RETURNING hash`.all(expiredBeforeMs)
    const hashes = (rows as unknown as readonly { hash: string }[]).map((row) => row.hash)
    return hashes.toSorted().map(tokenChange)
  }

  #token(tokenHash: string): StoredToken | undefined {
    const row = this.#sql`SELECT * FROM join_tokens WHERE hash = ?`.get(tokenHash) as StoredToken | undefined
    // Rows of node:sqlite have no prototype, which a copy between threads would not keep.
    return row === undefined ? undefined : { ...row }
  }

  #putBundle({ trustDomain, sequenceNumber, ifSequence, body }: BundlePut): Result {
    const row = this.#sql`SELECT sequence_number AS number, body FROM bundles WHERE trust_domain = ?`.get(trustDomain)
    const stored = row as { number: number; body: string } | undefined
    if (ifSequence !== undefined && ifSequence !== (stored?.number ?? 0)) return { reason: 'stale' }
    this.#sql`INSERT OR REPLACE INTO bundles (trust_domain, sequence_number, body) VALUES (?, ?, ?)`.run(
      trustDomain,
      sequenceNumber,
      body,
    )
    return [{ kind: 'bundle', key: trustDomain, before: stored?.body ?? null, after: body }]
  }

  #deleteBundle(trustDomain: string): Result {
    const row = this.#sql`DELETE FROM bundles WHERE trust_domain = ? RETURNING body`.get(trustDomain)
    if (row === undefined) return { reason: 'missing' }
    return [{ kind: 'bundle', key: trustDomain, before: (row as unknown as Body).body, after: null }]
  }

  #writeAuthority(mutation: AuthorityMutation): Result {
    const key = [mutation.serverId, mutation.authorityKind, mutation.authorityId] as const
    const row = this.#sql`DELETE FROM authorities WHERE server_id = ? AND kind = ? AND authority_id = ? RETURNING body`
    const before = (row.get(...key) as Body | undefined)?.body ?? null
    if (mutation.kind === 'authority.delete') {
      if (before === null) return { reason: 'missing' }
      return [{ kind: 'authority', key: mutation.authorityId, before, after: null }]
    }
    this.#sql`INSERT INTO authorities (server_id, kind, authority_id, body) VALUES (?, ?, ?, ?)`.run(
      ...key,
      mutation.body,
    )
    return [{ kind: 'authority', key: mutation.authorityId, before, after: mutation.body }]
  }

  #putDocument({ documentKind, key, number, body }: DocumentPut): Result {
    const isList = documentKind === 'policy' || documentKind === 'fastLane'
    const row = isList
      ? this.#sql`SELECT number, body FROM documents WHERE kind = ? ORDER BY number DESC LIMIT 1`.get(documentKind)
      : this.#sql`SELECT number, body FROM documents WHERE kind = ? AND key = ?`.get(documentKind, key)
    const stored = row as { number: number; body: string } | undefined
    // A list starts at 1, the changes of an object at 0.
    const expected = stored === undefined ? (isList ? 1 : 0) : stored.number + 1
    if (number !== expected) return { reason: stored === undefined ? 'missing' : number === 0 ? 'exists' : 'stale' }
    this.#sql`INSERT INTO documents (kind, key, number, body) VALUES (?, ?, ?, ?)
      ON CONFLICT (kind, key) DO UPDATE SET number = excluded.number, body = excluded.body`.run(
      documentKind,
      key,
      number,
      body,
    )
    return [{ kind: documentKind, key, before: isList ? null : (stored?.body ?? null), after: body }]
  }

  #deleteDocument({ documentKind, key }: DocumentDelete): Result {
    const row = this.#sql`DELETE FROM documents WHERE kind = ? AND key = ? RETURNING body`.get(documentKind, key)
    if (row === undefined) return { reason: 'missing' }
    return [{ kind: documentKind, key, before: (row as unknown as Body).body, after: null }]
  }
}

/**
 * Equal for entries with the same id, parent and set of selectors: SPIRE calls them similar and refuses the second. 16 bytes,
 * because the index over them is most of what a commit writes; whoever made two collide would only be refused the second.
 */
function similarityOf({ spiffeId, parentId, selectors }: EntryMutation): Buffer {
  return hash('sha256', JSON.stringify([spiffeId, parentId, ...selectors.toSorted()]), 'buffer').subarray(0, 16)
}

const tokenChange = (key: string): Change => ({ kind: 'token', key, before: null, after: null })
