import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import { Command } from 'commander'
import { printDuration } from '../src/config/field-types.ts'
import { entryWarnings } from '../src/entry/entry-warnings.ts'
import { parseSelector, printSelector } from '../src/entry/selector.ts'
import type { Labels } from '../src/entry/labels.ts'
import { SallyportError } from '../src/errors.ts'
import { registrationsService, type LabelledEntryUpdate } from '../src/wire/messages/sallyport-server-v1.ts'
import { entryService, type BatchCreateEntryResponse } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Entry } from '../src/wire/messages/spire-api-types.ts'
import { entryFromMessage } from '../src/wire/entry-message.ts'
import type { Transport } from '../src/wire/handlers.ts'
import type { Sent } from '../src/wire/service.ts'
import { action, collect } from './action.ts'
import { withServer } from './connect.ts'
import { parseWholeSeconds } from './durations.ts'
import { applyPlan } from './entry-apply.ts'
import { hasAll, labelsOf, parseLabels, printLabels } from './entry-labels.ts'
import { isAliasOfToken, planEntries, readEntriesFile } from './entry-plan.ts'
import { idArgument, printId } from './ids.ts'
import { counted, fromUnix, printInstant, type Result, type Row } from './print.ts'
import { showProgress } from './progress.ts'
import { checkStatus } from './item-status.ts'

/** The fields of an entry as options. */
interface EntryOptions {
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

interface FilterOptions {
  readonly spiffeId?: string
  readonly parent?: string
  readonly selector?: readonly string[]
  readonly hint?: string
  readonly label?: readonly string[]
  readonly match?: 'exact' | 'subset' | 'superset' | 'any'
}

const PAGE_SIZE = 500

export function entryCommand(): Command {
  const entry = new Command('entry')

  withFields(entry.command('create'))
    .description('register a workload')
    .requiredOption('--spiffe-id <id>', 'the identity to give')
    .requiredOption('--parent <id>', 'the node: an agent id, or an alias given with `token create`')
    .option('--id <entry id>', 'an id of your own for the entry')
    .addHelpText(
      'after',
      `
Example:
  sallyport entry create --spiffe-id spiffe://example.org/ns/web/sa/storefront \\
      --parent spiffe://example.org/node/web-1 --selector unix:uid:1000 --dns storefront.internal --x509-ttl 10m`,
    )
    .action(action(createEntry))

  withFields(entry.command('update').argument('<entry id>'))
    .description('change the fields that are named, and no others')
    .option('--spiffe-id <id>', 'the identity to give')
    .option('--parent <id>', 'the node')
    .option('--no-admin', 'take the admin right away')
    .option('--no-downstream', 'take the downstream right away')
    .option('--remove-label <name>', 'a label to take away; repeat for more', collect)
    .addHelpText(
      'after',
      `
All entries of an identity have the same labels, so that a change of labels changes all of them.

Examples:
  sallyport entry update 0b21… --x509-ttl 30m
  sallyport entry update 0b21… --label env=prod --remove-label canary`,
    )
    .action(action(updateEntry))

  withFilters(entry.command('list'))
    .description('list entries')
    .addHelpText('after', '\nExample:\n  sallyport entry list --selector unix:uid:1000')
    .action(action(listEntries))
  withFilters(entry.command('count')).description('count entries').action(action(countEntries))
  entry.command('show').argument('<entry id>').description('show one entry whole').action(action(showEntry))
  entry
    .command('delete')
    .argument('<entry id...>')
    .description('remove entries; their SVIDs end within moments on connected nodes')
    .action(action(deleteEntries))

  entry
    .command('apply')
    .description('make the registered entries equal to a file')
    .requiredOption('-f, --file <path>', 'YAML or JSON with a list `entries` (- for standard input)')
    .option('--prune', 'also delete entries that the file does not name (never the names of nodes)', false)
    .option('--dry-run', 'only show what would be done', false)
    .addHelpText(
      'after',
      `
Example file:
  entries:
    - spiffeId: spiffe://example.org/ns/web/sa/storefront
      parent: spiffe://example.org/node/web-1
      selectors: [unix:uid:1000]
      x509Ttl: 10m
      labels: { env: prod }

  sallyport entry apply -f entries.yaml --prune --dry-run`,
    )
    .action(action(applyEntries))
  return entry
}

function withFields(command: Command): Command {
  return command
    .option('--selector <type:value>', 'what must be true of the process; repeat for more (all must hold)', collect)
    .option('--dns <name>', 'DNS name for the certificate; repeat for more', collect)
    .option('--x509-ttl <duration>', 'life of X509-SVIDs, such as 10m (default: the server decides)')
    .option('--jwt-ttl <duration>', 'life of JWT-SVIDs')
    .option(
      '--federates-with <trust domain>',
      'foreign trust domain whose bundle the workload gets; repeat for more',
      collect,
    )
    .option('--hint <text>', 'tells the workload which of its identities this is')
    .option('--admin', "the identity may use the server's API")
    .option('--downstream', 'the identity is a server below this one')
    .option('--expires-at <instant>', 'when the registration ends, such as 2027-01-31T00:00:00Z')
    .option('--jwt-jti', 'put a unique id into each JWT-SVID')
    .option('--no-prefetch', 'issue the X509-SVID only when it is asked for')
    .option('--label <name=value>', 'what policies may know the identity by; repeat for more', collect)
}

function withFilters(command: Command): Command {
  return command
    .option('--spiffe-id <id>', 'only entries of this identity')
    .option('--parent <id>', 'only entries below this node')
    .option('--selector <type:value>', 'only entries with these selectors; repeat for more', collect)
    .option('--match <how>', 'how selectors are compared: exact, subset, superset, any', 'superset')
    .option('--hint <text>', 'only entries with this hint')
    .option('--label <name=value>', 'only entries with this label; repeat for more', collect)
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
    ...(options.x509Ttl === undefined ? {} : { x509SvidTtl: wholeSeconds(options.x509Ttl) }),
    ...(options.jwtTtl === undefined ? {} : { jwtSvidTtl: wholeSeconds(options.jwtTtl) }),
    ...(options.federatesWith === undefined ? {} : { federatesWith: options.federatesWith }),
    ...(options.hint === undefined ? {} : { hint: options.hint }),
    ...(options.admin === undefined ? {} : { admin: options.admin }),
    ...(options.downstream === undefined ? {} : { downstream: options.downstream }),
    ...(options.expiresAt === undefined ? {} : { expiresAt: unixOf(options.expiresAt) }),
    ...(Object.keys(attributes).length === 0 ? {} : { additionalAttributes: attributes }),
  }
}

