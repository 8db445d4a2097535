import * as z from 'zod'
import { SallyportError } from '../src/errors.ts'
import { fieldTypes, parsedBy } from '../src/config/field-types.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { parseSelector } from '../src/entry/selector.ts'
import type { Client } from '../src/wire/handlers.ts'
import type { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry, Status } from '../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../src/wire/service.ts'
import { idArgument, printId } from './ids.ts'
import { codeOfItem } from './item-status.ts'

/** A declared registration: the file format of `entry apply`. */
const declaredEntry = z.strictObject({
  id: z
    .string()
    .optional()
    .describe('id of the entry; without it the entry is recognised by identity, parent and selectors'),
  spiffeId: fieldTypes.spiffeId.describe('the identity to give'),
  parent: fieldTypes.spiffeId.describe('the node'),
  selectors: z
    .array(parsedBy(parseSelector))
    .min(1, 'needs at least one, such as unix:uid:1000')
    .describe('what must be true of the process'),
  x509Ttl: fieldTypes.duration.optional(),
  jwtTtl: fieldTypes.duration.optional(),
  dns: z.array(z.string()).default([]),
  federatesWith: z.array(z.string()).default([]),
  hint: z.string().default(''),
  admin: z.boolean().default(false),
  downstream: z.boolean().default(false),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
  jwtJti: z.boolean().default(false),
  prefetch: z.boolean().default(true),
})

/** Room for as many entries as a file may hold. */
const FILE_MAX_BYTES = 64 << 20

const entriesFile = z.strictObject({ entries: z.array(declaredEntry).max(100_000) })

export type DeclaredEntry = z.output<typeof declaredEntry>

export interface PlanStep {
  readonly action: 'create' | 'update' | 'delete' | 'keep'
  readonly spiffeId: string
  readonly entryId: string
  readonly changedFields: readonly string[]
  readonly entry: Sent<Entry>
}

export function readEntriesFile(text: string, name: string): readonly DeclaredEntry[] {
  return parseConfig(text, name === '-' ? 'standard input' : name, entriesFile, {
    hint: '`sallyport entry apply --help` shows a file.',
    maxBytes: FILE_MAX_BYTES,
  }).entries
}

/** The entry that gives a node the name that its token was made with: nobody declared it, and without it the node has no workloads. */
export const isAliasOfToken = (entry: Sent<Entry>): boolean =>
  /^alias-[0-9a-f]{32}$/.test(entry.id ?? '') && (entry.parentId?.path ?? '').startsWith('/spire/agent/join_token/')

/** What must be done so that the stored entries equal the declared ones; pure. */
export function planEntries(
  wanted: readonly DeclaredEntry[],
  stored: readonly Entry[],
  prune: boolean,
): readonly PlanStep[] {
  const byId = new Map(stored.map((entry) => [entry.id, entry]))
  const byKey = new Map(stored.map((entry) => [keyOf(entry), entry]))
  const kept = new Set<string>()
  const steps = wanted.map((declared): PlanStep => {
    const message = messageOf(declared)
    const found = declared.id === undefined ? byKey.get(keyOf(message)) : byId.get(declared.id)
    const spiffeId = declared.spiffeId.toString()
    if (found === undefined)
      return { action: 'create', spiffeId, entryId: declared.id ?? '', changedFields: [], entry: message }
    kept.add(found.id)
    const changedFields = Object.keys(message).filter((field) => field !== 'id' && !equal(field, message, found))
    const action = changedFields.length === 0 ? 'keep' : 'update'
    return { action, spiffeId, entryId: found.id, changedFields, entry: { ...message, id: found.id } }
  })
  if (!prune) return steps
  const gone = stored.filter((entry) => !kept.has(entry.id) && !isAliasOfToken(entry))
  return [
    ...steps,
    ...gone.map((entry): PlanStep => ({
      action: 'delete',
      spiffeId: printId(entry.spiffeId),
      entryId: entry.id,
      changedFields: [],
      entry,
    })),
  ]
}

const BATCH = 50
const REFUSALS_SHOWN = 5

