import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { dnsNameProblem } from './dns-name.ts'
import { labelsProblem, NO_LABELS, type Labels } from './labels.ts'
import type { RegistrationEntry } from './registration-entry.ts'
import { printSelector, selectorOf, type Selector } from './selector.ts'

/** The most selectors, DNS names and foreign trust domains that one entry may list. */
export const ENTRY_MAX_SELECTORS = 200
export const ENTRY_MAX_DNS_NAMES = 100
export const ENTRY_MAX_FEDERATES_WITH = 100
export const ENTRY_HINT_MAX_BYTES = 1024
export const ENTRY_TTL_MAX_SECONDS = 2 ** 31 - 1

/** An entry as somebody asks for it; what is left out has its default. */
export interface EntryDraft {
  readonly id: string
  readonly spiffeId: SpiffeId
  readonly parentId: SpiffeId
  readonly selectors: readonly Selector[]
  readonly x509TtlSeconds?: number | undefined
  readonly jwtTtlSeconds?: number | undefined
  readonly federatesWith?: readonly TrustDomain[] | undefined
  readonly admin?: boolean | undefined
  readonly downstream?: boolean | undefined
  readonly expiresAt?: Date | undefined
  readonly dnsNames?: readonly string[] | undefined
  readonly hint?: string | undefined
  readonly storeSvid?: boolean | undefined
  readonly x509PrefetchDisabled?: boolean | undefined
  readonly jwtIncludesJti?: boolean | undefined
  readonly labels?: Labels | undefined
  readonly createdAt: Date
  readonly revisionNumber?: number | undefined
}

/**
 * Makes an entry of a draft that keeps every rule of registration; repeated selectors, names and domains are removed.
 *
 * Whether a bundle is stored for each domain in `federatesWith` is the store's to know and not checked here.
 *
 * @throws {@link SallyportError} `ENTRY_INVALID`, `SELECTOR_INVALID`
 */
export function checkEntry(
  draft: EntryDraft,
  { trustDomain }: { readonly trustDomain: TrustDomain },
): RegistrationEntry {
  const entry: RegistrationEntry = {
    id: draft.id,
    spiffeId: draft.spiffeId,
    parentId: draft.parentId,
    selectors: selectorsOf(draft.selectors),
    x509TtlSeconds: draft.x509TtlSeconds ?? 0,
    jwtTtlSeconds: draft.jwtTtlSeconds ?? 0,
    federatesWith: uniqueBy(draft.federatesWith ?? [], ({ name }) => name),
    admin: draft.admin ?? false,
    downstream: draft.downstream ?? false,
    expiresAt: draft.expiresAt,
    dnsNames: uniqueBy(draft.dnsNames ?? [], (name) => name),
    hint: draft.hint ?? '',
    storeSvid: draft.storeSvid ?? false,
    x509PrefetchDisabled: draft.x509PrefetchDisabled ?? false,
    jwtIncludesJti: draft.jwtIncludesJti ?? false,
    labels: draft.labels ?? NO_LABELS,
    createdAt: draft.createdAt,
    revisionNumber: draft.revisionNumber ?? 0,
  }
  const problem = problemsOf(entry, trustDomain).next().value
  if (problem === undefined) return entry
  throw invalid(problem)
}

