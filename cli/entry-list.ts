import { printDuration } from '../src/config/field-types.ts'
import type { Labels } from '../src/entry/labels.ts'
import { parseSelector, printSelector } from '../src/entry/selector.ts'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry } from '../src/wire/messages/spire-api-types.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { hasAll, labelsOf, parseLabels, printLabels } from './entry-labels.ts'
import { idArgument, printId } from './ids.ts'
import { fromUnix, printInstant, type Result, type Row } from './print.ts'
import { withWholeIds } from './whole-id.ts'

export interface FilterOptions extends GlobalOptions {
  readonly spiffeId?: string
  readonly parent?: string
  readonly selector?: readonly string[]
  readonly hint?: string
  readonly label?: readonly string[]
  readonly match?: 'exact' | 'subset' | 'superset' | 'any'
}

const PAGE_SIZE = 500

const entries = (transport: Transport) => transport.client(entryService)

const matches = { exact: 'MATCH_EXACT', subset: 'MATCH_SUBSET', superset: 'MATCH_SUPERSET', any: 'MATCH_ANY' } as const

function filterOf(options: FilterOptions) {
  const match = matches[options.match ?? 'superset']
  if (match === undefined)
    throw new SallyportError('REQUEST_INVALID', `Cannot match selectors by "${options.match}"`, {
      hint: 'Use exact, subset, superset or any.',
    })
  return {
    ...(options.spiffeId === undefined ? {} : { bySpiffeId: idArgument(options.spiffeId) }),
    ...(options.parent === undefined ? {} : { byParentId: idArgument(options.parent) }),
    ...(options.selector === undefined
      ? {}
      : { bySelectors: { selectors: options.selector.map(parseSelector), match } }),
    ...(options.hint === undefined ? {} : { byHint: { value: options.hint } }),
  }
}

/** All entries that a filter lets through, page by page. */
export async function* eachEntry(transport: Transport, filter: object = {}): AsyncGenerator<Entry> {
  for (let pageToken = ''; ;) {
    const page = await entries(transport).listEntries({ filter, pageSize: PAGE_SIZE, pageToken })
    yield* page.entries
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

export async function listEntries(options: FilterOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const wanted = parseLabels(options.label ?? [])
    const labels = await labelsOf(transport)
    const all = await Array.fromAsync(eachEntry(transport, filterOf(await withWholeIds(options, transport))))
    const found = all.filter(({ id }) => hasAll(labels.get(id), wanted))
    const sentence =
      found.length === 0 ? 'No entries. Register a workload: `sallyport entry create --help` shows how.' : undefined
    return {
      value: found.map((entry) => ({ ...readable(entry), labels: labels.get(entry.id) ?? {} })),
      rows: found.map((entry) => ({
        ...rowOf(entry),
        ...(labels.size === 0 ? {} : { labels: printLabels(labels.get(entry.id)) }),
      })),
      ...(sentence === undefined ? {} : { sentence }),
    }
  })
}

export async function countEntries(options: FilterOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const count = await countOf(options, transport)
    return { value: { count }, sentence: String(count) }
  })
}

/** SPIRE's call counts by everything but labels. */
async function countOf(options: FilterOptions, transport: Transport): Promise<number> {
  const filter = filterOf(await withWholeIds(options, transport))
  if (options.label === undefined) return (await entries(transport).countEntries({ filter })).count
  const wanted = parseLabels(options.label)
  const labels = await labelsOf(transport)
  const found = await Array.fromAsync(eachEntry(transport, filter))
  return found.filter(({ id }) => hasAll(labels.get(id), wanted)).length
}

export async function showEntry(options: GlobalOptions, id: string): Promise<Result> {
  return withServer(options, async (transport) => shownWithLabels(await entries(transport).getEntry({ id }), transport))
}

export async function shownWithLabels(entry: Entry, transport: Transport): Promise<Result> {
  return shown(entry, (await labelsOf(transport, [entry.id])).get(entry.id) ?? {})
}

function shown(entry: Entry, labels: Labels): Result {
  const facts = { ...readable(entry), labels }
  const now = new Date()
  const forPeople = {
    ...facts,
    labels: printLabels(labels),
    expiresAt: entry.expiresAt === 0 ? undefined : printInstant(fromUnix(entry.expiresAt), now),
    createdAt: printInstant(fromUnix(entry.createdAt), now),
  }
  return {
    value: facts,
    rows: Object.entries(forPeople)
      .filter(
        ([, value]) =>
          value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0),
      )
      .map(([field, value]) => ({
        field,
        value: Array.isArray(value) ? value.join(', ') : String(value),
      })),
  }
}

function rowOf(entry: Entry): Row {
  return {
    'entry id': entry.id,
    'spiffe id': printId(entry.spiffeId),
    parent: printId(entry.parentId),
    selectors: entry.selectors.map(printSelector).join(' '),
    'x509 ttl': entry.x509SvidTtl === 0 ? 'default' : printDuration(entry.x509SvidTtl),
  }
}

/** An entry with the names and forms that options and files use. */
export function readable(entry: Entry) {
  return {
    id: entry.id,
    spiffeId: printId(entry.spiffeId),
    parent: printId(entry.parentId),
    selectors: entry.selectors.map(printSelector),
    x509Ttl: entry.x509SvidTtl === 0 ? undefined : printDuration(entry.x509SvidTtl),
    jwtTtl: entry.jwtSvidTtl === 0 ? undefined : printDuration(entry.jwtSvidTtl),
    dns: entry.dnsNames,
    federatesWith: entry.federatesWith,
    hint: entry.hint,
    admin: entry.admin,
    downstream: entry.downstream,
    expiresAt: fromUnix(entry.expiresAt)?.toISOString(),
    createdAt: fromUnix(entry.createdAt)?.toISOString(),
    revisionNumber: entry.revisionNumber,
    jwtJti: entry.additionalAttributes?.jwtSvidIncludeJti ?? false,
    prefetch: !(entry.additionalAttributes?.disableX509SvidPrefetch ?? false),
  }
}