/** Does what a plan says, deletions first; the first batch with a refusal is the last one. */
export async function applyPlan(
  plan: readonly PlanStep[],
  client: Client<typeof entryService>,
  report: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  const total = plan.filter(({ action }) => action !== 'keep').length
  let done = 0
  for (const [action, send] of Object.entries(sendersOf(client))) {
    for (const steps of batches(plan, action)) {
      const results = await send(steps)
      const refused = steps.flatMap((step, index) => {
        const status = results[index]?.status
        return status === null || status === undefined || status.code === 0 ? [] : [{ step, status }]
      })
      done += steps.length - refused.length
      if (refused.length > 0) throw refusal(refused, done, total)
      report(done, total)
    }
  }
}

interface ItemResult {
  readonly status: Status | null
}

function sendersOf(client: Client<typeof entryService>) {
  type Send = (steps: readonly PlanStep[]) => Promise<readonly ItemResult[]>
  const entriesOf = (steps: readonly PlanStep[]) => steps.map(({ entry }) => entry)
  return {
    delete: async (steps) => (await client.batchDeleteEntry({ ids: steps.map(({ entryId }) => entryId) })).results,
    update: async (steps) => (await client.batchUpdateEntry({ entries: entriesOf(steps) })).results,
    create: async (steps) => (await client.batchCreateEntry({ entries: entriesOf(steps) })).results,
  } satisfies Record<string, Send>
}

function refusal(
  refused: readonly { readonly step: PlanStep; readonly status: Status }[],
  done: number,
  total: number,
): SallyportError {
  const lines = refused
    .slice(0, REFUSALS_SHOWN)
    .map(({ step, status }) => `  ${step.action} ${step.spiffeId}: ${status.message}`)
  const more = refused.length > REFUSALS_SHOWN ? [`  and ${refused.length - REFUSALS_SHOWN} more`] : []
  return new SallyportError(
    codeOfItem(refused[0]?.status),
    [`Cannot make all changes: ${done} of ${total} were made, ${refused.length} refused`, ...lines, ...more].join('\n'),
    { hint: 'Correct the file and apply it again; what was made already is kept.' },
  )
}

function* batches(plan: readonly PlanStep[], action: string): Generator<readonly PlanStep[]> {
  const steps = plan.filter((step) => step.action === action)
  for (let start = 0; start < steps.length; start += BATCH) yield steps.slice(start, start + BATCH)
}

function messageOf(declared: DeclaredEntry): Sent<Entry> {
  return {
    id: declared.id ?? '',
    spiffeId: idArgument(declared.spiffeId.toString()),
    parentId: idArgument(declared.parent.toString()),
    selectors: declared.selectors,
    x509SvidTtl: declared.x509Ttl ?? 0,
    jwtSvidTtl: declared.jwtTtl ?? 0,
    dnsNames: declared.dns,
    federatesWith: declared.federatesWith,
    hint: declared.hint,
    admin: declared.admin,
    downstream: declared.downstream,
    expiresAt: declared.expiresAt === undefined ? 0 : Math.floor(Date.parse(declared.expiresAt) / 1000),
    additionalAttributes: { jwtSvidIncludeJti: declared.jwtJti, disableX509SvidPrefetch: !declared.prefetch },
  }
}

const keyOf = (entry: Sent<Entry>): string =>
  JSON.stringify([normal('spiffeId', entry), normal('parentId', entry), normal('selectors', entry)])

const equal = (field: string, a: Sent<Entry>, b: Sent<Entry>): boolean =>
  JSON.stringify(normal(field, a)) === JSON.stringify(normal(field, b))

/** A field in a form that compares equal when it means the same: lists that are sets sorted, absent attributes as false. */
function normal(field: string, entry: Sent<Entry>): unknown {
  const value = entry[field as keyof Sent<Entry>]
  if (field === 'selectors')
    return (entry.selectors ?? []).map((selector) => `${selector.type}:${selector.value}`).toSorted()
  if (field === 'federatesWith') return [...(entry.federatesWith ?? [])].toSorted()
  if (field === 'spiffeId' || field === 'parentId') {
    const id = value as { trustDomain?: string; path?: string } | null
    return `${id?.trustDomain}${id?.path}`
  }
  if (field === 'additionalAttributes') {
    const { jwtSvidIncludeJti = false, disableX509SvidPrefetch = false } = entry.additionalAttributes ?? {}
    return [jwtSvidIncludeJti, disableX509SvidPrefetch]
  }
  return value
}
