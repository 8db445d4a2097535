import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { entryNotFound } from './update-entries.ts'

/**
 * The entry that an agent names, which it must be entitled to.
 *
 * @throws {@link SallyportError} `ENTRY_NOT_FOUND`: somebody else's entry is as unknown as one that is nobody's
 */
export function entitledEntry(
  entryId: string,
  agentId: SpiffeId,
  { directory }: Pick<RpcDeps, 'directory'>,
): RegistrationEntry {
  const entry = directory.entry(entryId)
  if (entry === undefined || !directory.covers(agentId, entry)) throw entryNotFound(entryId)
  return entry
}
