import { SallyportError } from '../../src/errors.ts'
import type { Labels } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Call } from '../../src/wire/call.ts'
import { entryToMessage } from '../../src/wire/entry-message.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type {
  LabelledEntriesResponse,
  LabelledEntryResult,
  LabelledEntryUpdate,
  registrationsService,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import type { EntryMask } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { entryUpdated } from '../audit/entry-events.ts'
import { createEntries, similarExists, warnOf } from './create-entries.ts'
import { deedOf } from './deed.ts'
import { LabelAgreement } from './entry-labels.ts'
import { codeOf, failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { checkRoom, warningsOfRoom } from './slice-room.ts'
import type { Turns } from './turns.ts'
import { concurrent, entryNotFound, updated } from './update-entries.ts'

/** The most entries of one call. */
const ENTRIES_MAX = 1_000

/** `sallyport.server.v1.Registrations`: entries with their labels. Calls take turns, so that entries of one id agree (ZO-11). */
export function registrationsHandlers(deps: RpcDeps, turns: Turns): Handlers<typeof registrationsService> {
  const { directory, book } = deps
  return {
    createEntries: ({ entries }, call) =>
      turns.take(async () => {
        checkCount(entries.length)
        const messages = entries.map(({ entry }) => entry ?? refuseEmpty())
        const labels = entries.map((one) => one.labels)
        const { results } = await createEntries({ entries: messages, outputMask: null }, call, deps, labels)
        await book.reached(directory.revision)
        const made = results.flatMap(({ status, entry }) => (status?.code === OK.code ? [entry?.id ?? ''] : []))
        const idOf = (entryId: string): string => directory.entry(entryId)?.spiffeId.toString() ?? ''
        const warnings = warningsOfRoom(made.map(idOf), deps)
        return {
          results: results.map((result) => {
            const entryId = result.entry?.id ?? ''
            const warning = made.includes(entryId) ? warnings.get(idOf(entryId)) : undefined
            const labels = directory.entry(entryId)?.labels ?? {}
            return { ...result, labels, warnings: warning === undefined ? [] : [warning] }
          }),
        }
      }),

    updateEntries: ({ updates, together }, call) =>
      turns.take(async () => {
        checkCount(updates.length)
        if (together) return await updateTogether(updates, call, deps)
        const results: Sent<LabelledEntryResult>[] = []
        for (const update of updates) results.push(...((await updateTogether([update], call, deps)).results ?? []))
        return { results }
      }),

    async listLabels({ entryIds }, call) {
      const all = entryIds.length === 0 ? [...directory.entries()] : entryIds.map((id) => entryOf(id, deps))
      const entries = all.filter(({ spiffeId }) => deps.zoneRights.maySee(call, spiffeId))
      const shown = entries.filter(({ labels }) => entryIds.length > 0 || Object.keys(labels).length > 0)
      return {
        entries: shown.map(({ id, spiffeId, labels }) => ({ entryId: id, spiffeId: spiffeId.toString(), labels })),
      }
    },
  }
}

/** All or nothing: one transaction, after which the entries of every id must agree. */
async function updateTogether(
  updates: readonly LabelledEntryUpdate[],
  call: Call,
  deps: RpcDeps,
): Promise<Sent<LabelledEntriesResponse>> {
  try {
    const entries = await commitTogether(updates, call, deps)
    return { results: entries.map((entry) => ({ status: OK, entry: entryToMessage(entry), labels: entry.labels })) }
  } catch (error) {
    const failed = { status: failedItem(error, call, deps.log), entry: null, labels: {}, code: codeOf(error) }
    return { results: updates.map(() => failed) }
  }
}

async function commitTogether(
  updates: readonly LabelledEntryUpdate[],
  call: Call,
  deps: RpcDeps,
): Promise<readonly RegistrationEntry[]> {
  const entries = updates.map((update) => afterOf(update, deps))
  const agreement = new LabelAgreement(deps.directory)
  for (const entry of entries) agreement.add(entry)
  for (const entry of entries) {
    agreement.check(entry)
    deps.zoneRights.checkChange(call, deps.directory.entry(entry.id), entry)
  }
  checkRoom(entries, deps)
  const deed = deedOf(call, deps)
  const outcome = await deps.store.commit({
    mutations: entries.map((entry) => ({ kind: 'entry.update', entry })),
    audit: entries.map((entry) => entryUpdated(deed, entry)),
  })
  if (!outcome.ok) {
    const entry = entries[outcome.index]
    if (entry === undefined || outcome.reason === 'missing') throw entryNotFound(entry?.id ?? '')
    throw outcome.reason === 'exists' ? similarExists(entry, outcome.existingEntry) : concurrent(entry.id)
  }
  await deps.directory.reached(outcome.revision)
  for (const entry of entries) warnOf(entry, deps)
  return entries
}

function afterOf({ entry, mask, labels, removedLabels }: LabelledEntryUpdate, deps: RpcDeps): RegistrationEntry {
  const change = (before: Labels): Labels => {
    const kept = Object.entries(before).filter(([name]) => !removedLabels.includes(name))
    return { ...Object.fromEntries(kept), ...labels }
  }
  return updated(entry ?? refuseEmpty(), mask ?? NO_FIELDS, deps, change).after
}

/** The mask of an update that is about labels only. */
const NO_FIELDS: EntryMask = {
  ...{ spiffeId: false, parentId: false, selectors: false, x509SvidTtl: false, federatesWith: false, admin: false },
  ...{ downstream: false, expiresAt: false, dnsNames: false, revisionNumber: false, storeSvid: false },
  ...{ jwtSvidTtl: false, hint: false, createdAt: false, additionalAttributes: false },
}

function entryOf(id: string, { directory }: RpcDeps): RegistrationEntry {
  const entry = directory.entry(id)
  if (entry === undefined) throw entryNotFound(id)
  return entry
}

function refuseEmpty(): never {
  throw new SallyportError('REQUEST_INVALID', 'Cannot use this registration: it has no entry')
}

function checkCount(count: number): void {
  if (count <= ENTRIES_MAX) return
  throw new SallyportError('BATCH_TOO_LARGE', `Cannot take ${count} entries at once: at most ${ENTRIES_MAX}`)
}
