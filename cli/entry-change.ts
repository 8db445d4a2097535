import { entryWarnings } from '../src/entry/entry-warnings.ts'
import { parseSelector } from '../src/entry/selector.ts'
import { SallyportError } from '../src/errors.ts'
import { entryFromMessage } from '../src/wire/entry-message.ts'
import type { Transport } from '../src/wire/client.ts'
import { registrationsService, type LabelledEntryUpdate } from '../src/wire/messages/sallyport-server-v1.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import { entryService, type BatchCreateEntryResponse } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry } from '../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../src/wire/service.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { parseWholeSeconds } from './durations.ts'
import { parseLabels } from './entry-labels.ts'
import { eachEntry, shownWithLabels } from './entry-list.ts'
import { idArgument, printId } from './ids.ts'
import { checkStatus } from './item-status.ts'
import type { Result } from './print.ts'
import { withWholeIds } from './whole-id.ts'

/** The fields of an entry as options. */
export interface EntryOptions extends GlobalOptions {
  readonly spiffeId?: string
  readonly parent?: string
  readonly selector?: readonly string[]
  readonly dns?: readonly string[]
  readonly x509Ttl?: string
  readonly jwtTtl?: string
  readonly federatesWith?: readonly string[]
  readonly hint?: string
  readonly admin?: boolean
  readonly downstream?: boolean
  readonly expiresAt?: string
  readonly jwtJti?: boolean
  readonly prefetch?: boolean
  readonly label?: readonly string[]
  readonly removeLabel?: readonly string[]
  readonly id?: string
}

const entries = (transport: Transport) => transport.client(entryService)

export async function createEntry(options: EntryOptions): Promise<Result> {
  if (options.selector === undefined) {
    throw new SallyportError('ENTRY_INVALID', 'Cannot create the entry: it has no selector', {
      hint: 'Add --selector, such as --selector unix:uid:1000.',
    })
  }
  const labels = parseLabels(options.label ?? [])
  return withServer(options, async (transport) => {
    const fields = fieldsOf(await withWholeIds(options, transport))
    const sent = { ...fields, ...(options.id === undefined ? {} : { id: options.id }) }
    const { results } = await transport
      .client(registrationsService)
      .createEntries({ entries: [{ entry: sent, labels }] })
    const entry = firstEntry(results)
    const warnings = [...(await warningsAbout(entry, transport)), ...(results[0]?.warnings ?? [])]
    return { ...(await shownWithLabels(entry, transport)), warnings }
  })
}

/** What is allowed and yet not likely to be what was meant. */
async function warningsAbout(entry: Entry, transport: Transport): Promise<readonly string[]> {
  const { parentId } = entry
  const parent = printId(parentId)
  const isKnown =
    parentId === null ||
    parentId.path === '/spire/server' ||
    (await isAgent(parentId, transport)) ||
    (await isIdentity(parentId, transport))
  return [
    ...entryWarnings(entryFromMessage(entry)),
    ...(isKnown
      ? []
      : [`No node is ${parent} yet: let one join with \`sallyport token create --spiffe-id ${parent}\`.`]),
    ...(entry.expiresAt !== 0 && entry.expiresAt * 1000 < Date.now() ? ['The entry has expired already.'] : []),
  ]
}

async function isAgent(id: NonNullable<Entry['parentId']>, transport: Transport): Promise<boolean> {
  if (!id.path.startsWith('/spire/agent/')) return false
  try {
    await transport.client(agentService).getAgent({ id })
    return true
  } catch (error) {
    if (error instanceof SallyportError && error.row.grpc === 'NOT_FOUND') return false
    throw error
  }
}

async function isIdentity(bySpiffeId: NonNullable<Entry['parentId']>, transport: Transport): Promise<boolean> {
  return (await entries(transport).countEntries({ filter: { bySpiffeId } })).count > 0
}

function firstEntry(
  results: readonly (BatchCreateEntryResponse['results'][number] & { readonly code?: string })[],
): Entry {
  const [result] = results
  checkStatus(
    result?.status,
    result?.entry?.id === undefined || result.entry.id === ''
      ? result?.status?.code === 5
        ? 'List the ids with `sallyport entry list`.'
        : ''
      : `The entry that exists: sallyport entry show ${result.entry.id}`,
    result?.code,
  )
  return result!.entry!
}

