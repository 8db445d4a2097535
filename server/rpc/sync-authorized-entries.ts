import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Call } from '../../src/wire/call.ts'
import { entryToMessage } from '../../src/wire/entry-message.ts'
import type {
  SyncAuthorizedEntriesRequest,
  SyncAuthorizedEntriesResponse,
} from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { EntryMask } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { agentCallerOf } from './agent-caller.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { secondsOf } from './svid-message.ts'

/** Up to so many entries are sent in full; of more, revisions first, in pages of this size. SPIRE's agents depend on it. */
export const SYNC_PAGE_SIZE = 500

type Response = Sent<SyncAuthorizedEntriesResponse>

/**
 * `SyncAuthorizedEntries`, by which SPIRE's agents poll: revisions of everything, then the entries that the agent lacks.
 * A first response without revisions is the complete list, so it is never sent without having looked.
 */
export async function* syncAuthorizedEntries(
  requests: AsyncIterable<SyncAuthorizedEntriesRequest>,
  call: Call,
  deps: RpcDeps,
): AsyncGenerator<Response> {
  const { spiffeId } = agentCallerOf(call, deps)
  let mask: EntryMask | null | undefined
  for await (const { outputMask, ids } of requests) {
    if (mask === undefined) {
      if (ids.length > 0) throw invalid('specifying IDs on initial request is not supported')
      if (outputMask !== null && !outputMask.revisionNumber) throw invalid('revision_number cannot be masked')
      mask = outputMask
      const entitled = deps.directory.entitled(spiffeId)
      if (entitled.length <= SYNC_PAGE_SIZE) {
        yield { entries: entitled.map((entry) => entryToMessage(entry, outputMask)), more: false }
        return
      }
      yield* pages(entitled, (page, more) => ({ entryRevisions: page.map(revisionOf), more }))
    } else {
      // Asked for by id, an entry is looked at again: rights may have gone since the revisions were sent.
      const sent = mask
      const wanted = ids.flatMap((id) => entryFor(spiffeId, id, deps) ?? [])
      yield* pages(wanted, (page, more) => ({ entries: page.map((entry) => entryToMessage(entry, sent)), more }))
    }
  }
}

/** At least one page, so that every question has an answer. */
function* pages(
  entries: readonly RegistrationEntry[],
  toResponse: (page: readonly RegistrationEntry[], more: boolean) => Response,
) {
  let start = 0
  do {
    const end = start + SYNC_PAGE_SIZE
    yield toResponse(entries.slice(start, end), end < entries.length)
    start = end
  } while (start < entries.length)
}

function entryFor(agentId: SpiffeId, entryId: string, { directory }: RpcDeps): RegistrationEntry | undefined {
  const entry = directory.entry(entryId)
  return entry !== undefined && directory.covers(agentId, entry) ? entry : undefined
}

const revisionOf = ({ id, revisionNumber, createdAt }: RegistrationEntry) => ({
  id,
  revisionNumber,
  createdAt: secondsOf(createdAt),
})

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', `Cannot sync entries: ${why}`)
