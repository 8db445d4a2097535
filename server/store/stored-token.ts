import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { JoinToken } from './store.ts'

/** A row of `join_tokens`. */
export interface StoredToken {
  readonly hash: string
  readonly expires_at: number
  readonly alias_id: string | null
  readonly address_range: string | null
  readonly spent_at: number | null
  readonly spent_address: string | null
}

export function storedTokenOf(token: JoinToken): StoredToken {
  return {
    hash: token.hash,
    expires_at: token.expiresAt.getTime(),
    alias_id: token.aliasId?.toString() ?? null,
    address_range: token.addressRange ?? null,
    spent_at: token.spent?.at.getTime() ?? null,
    spent_address: token.spent?.address ?? null,
  }
}

export function tokenOf(stored: StoredToken): JoinToken {
  const { spent_at: spentAt } = stored
  return {
    hash: stored.hash,
    expiresAt: new Date(stored.expires_at),
    aliasId: stored.alias_id === null ? undefined : SpiffeId.parse(stored.alias_id),
    addressRange: stored.address_range ?? undefined,
    spent: spentAt === null ? undefined : { at: new Date(spentAt), address: stored.spent_address ?? '' },
  }
}
