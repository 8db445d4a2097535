import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Call } from '../../src/wire/call.ts'
import { entryToMessage } from '../../src/wire/entry-message.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type { entryService } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import {
  type BatchDeleteEntryRequest,
  type BatchDeleteEntryResponse,
} from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { entryDeleted } from '../audit/entry-events.ts'
import type { Transaction } from '../store/store.ts'
import { agentCallerOf } from './agent-caller.ts'
import { createEntries } from './create-entries.ts'
import { deedOf } from './deed.ts'
import { entryFilterOf } from './filters.ts'
import { failedItem, OK } from './items.ts'
import { pageOf } from './page.ts'
import { hasLabels, readableId } from './entry-labels.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { syncAuthorizedEntries } from './sync-authorized-entries.ts'
import type { Turns } from './turns.ts'
import { entryNotFound, updateEntries } from './update-entries.ts'

/** `spire.api.server.entry.v1.Entry`. */
export function entryHandlers(deps: RpcDeps, federation: Turns): Handlers<typeof entryService> {
  const { directory } = deps
  // An entry that names a bundle and the deletion of that bundle must see each other; all else need not wait.
  const inTurn = <T>(entries: readonly Entry[], action: () => Promise<T>): Promise<T> =>
    entries.some((entry) => entry.federatesWith.length > 0 || touchesLabels(entry, directory))
      ? federation.take(action)
      : action()
  const seen = (entries: readonly RegistrationEntry[], call: Call): RegistrationEntry[] =>
    entries.filter(({ spiffeId }) => deps.zoneRights.maySee(call, spiffeId))
  return {
    async countEntries({ filter }, call) {
      if (deps.zoneRights.zonesOf(call) === undefined) return { count: directory.countEntries(entryFilterOf(filter)) }
      return { count: seen(directory.listEntries(entryFilterOf(filter)).items, call).length }
    },

    async listEntries({ filter, outputMask, pageSize, pageToken }, call) {
      if (deps.zoneRights.zonesOf(call) !== undefined) {
        // Pages are cut from what everybody has: whoever sees a part of it gets that part in one.
        const items = seen(directory.listEntries(entryFilterOf(filter)).items, call)
        return { entries: items.map((entry) => entryToMessage(entry, outputMask)), nextPageToken: '' }
      }
      const { items, nextToken } = directory.listEntries(entryFilterOf(filter), pageOf(pageSize, pageToken))
      return { entries: items.map((entry) => entryToMessage(entry, outputMask)), nextPageToken: nextToken }
    },

    async getEntry({ id, outputMask }, call) {
      const entry = directory.entry(id)
      if (entry === undefined || !deps.zoneRights.maySee(call, entry.spiffeId)) throw entryNotFound(id)
      return entryToMessage(entry, outputMask)
    },

    batchCreateEntry: (request, call) => inTurn(request.entries, () => createEntries(request, call, deps)),
    batchUpdateEntry: (request, call) => inTurn(request.entries, () => updateEntries(request, call, deps)),
    batchDeleteEntry: (request, call) => deleteEntries(request, call, deps),

    async getAuthorizedEntries({ outputMask }, call) {
      const { spiffeId } = agentCallerOf(call, deps)
      return { entries: directory.entitled(spiffeId).map((entry) => entryToMessage(entry, outputMask)) }
    },

    syncAuthorizedEntries: (requests, call) => syncAuthorizedEntries(requests, call, deps),
  }
}

/** Entries of an id with labels must agree, so changes of them must see each other too. */
function touchesLabels({ id, spiffeId }: Entry, directory: RpcDeps['directory']): boolean {
  const ids = [directory.entry(id)?.spiffeId, spiffeId === null ? undefined : readableId(spiffeId)]
  return ids.some((one) => one !== undefined && hasLabels(one, directory))
}

async function deleteEntries(
  { ids }: BatchDeleteEntryRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<BatchDeleteEntryResponse>> {
  const deed = deedOf(call, deps)
  for (const id of ids) deps.zoneRights.checkChange(call, deps.directory.entry(id), undefined)
  const outcomes = await deps.store.commitAll(
    ids.map((id): Transaction => {
      const entry = deps.directory.entry(id)
      const audit = entry === undefined ? [] : [entryDeleted(deed, entry)]
      return { mutations: [{ kind: 'entry.delete', id }], audit }
    }),
  )
  let revision = 0
  const results = ids.map((id, index) => {
    const outcome = outcomes[index]
    if (outcome?.ok !== true) return { status: failedItem(entryNotFound(id), call, deps.log), id }
    revision = Math.max(revision, outcome.revision)
    return { status: OK, id }
  })
  await deps.directory.reached(revision)
  return { results }
}