function wholeSeconds(text: string): number {
  return parseWholeSeconds(text)
}

function unixOf(text: string): number {
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return Math.floor(time / 1000)
  throw new SallyportError('REQUEST_INVALID', `Cannot read the instant "${text.slice(0, 40)}"`, {
    hint: 'Write it like 2027-01-31T00:00:00Z.',
  })
}

const entries = (transport: Transport) => transport.client(entryService)

async function createEntry(options: EntryOptions & Parameters<typeof withServer>[0]): Promise<Result> {
  if (options.selector === undefined) {
    throw new SallyportError('ENTRY_INVALID', 'Cannot create the entry: it has no selector', {
      hint: 'Add --selector, such as --selector unix:uid:1000.',
    })
  }
  const labels = parseLabels(options.label ?? [])
  return withServer(options, async (transport) => {
    const sent = { ...fieldsOf(options), ...(options.id === undefined ? {} : { id: options.id }) }
    const entry = await created(sent, labels, transport)
    return { ...(await shownWithLabels(entry, transport)), warnings: await warningsAbout(entry, transport) }
  })
}

/** SPIRE's call knows no labels. */
async function created(sent: Sent<Entry>, labels: Labels, transport: Transport): Promise<Entry> {
  if (Object.keys(labels).length === 0)
    return firstEntry((await entries(transport).batchCreateEntry({ entries: [sent] })).results)
  const request = { entries: [{ entry: sent, labels }] }
  return firstEntry((await transport.client(registrationsService).createEntries(request)).results)
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

function firstEntry(results: BatchCreateEntryResponse['results']): Entry {
  const [result] = results
  checkStatus(
    result?.status,
    result?.entry?.id === undefined || result.entry.id === ''
      ? result?.status?.code === 5
        ? 'List the ids with `sallyport entry list`.'
        : ''
      : `The entry that exists: sallyport entry show ${result.entry.id}`,
  )
  return result!.entry!
}

async function updateEntry(options: EntryOptions & Parameters<typeof withServer>[0], id: string): Promise<Result> {
  const fields = fieldsOf(options)
  const labels = parseLabels(options.label ?? [])
  const { removeLabel: removedLabels = [] } = options
  const mask = Object.fromEntries(Object.keys(fields).map((name) => [name, true]))
  const changesLabels = Object.keys(labels).length > 0 || removedLabels.length > 0
  if (Object.keys(mask).length === 0 && !changesLabels) {
    throw new SallyportError('REQUEST_INVALID', 'Cannot update the entry: no field is named', {
      hint: 'Name what changes, such as --x509-ttl 30m.',
    })
  }
  return withServer(options, async (transport) => {
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

async function listEntries(options: FilterOptions & Parameters<typeof withServer>[0]): Promise<Result> {
  return withServer(options, async (transport) => {
    const wanted = parseLabels(options.label ?? [])
    const labels = await labelsOf(transport)
    const all = await Array.fromAsync(eachEntry(transport, filterOf(options)))
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

async function countEntries(options: FilterOptions & Parameters<typeof withServer>[0]): Promise<Result> {
  return withServer(options, async (transport) => {
    const count = await countOf(options, transport)
    return { value: { count }, sentence: String(count) }
  })
}

/** SPIRE's call counts by everything but labels. */
async function countOf(options: FilterOptions, transport: Transport): Promise<number> {
  const filter = filterOf(options)
  if (options.label === undefined) return (await entries(transport).countEntries({ filter })).count
  const wanted = parseLabels(options.label)
  const labels = await labelsOf(transport)
  const found = await Array.fromAsync(eachEntry(transport, filter))
  return found.filter(({ id }) => hasAll(labels.get(id), wanted)).length
}

async function showEntry(options: Parameters<typeof withServer>[0], id: string): Promise<Result> {
  return withServer(options, async (transport) => shownWithLabels(await entries(transport).getEntry({ id }), transport))
}

async function deleteEntries(options: Parameters<typeof withServer>[0], ids: readonly string[]): Promise<Result> {
  return withServer(options, async (transport) => {
    const { results } = await entries(transport).batchDeleteEntry({ ids })
    for (const result of results) checkStatus(result.status, 'List the ids with `sallyport entry list`.')
    return { value: { deleted: ids }, sentence: `Deleted ${ids.length === 1 ? 'the entry' : `${ids.length} entries`}.` }
  })
}

async function applyEntries(
  options: { file: string; prune: boolean; dryRun: boolean } & Parameters<typeof withServer>[0],
): Promise<Result> {
  // /dev/stdin cannot be opened where standard input is a socket, as it is below many programs.
  const reading = options.file === '-' ? textOf(process.stdin) : readFile(options.file, 'utf8')
  const text = await reading.catch((error: unknown) => {
    throw new SallyportError(
      'FILE_UNUSABLE',
      `Cannot read ${options.file}: ${(error as NodeJS.ErrnoException).code ?? 'it failed'}`,
      {
        cause: error,
        hint: 'Check the path; - is standard input.',
      },
    )
  })
  const wanted = readEntriesFile(text, options.file)
  return withServer(options, async (transport) => {
    const stored = await Array.fromAsync(eachEntry(transport))
    const isLabelled = wanted.some(({ labels }) => labels !== undefined)
    const plan = planEntries(wanted, stored, options.prune, isLabelled ? await labelsOf(transport) : new Map())
    if (!options.dryRun) {
      using progress = showProgress('changes made')
      await applyPlan(plan, transport, progress.report)
    }
    const changes = plan.filter(({ action }) => action !== 'keep')
    const aliases = stored.filter(isAliasOfToken).length
    const kept =
      options.prune && aliases > 0 ? ` ${counted(aliases, 'name', 'names')} of nodes from \`token create\` kept.` : ''
    return {
      value: plan.map(({ action, spiffeId, entryId, changedFields }) => ({ action, spiffeId, entryId, changedFields })),
      rows: changes.map(({ action, spiffeId, entryId, changedFields }) => ({
        action,
        'spiffe id': spiffeId,
        'entry id': entryId,
        fields: changedFields.join(', '),
      })),
      sentence: `${summary(plan)}${options.dryRun && changes.length > 0 ? ' Nothing was done; leave out --dry-run to do it.' : ''}${kept}`,
    }
  })
}

/** `To create 1, to update 0 …` in one line. */
function summary(plan: ReturnType<typeof planEntries>): string {
  const count = (wanted: string): number => plan.filter(({ action }) => action === wanted).length
  return `create ${count('create')}, update ${count('update')}, delete ${count('delete')}, keep ${count('keep')}.`
}

async function shownWithLabels(entry: Entry, transport: Transport): Promise<Result> {
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
