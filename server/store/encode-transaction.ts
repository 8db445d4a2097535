import type { AuditEvent } from '../audit/record.ts'
import { printSelector } from '../../src/entry/selector.ts'
import { factsOf } from './audit-chain.ts'
import type { DecisionBatchRow } from './decision-rows.ts'
import type { Mutation, Transaction } from './store.ts'
import { storedAgentOf } from './stored-agent.ts'
import { storedAuthorityOf } from './stored-authority.ts'
import { storedBundleOf } from './stored-bundle.ts'
import { storedEntryOf } from './stored-entry.ts'
import { storedTokenOf } from './stored-token.ts'
import type { DocumentKind, EncodedEvent, EncodedMutation, EncodedTransaction } from './writer-protocol.ts'

export function encodeTransaction({ mutations, audit }: Transaction): EncodedTransaction {
  return { mutations: mutations.map(encodeMutation), audit: audit.map(encodeEvent) }
}

/** About how many bytes a transaction holds while it waits. */
export function sizeOf({ mutations, audit }: EncodedTransaction): number {
  let bytes = 0
  for (const mutation of mutations) bytes += 256 + ('body' in mutation ? mutation.body.length : 0)
  for (const mutation of mutations) if (mutation.kind === 'decisions.add') bytes += sizeOfBatch(mutation.batch)
  for (const event of audit) bytes += 128 + event.facts.length
  return bytes
}

function encodeMutation(mutation: Mutation): EncodedMutation {
  switch (mutation.kind) {
    case 'entry.create':
    case 'entry.update': {
      const { id, spiffeId, parentId, selectors, revisionNumber } = mutation.entry
      return {
        kind: mutation.kind,
        id,
        revisionNumber,
        spiffeId: spiffeId.toString(),
        parentId: parentId.toString(),
        selectors: selectors.map(printSelector),
        body: JSON.stringify(storedEntryOf(mutation.entry)),
      }
    }
    case 'agent.put': {
      const { spiffeId, revisionNumber, expiresAt } = mutation.agent
      const body = JSON.stringify(storedAgentOf(mutation.agent))
      return {
        kind: 'agent.put',
        spiffeId: spiffeId.toString(),
        revisionNumber,
        expiresAtMs: expiresAt.getTime(),
        body,
      }
    }
    case 'agent.delete':
      return { kind: 'agent.delete', spiffeId: mutation.spiffeId.toString() }
    case 'token.create':
      return { kind: 'token.create', token: storedTokenOf(mutation.token) }
    case 'token.spend':
      return { kind: 'token.spend', hash: mutation.hash, atMs: mutation.at.getTime(), address: mutation.address }
    case 'token.prune':
      return { kind: 'token.prune', expiredBeforeMs: mutation.expiredBefore.getTime() }
    case 'bundle.put': {
      const { trustDomain, sequenceNumber } = mutation.bundle
      const body = JSON.stringify(storedBundleOf(mutation.bundle))
      return {
        kind: 'bundle.put',
        trustDomain: trustDomain.name,
        sequenceNumber,
        ifSequence: mutation.ifSequence,
        body,
      }
    }
    case 'authority.put': {
      const { serverId, kind, authorityId } = mutation.row
      const body = JSON.stringify(storedAuthorityOf(mutation.row))
      return { kind: 'authority.put', serverId, authorityKind: kind, authorityId, body }
    }
    case 'policy.put':
      return documentOf('policy', String(mutation.row.revision), mutation.row.revision, mutation.row)
    case 'policyState.put':
      return documentOf('policyState', 'policy', mutation.row.revisionNumber, mutation.row)
    case 'lifecycle.put':
      return documentOf('lifecycle', mutation.row.id, mutation.row.revisionNumber, mutation.row)
    case 'lifecycle.delete':
      return { kind: 'document.delete', documentKind: 'lifecycle', key: mutation.id }
    case 'fastLane.append':
      return documentOf('fastLane', String(mutation.row.sequence), mutation.row.sequence, mutation.row)
    case 'entry.delete':
    case 'bundle.delete':
    case 'authority.delete':
    case 'decisions.add':
      return mutation
  }
}

const documentOf = (documentKind: DocumentKind, key: string, number: number, row: object): EncodedMutation => ({
  ...{ kind: 'document.put', documentKind, key, number },
  body: JSON.stringify(row),
})

const sizeOfBatch = ({ records, counters }: DecisionBatchRow): number =>
  records.reduce((sum, { content }) => sum + content.length + 512, 0) +
  counters.reduce((sum, { key }) => sum + key.length + 512, 0)

function encodeEvent(event: AuditEvent): EncodedEvent {
  const { spiffeId, serialNumber } = event.facts
  return {
    type: event.type,
    atMs: event.at.getTime(),
    facts: factsOf(event),
    spiffeId: typeof spiffeId === 'string' ? spiffeId : null,
    serialNumber: typeof serialNumber === 'string' ? serialNumber : null,
  }
}
