import { printSelector } from '../../src/entry/selector.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AttestedAgent } from './store.ts'
import { storedSelector } from './stored-entry.ts'

/** An agent as JSON in the database. */
export interface StoredAgent {
  readonly spiffeId: string
  readonly attestationType: string
  readonly serialNumber: string
  readonly pendingSerialNumber?: string | undefined
  readonly pendingExpiresAt?: number | undefined
  readonly expiresAt: number
  readonly selectors: readonly string[]
  readonly banned: boolean
  readonly canReattest: boolean
  readonly version: string
  readonly attestedAt: number
  readonly keyHashes: readonly string[]
  readonly revisionNumber: number
}

export function storedAgentOf(agent: AttestedAgent): StoredAgent {
  return {
    spiffeId: agent.spiffeId.toString(),
    attestationType: agent.attestationType,
    serialNumber: agent.serialNumber,
    pendingSerialNumber: agent.pendingSerialNumber,
    pendingExpiresAt: agent.pendingExpiresAt?.getTime(),
    expiresAt: agent.expiresAt.getTime(),
    selectors: agent.selectors.map(printSelector),
    banned: agent.banned,
    canReattest: agent.canReattest,
    version: agent.version,
    attestedAt: agent.attestedAt.getTime(),
    keyHashes: agent.keyHashes,
    revisionNumber: agent.revisionNumber,
  }
}

export function agentOf(stored: StoredAgent): AttestedAgent {
  return {
    spiffeId: SpiffeId.parse(stored.spiffeId),
    attestationType: stored.attestationType,
    serialNumber: stored.serialNumber,
    pendingSerialNumber: stored.pendingSerialNumber,
    pendingExpiresAt: stored.pendingExpiresAt === undefined ? undefined : new Date(stored.pendingExpiresAt),
    expiresAt: new Date(stored.expiresAt),
    selectors: stored.selectors.map(storedSelector),
    banned: stored.banned,
    canReattest: stored.canReattest,
    version: stored.version,
    attestedAt: new Date(stored.attestedAt),
    keyHashes: stored.keyHashes,
    revisionNumber: stored.revisionNumber,
  }
}
