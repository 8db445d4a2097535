import { hash } from 'node:crypto'
import type { AuditEvent } from '../audit/record.ts'
import { canonicalJson } from '../../src/jws/canonical-json.ts'

/** An audit record as it is hashed; `facts` is canonical JSON already. */
export interface ChainedRecord {
  readonly sequence: number
  readonly atMs: number
  readonly type: string
  readonly facts: string
}

/** What the first link follows: it binds the chain to its database. */
export function genesisHash(epoch: string): Buffer {
  return hash('sha256', `sallyport-audit-v1:${epoch}`, 'buffer')
}

/** The hash of one link: SHA-256(previous hash ‖ canonical JSON of its records). */
export function linkHash(previous: Uint8Array, records: readonly ChainedRecord[]): Buffer {
  const text = `[${records.map(canonicalRecord).join(',')}]`
  return hash('sha256', Buffer.concat([previous, Buffer.from(text)]), 'buffer')
}

/** The facts of an event as they are stored and hashed. */
export const factsOf = (event: AuditEvent): string => canonicalJson(event.facts)

// Written out instead of canonicalJson(record): the facts are canonical already, and this runs for every signature.
const canonicalRecord = ({ sequence, atMs, type, facts }: ChainedRecord): string =>
  `{"at":${atMs},"facts":${facts},"sequence":${sequence},"type":${JSON.stringify(type)}}`
