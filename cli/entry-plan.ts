import * as z from 'zod'
import { fieldTypes, parsedBy } from '../src/config/field-types.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { parseSelector } from '../src/entry/selector.ts'
import { labelsEqual, labelsProblem, NO_LABELS, type Labels } from '../src/entry/labels.ts'
import type { Entry } from '../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../src/wire/service.ts'
import { idArgument, printId } from './ids.ts'

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
  labels: z
    .record(z.string(), z.string())
    .superRefine((labels, context) => {
      const message = labelsProblem(labels)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .optional()
    .describe('what policies know the identity by, such as env: prod; left as they are where the file says nothing'),
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
  /** Undefined: as they are. */
  readonly labels?: Labels | undefined
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
  labelsById: ReadonlyMap<string, Labels> = new Map(),
): readonly PlanStep[] {
  const byId = new Map(stored.map((entry) => [entry.id, entry]))
  const byKey = new Map(stored.map((entry) => [keyOf(entry), entry]))
  const kept = new Set<string>()
  const steps = wanted.map((declared): PlanStep => {
    const message = messageOf(declared)
    const found = declared.id === undefined ? byKey.get(keyOf(message)) : byId.get(declared.id)
    const spiffeId = declared.spiffeId.toString()
    const { labels } = declared
    if (found === undefined)
      return { action: 'create', spiffeId, entryId: declared.id ?? '', changedFields: [], entry: message, labels }
    kept.add(found.id)
    const differs = labels !== undefined && !labelsEqual(labels, labelsById.get(found.id) ?? NO_LABELS)
    const changedFields = [
      ...Object.keys(message).filter((field) => field !== 'id' && !equal(field, message, found)),
      ...(differs ? ['labels'] : []),
    ]
    const action = changedFields.length === 0 ? 'keep' : 'update'
    return { action, spiffeId, entryId: found.id, changedFields, entry: { ...message, id: found.id }, labels }
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
