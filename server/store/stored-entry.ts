import { NO_LABELS, type Labels } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, type Selector } from '../../src/entry/selector.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'

/** A registration entry as JSON in the database: what has its usual value is left out. */
export interface StoredEntry {
  readonly id: string
  readonly spiffeId: string
  readonly parentId: string
  readonly selectors: readonly string[]
  readonly x509TtlSeconds?: number | undefined
  readonly jwtTtlSeconds?: number | undefined
  readonly federatesWith?: readonly string[] | undefined
  readonly admin?: true | undefined
  readonly downstream?: true | undefined
  readonly expiresAt?: number | undefined
  readonly dnsNames?: readonly string[] | undefined
  readonly hint?: string | undefined
  readonly storeSvid?: true | undefined
  readonly x509PrefetchDisabled?: true | undefined
  readonly jwtIncludesJti?: true | undefined
  readonly labels?: Labels | undefined
  readonly createdAt: number
  readonly revisionNumber: number
}

export function storedEntryOf(entry: RegistrationEntry): StoredEntry {
  return {
    id: entry.id,
    spiffeId: entry.spiffeId.toString(),
    parentId: entry.parentId.toString(),
    selectors: entry.selectors.map(printSelector),
    x509TtlSeconds: entry.x509TtlSeconds || undefined,
    jwtTtlSeconds: entry.jwtTtlSeconds || undefined,
    federatesWith: entry.federatesWith.length === 0 ? undefined : entry.federatesWith.map(({ name }) => name),
    admin: entry.admin || undefined,
    downstream: entry.downstream || undefined,
    expiresAt: entry.expiresAt?.getTime(),
    dnsNames: entry.dnsNames.length === 0 ? undefined : entry.dnsNames,
    hint: entry.hint || undefined,
    storeSvid: entry.storeSvid || undefined,
    x509PrefetchDisabled: entry.x509PrefetchDisabled || undefined,
    jwtIncludesJti: entry.jwtIncludesJti || undefined,
    labels: Object.keys(entry.labels).length === 0 ? undefined : entry.labels,
    createdAt: entry.createdAt.getTime(),
    revisionNumber: entry.revisionNumber,
  }
}

// Shared, because most entries have none of either: 100,000 empty arrays are memory for nothing.
const noNames: readonly string[] = []
const noDomains: readonly TrustDomain[] = []

/** Reads what {@link storedEntryOf} made. `idOf` may remember ids: thousands of entries have one parent. */
export function entryOf(
  stored: StoredEntry,
  idOf: (text: string) => SpiffeId = (text) => SpiffeId.parse(text),
): RegistrationEntry {
  return {
    id: stored.id,
    spiffeId: SpiffeId.parse(stored.spiffeId),
    parentId: idOf(stored.parentId),
    selectors: stored.selectors.map(storedSelector),
    x509TtlSeconds: stored.x509TtlSeconds ?? 0,
    jwtTtlSeconds: stored.jwtTtlSeconds ?? 0,
    federatesWith: stored.federatesWith?.map((name) => TrustDomain.parse(name)) ?? noDomains,
    admin: stored.admin ?? false,
    downstream: stored.downstream ?? false,
    expiresAt: stored.expiresAt === undefined ? undefined : new Date(stored.expiresAt),
    dnsNames: stored.dnsNames ?? noNames,
    hint: stored.hint ?? '',
    storeSvid: stored.storeSvid ?? false,
    x509PrefetchDisabled: stored.x509PrefetchDisabled ?? false,
    jwtIncludesJti: stored.jwtIncludesJti ?? false,
    labels: stored.labels ?? NO_LABELS,
    createdAt: new Date(stored.createdAt),
    revisionNumber: stored.revisionNumber,
  }
}

/** A selector was checked when it was written; here only its colon is found again. */
export function storedSelector(text: string): Selector {
  const colon = text.indexOf(':')
  return { type: text.slice(0, colon), value: text.slice(colon + 1) }
}