/** Every rule that an entry breaks, as "field: why". */
function* problemsOf(entry: RegistrationEntry, trustDomain: TrustDomain): Generator<string, undefined> {
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(entry.id)) yield 'id: must be 1-255 of A-Z a-z 0-9 . _ -'
  yield* problemsOfIds(entry, trustDomain)
  yield* problemsOfTimes(entry)
  for (const foreign of entry.federatesWith) {
    if (foreign.equals(trustDomain)) yield `federatesWith: ${foreign.name} is the trust domain of this server`
  }
  if (entry.federatesWith.length > ENTRY_MAX_FEDERATES_WITH) {
    yield `federatesWith: more than ${ENTRY_MAX_FEDERATES_WITH} trust domains`
  }
  if (entry.dnsNames.length > ENTRY_MAX_DNS_NAMES) yield `dnsNames: more than ${ENTRY_MAX_DNS_NAMES} names`
  for (const name of entry.dnsNames) {
    const why = dnsNameProblem(name)
    if (why !== undefined) yield `dnsNames: ${JSON.stringify(name.slice(0, 120))} ${why}`
  }
  if (Buffer.byteLength(entry.hint) > ENTRY_HINT_MAX_BYTES) yield `hint: longer than ${ENTRY_HINT_MAX_BYTES} bytes`
  const label = labelsProblem(entry.labels)
  if (label !== undefined) yield `labels: ${label}`
  if (entry.storeSvid) yield* problemsOfStoring(entry)
  if (!Number.isSafeInteger(entry.revisionNumber) || entry.revisionNumber < 0) yield 'revisionNumber: must be 0 or more'
  return undefined
}

function* problemsOfIds(
  { spiffeId, parentId, admin, downstream }: RegistrationEntry,
  trustDomain: TrustDomain,
): Generator<string> {
  if (!spiffeId.isMemberOf(trustDomain)) yield `spiffeId: ${spiffeId} is not in trust domain ${trustDomain.name}`
  if (spiffeId.path === '') yield `spiffeId: ${spiffeId} has no path, so it names the trust domain and no workload`
  if (spiffeId.isReserved) yield `spiffeId: ${spiffeId} is reserved: /spire belongs to servers and agents`
  if (!parentId.isMemberOf(trustDomain)) yield `parentId: ${parentId} is not in trust domain ${trustDomain.name}`
  if (parentId.path === '') yield `parentId: ${parentId} has no path, so it names no agent`
  // Through an alias, whoever can change a node's selectors would become an administrator.
  if ((admin || downstream) && !parentId.isAgent) {
    yield `parentId: an ${admin ? 'admin' : 'downstream'} entry needs exactly one agent as parent, not ${parentId}`
  }
}

function* problemsOfTimes(entry: RegistrationEntry): Generator<string> {
  for (const field of ['x509TtlSeconds', 'jwtTtlSeconds'] as const) {
    const seconds = entry[field]
    if (!Number.isInteger(seconds)) yield `${field}: must be a whole number of seconds`
    else if (seconds < 0) yield `${field}: must not be negative`
    else if (seconds > ENTRY_TTL_MAX_SECONDS) yield `${field}: more than ${ENTRY_TTL_MAX_SECONDS} seconds`
  }
  if (entry.expiresAt !== undefined && !(entry.expiresAt.getTime() >= 0))
    yield 'expiresAt: is not an instant after 1970'
  if (!(entry.createdAt.getTime() >= 0)) yield 'createdAt: is not an instant after 1970'
}

function* problemsOfStoring({ selectors, x509PrefetchDisabled }: RegistrationEntry): Generator<string> {
  if (new Set(selectors.map(({ type }) => type)).size > 1) {
    yield 'storeSvid: all selectors must be of one type, that of the store'
  }
  if (x509PrefetchDisabled) yield 'storeSvid: cannot be combined with x509PrefetchDisabled'
}

function selectorsOf(selectors: readonly Selector[]): readonly Selector[] {
  if (selectors.length === 0) throw invalid('selectors: at least one is needed')
  if (selectors.length > ENTRY_MAX_SELECTORS) throw invalid(`selectors: more than ${ENTRY_MAX_SELECTORS}`)
  return uniqueBy(
    selectors.map(({ type, value }) => selectorOf(type, value)),
    printSelector,
  )
}

// Shared, because most entries have no names and no foreign domains.
const nothing: readonly never[] = []

function uniqueBy<T>(values: readonly T[], keyOf: (value: T) => string): readonly T[] {
  if (values.length === 0) return nothing
  return [...new Map(values.map((value) => [keyOf(value), value])).values()]
}

function invalid(problem: string): SallyportError {
  return new SallyportError('ENTRY_INVALID', `Cannot use this registration entry: ${problem}`)
}