export async function updateEntry(options: EntryOptions, id: string): Promise<Result> {
  const labels = parseLabels(options.label ?? [])
  const { removeLabel: removedLabels = [] } = options
  const changesLabels = Object.keys(labels).length > 0 || removedLabels.length > 0
  return withServer(options, async (transport) => {
    const fields = fieldsOf(await withWholeIds(options, transport))
    const mask = Object.fromEntries(Object.keys(fields).map((name) => [name, true]))
    if (Object.keys(mask).length === 0 && !changesLabels) {
      throw new SallyportError('REQUEST_INVALID', 'Cannot update the entry: no field is named', {
        hint: 'Name what changes, such as --x509-ttl 30m.',
      })
    }
    const sent = { ...fields, id }
    const entry = changesLabels
      ? await relabelled({ entry: sent, mask, labels, removedLabels }, transport)
      : firstEntry((await entries(transport).batchUpdateEntry({ entries: [sent], inputMask: mask })).results)
    return { ...(await shownWithLabels(entry, transport)), warnings: await warningsAbout(entry, transport) }
  })
}

/** Changes one entry, and the labels of all entries of its identity, in one transaction (ZO-11). */
async function relabelled(update: Sent<LabelledEntryUpdate>, transport: Transport): Promise<Entry> {
  const { labels, removedLabels, entry } = update
  const { spiffeId } = await entries(transport).getEntry({ id: entry?.id ?? '' })
  const others = await Array.fromAsync(eachEntry(transport, { bySpiffeId: spiffeId }))
  const updates = others.map(({ id }) => (id === entry?.id ? update : { entry: { id }, labels, removedLabels }))
  const { results } = await transport.client(registrationsService).updateEntries({ updates, together: true })
  const own = results.findIndex((result) => result.entry?.id === entry?.id)
  return firstEntry(results.slice(Math.max(own, 0)))
}

export async function deleteEntries(options: GlobalOptions, ids: readonly string[]): Promise<Result> {
  return withServer(options, async (transport) => {
    const { results } = await entries(transport).batchDeleteEntry({ ids })
    for (const result of results) checkStatus(result.status, 'List the ids with `sallyport entry list`.')
    return { value: { deleted: ids }, sentence: `Deleted ${ids.length === 1 ? 'the entry' : `${ids.length} entries`}.` }
  })
}

/** The message fields that the options name; what they do not name is left out. */
function fieldsOf(options: EntryOptions): { -readonly [K in keyof Sent<Entry>]: Sent<Entry>[K] } {
  const attributes = {
    ...(options.jwtJti === true ? { jwtSvidIncludeJti: true } : {}),
    ...(options.prefetch === false ? { disableX509SvidPrefetch: true } : {}),
  }
  return {
    ...(options.spiffeId === undefined ? {} : { spiffeId: idArgument(options.spiffeId) }),
    ...(options.parent === undefined ? {} : { parentId: idArgument(options.parent) }),
    ...(options.selector === undefined ? {} : { selectors: options.selector.map(parseSelector) }),
    ...(options.dns === undefined ? {} : { dnsNames: options.dns }),
    ...(options.x509Ttl === undefined ? {} : { x509SvidTtl: parseWholeSeconds(options.x509Ttl) }),
    ...(options.jwtTtl === undefined ? {} : { jwtSvidTtl: parseWholeSeconds(options.jwtTtl) }),
    ...(options.federatesWith === undefined ? {} : { federatesWith: options.federatesWith }),
    ...(options.hint === undefined ? {} : { hint: options.hint }),
    ...(options.admin === undefined ? {} : { admin: options.admin }),
    ...(options.downstream === undefined ? {} : { downstream: options.downstream }),
    ...(options.expiresAt === undefined ? {} : { expiresAt: unixOf(options.expiresAt) }),
    ...(Object.keys(attributes).length === 0 ? {} : { additionalAttributes: attributes }),
  }
}

function unixOf(text: string): number {
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return Math.floor(time / 1000)
  throw new SallyportError('REQUEST_INVALID', `Cannot read the instant "${text.slice(0, 40)}"`, {
    hint: 'Write it like 2027-01-31T00:00:00Z.',
  })
}
