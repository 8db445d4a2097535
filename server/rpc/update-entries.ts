import { checkEntry } from '../../src/entry/check-entry.ts'
import type { Labels } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import { entryDraftFromMessage, entryToMessage } from '../../src/wire/entry-message.ts'
import type {
  BatchUpdateEntryRequest,
  BatchUpdateEntryResponse,
  BatchUpdateEntryResponseResult,
} from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry, EntryMask } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { entryUpdated } from '../audit/entry-events.ts'
import { checkFederation, shownTo, similarExists, warnOf } from './create-entries.ts'
import { deedOf } from './deed.ts'
import { LabelAgreement } from './entry-labels.ts'
import { eachItem, failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { withRoom } from './slice-room.ts'

type Result = Sent<BatchUpdateEntryResponseResult>

/** An entry that somebody else changes at the same moment is read again this often, this far apart. */
const TRIES = 5
const RETRY_MS = 5

/** What nobody may set: who an entry is, when it was made and how often it was changed. */
const KEPT: ReadonlySet<string> = new Set(['id', 'createdAt', 'revisionNumber'])

/** `BatchUpdateEntry`: the fields of the input mask, or all of them; each update counts the revision number up. */
export async function updateEntries(
  { entries, inputMask, outputMask }: BatchUpdateEntryRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<BatchUpdateEntryResponse>> {
  const results = new Map<number, Result>()
  for (let tries = 1; results.size < entries.length; tries += 1) {
    const open = entries.map((message, index) => ({ message, index })).filter(({ index }) => !results.has(index))
    const agreement = new LabelAgreement(deps.directory)
    const made = eachItem(open, ({ message, index }) => {
      const update = { index, ...updated(message, inputMask, deps) }
      agreement.check(update.after)
      deps.zoneRights.checkChange(call, update.before, update.after)
      return update
    })
    const updates = withRoom(made, ({ after }) => after, deps)
    for (const [place, update] of updates.entries()) {
      if ('error' in update) results.set(open[place]!.index, failed(update.error, call, deps))
    }
    const good = updates.flatMap((update) => ('value' in update ? [update.value] : []))
    await commitUpdates(good, results, { isLastTry: tries === TRIES, outputMask, call, deps })
    if (results.size < entries.length) await deps.clock.sleep(RETRY_MS, call.signal)
  }
  return { results: entries.map((_entry, index) => results.get(index)!) }
}

interface Update {
  readonly index: number
  readonly before: RegistrationEntry
  readonly after: RegistrationEntry
}

async function commitUpdates(
  updates: readonly Update[],
  results: Map<number, Result>,
  {
    isLastTry,
    outputMask,
    call,
    deps,
  }: { isLastTry: boolean; outputMask: EntryMask | null; call: Call; deps: RpcDeps },
): Promise<void> {
  const deed = deedOf(call, deps)
  const outcomes = await deps.store.commitAll(
    updates.map(({ after }) => ({
      mutations: [{ kind: 'entry.update', entry: after }],
      audit: [entryUpdated(deed, after)],
    })),
  )
  let revision = 0
  for (const [place, outcome] of outcomes.entries()) {
    const { index, after } = updates[place]!
    if (outcome.ok) {
      revision = Math.max(revision, outcome.revision)
      warnOf(after, deps)
      results.set(index, { status: OK, entry: entryToMessage(after, outputMask) })
    } else if (outcome.reason === 'exists') {
      const similar = outcome.existingEntry
      const entry = shownTo(call, similar, outputMask, deps)
      results.set(index, { ...failed(similarExists(after, similar), call, deps), entry })
    } else if (outcome.reason === 'missing') {
      results.set(index, failed(entryNotFound(after.id), call, deps))
    } else if (isLastTry) {
      results.set(index, failed(concurrent(after.id), call, deps))
    }
  }
  await deps.directory.reached(revision)
}

/** An entry as it is and as it would be. Labels stay unless they are named: SPIRE's API does not know them. */
export function updated(
  message: Entry,
  mask: EntryMask | null,
  deps: RpcDeps,
  labelsAfter: (before: Labels) => Labels = (before) => before,
): { readonly before: RegistrationEntry; readonly after: RegistrationEntry } {
  if (message.id === '') throw new SallyportError('REQUEST_INVALID', 'Cannot update an entry: its id is missing')
  const before = deps.directory.entry(message.id)
  if (before === undefined) throw entryNotFound(message.id)
  const given = { id: before.id, createdAt: before.createdAt, revisionNumber: before.revisionNumber + 1 }
  const draft = entryDraftFromMessage(mergedMessage(before, message, mask), given)
  const after = checkEntry({ ...draft, labels: labelsAfter(before.labels) }, deps)
  checkFederation(after, deps)
  return { before, after }
}

function mergedMessage(before: RegistrationEntry, message: Entry, mask: EntryMask | null): Entry {
  const old = entryToMessage(before) as Entry
  // Flags that a caller without a mask does not mention stay, as with SPIRE: older callers do not know them.
  const attributes = message.additionalAttributes ?? (mask === null ? old.additionalAttributes : undefined)
  const wanted = Object.entries({ ...message, additionalAttributes: attributes }).filter(
    ([field]) => !KEPT.has(field) && (mask === null || mask[field as keyof EntryMask]),
  )
  return { ...old, ...(Object.fromEntries(wanted) as Partial<Entry>) }
}

const failed = (error: unknown, call: Call, deps: RpcDeps): Result => ({
  status: failedItem(error, call, deps.log),
  entry: null,
})

export const entryNotFound = (id: string): SallyportError =>
  new SallyportError('ENTRY_NOT_FOUND', `entry not found: ${JSON.stringify(id.slice(0, 255))}`)

export const concurrent = (id: string): SallyportError =>
  new SallyportError('CONCURRENT_CHANGE', `Cannot update entry ${id}: it was changed at the same moment`)
