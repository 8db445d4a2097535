import { checkEntry } from '../../src/entry/check-entry.ts'
import { entryWarnings } from '../../src/entry/entry-warnings.ts'
import type { Labels } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import { entryDraftFromMessage, entryToMessage } from '../../src/wire/entry-message.ts'
import { rememberedIds } from '../../src/wire/id-message.ts'
import type {
  BatchCreateEntryRequest,
  BatchCreateEntryResponse,
  BatchCreateEntryResponseResult,
} from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry, EntryMask } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { entryCreated } from '../audit/entry-events.ts'
import { deedOf } from './deed.ts'
import { LabelAgreement } from './entry-labels.ts'
import { codeOf, eachItem, failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { withRoom } from './slice-room.ts'

/** With the code of a refusal, for our own API. */
interface CreatedEntries extends Sent<BatchCreateEntryResponse> {
  readonly results: readonly (Sent<BatchCreateEntryResponseResult> & { readonly code?: string })[]
}

/** `BatchCreateEntry`: one transaction for each item, committed together. Labels are those of our own API, by index. */
export async function createEntries(
  { entries, outputMask }: BatchCreateEntryRequest,
  call: Call,
  deps: RpcDeps,
  labels: readonly Labels[] = [],
): Promise<CreatedEntries> {
  const deed = deedOf(call, deps)
  const agreement = new LabelAgreement(deps.directory)
  const shared = { createdAt: deps.clock.now(), readParent: rememberedIds() }
  const made = eachItem(entries, (message, index) =>
    newEntryOf(message, labels[index], { ...shared, agreement, call, deps }),
  )
  const drafts = withRoom(made, (entry) => entry, deps)
  const good = drafts.flatMap((draft) => ('value' in draft ? [draft.value] : []))
  const outcomes = (
    await deps.store.commitAll(
      good.map((entry) => ({
        mutations: [{ kind: 'entry.create', entry }],
        audit: [entryCreated(deed, entry)],
      })),
    )
  ).values()
  let revision = 0
  const results = drafts.map((draft) => {
    if ('error' in draft) {
      const { error } = draft
      return { status: failedItem(error, call, deps.log), entry: null, code: codeOf(error) }
    }
    const outcome = outcomes.next().value
    if (outcome?.ok === true) {
      revision = Math.max(revision, outcome.revision)
      warnOf(draft.value, deps)
      return { status: OK, entry: entryToMessage(draft.value, outputMask) }
    }
    const similar = outcome?.existingEntry
    return {
      status: failedItem(similarExists(draft.value, similar), call, deps.log),
      entry: shownTo(call, similar, outputMask, deps),
    }
  })
  await deps.directory.reached(revision)
  return { results }
}

/** What the entries of one call have in common. */
interface EntryOrigin {
  readonly createdAt: Date
  readonly readParent: ReturnType<typeof rememberedIds>
  readonly agreement: LabelAgreement
  readonly call: Call
  readonly deps: RpcDeps
}

function newEntryOf(
  message: Entry,
  labels: Labels | undefined,
  { createdAt, readParent, agreement, call, deps }: EntryOrigin,
): RegistrationEntry {
  const given = { id: message.id === '' ? newEntryId(deps.random) : message.id, createdAt, revisionNumber: 0 }
  const draft = entryDraftFromMessage(message, given, readParent)
  const entry = checkEntry({ ...draft, labels: agreement.labelsFor(draft.spiffeId, labels) }, deps)
  checkFederation(entry, deps)
  agreement.check(entry)
  deps.zoneRights.checkChange(call, undefined, entry)
  return entry
}

/** A random UUID (version 4), as SPIRE names entries. */
function newEntryId(random: (bytes: number) => Buffer): string {
  const bytes = random(16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** A name without a bundle would be an entry that no agent can serve in full. */
export function checkFederation({ federatesWith }: RegistrationEntry, { directory }: Pick<RpcDeps, 'directory'>): void {
  const unknown = federatesWith.find((trustDomain) => directory.bundle(trustDomain) === undefined)
  if (unknown === undefined) return
  throw new SallyportError(
    'ENTRY_INVALID',
    `Cannot use this registration entry: federatesWith: unable to find federated bundle ${JSON.stringify(unknown.name)}`,
    { hint: 'Set the bundle of that trust domain first.' },
  )
}

/** The words before the comma are SPIRE's. */
export function similarExists(entry: RegistrationEntry, similar: RegistrationEntry | undefined): SallyportError {
  const which = similar === undefined ? entry.id : similar.id
  return new SallyportError('ENTRY_EXISTS', `similar entry already exists, with id ${which}`)
}

/** An entry that is in the way, where the caller may see it: one of the same id can be anybody's. */
export function shownTo(
  call: Call,
  entry: RegistrationEntry | undefined,
  outputMask: EntryMask | null,
  { zoneRights }: Pick<RpcDeps, 'zoneRights'>,
): Partial<Entry> | null {
  return entry === undefined || !zoneRights.maySee(call, entry.spiffeId) ? null : entryToMessage(entry, outputMask)
}

export function warnOf(entry: RegistrationEntry, { log }: Pick<RpcDeps, 'log'>): void {
  for (const warning of entryWarnings(entry)) {
    log.warn(
      { entryId: entry.id, spiffeId: entry.spiffeId, warning },
      'Registered an entry that is weaker than it looks',
    )
  }
}
