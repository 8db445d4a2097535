import type { EntryDraft } from '../entry/check-entry.ts'
import { NO_LABELS } from '../entry/labels.ts'
import type { RegistrationEntry } from '../entry/registration-entry.ts'
import { selectorOf } from '../entry/selector.ts'
import { idFromMessage, idToMessage, trustDomainFromText } from './id-message.ts'
import type { Entry, EntryMask } from './messages/spire-api-types.ts'

const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / 1000)
const instantOf = (seconds: number): Date => new Date(seconds * 1000)

/** The fields of an entry as SPIRE's API carries them; the id is always there, the others where the mask wants them. */
export function entryToMessage(entry: RegistrationEntry, mask?: EntryMask | null): Partial<Entry> {
  const message: Entry = {
    id: entry.id,
    spiffeId: idToMessage(entry.spiffeId),
    parentId: idToMessage(entry.parentId),
    selectors: entry.selectors,
    x509SvidTtl: entry.x509TtlSeconds,
    jwtSvidTtl: entry.jwtTtlSeconds,
    federatesWith: entry.federatesWith.map(({ name }) => name),
    admin: entry.admin,
    downstream: entry.downstream,
    expiresAt: entry.expiresAt === undefined ? 0 : secondsOf(entry.expiresAt),
    dnsNames: entry.dnsNames,
    revisionNumber: entry.revisionNumber,
    storeSvid: entry.storeSvid,
    hint: entry.hint,
    createdAt: secondsOf(entry.createdAt),
    additionalAttributes: attributesOf(entry),
  }
  if (mask === undefined || mask === null) return message
  const kept = Object.entries(message).filter(([name]) => name === 'id' || mask[name as keyof EntryMask])
  return Object.fromEntries(kept) as Partial<Entry>
}

/** Absent when both are off, as SPIRE leaves it. */
function attributesOf(entry: RegistrationEntry): Entry['additionalAttributes'] {
  if (!entry.x509PrefetchDisabled && !entry.jwtIncludesJti) return undefined
  return { disableX509SvidPrefetch: entry.x509PrefetchDisabled, jwtSvidIncludeJti: entry.jwtIncludesJti }
}

/**
 * What somebody asks a server to register. Parsed, not judged: `checkEntry` does that.
 *
 * @param readParent may hold one parent for many entries
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`, `SELECTOR_INVALID`
 */
export function entryDraftFromMessage(
  message: Entry,
  given: { readonly id: string; readonly createdAt: Date; readonly revisionNumber: number },
  readParent: typeof idFromMessage = idFromMessage,
): EntryDraft {
  return { ...entryFromMessage(message, readParent), ...given }
}

/**
 * Reads an entry as a server sends it to its agents. The server has checked it; what cannot be parsed is refused.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`, `SELECTOR_INVALID`
 */
export function entryFromMessage(message: Entry, readParent: typeof idFromMessage = idFromMessage): RegistrationEntry {
  const { additionalAttributes } = message
  return {
    id: message.id,
    spiffeId: idFromMessage(message.spiffeId, 'spiffe_id'),
    parentId: readParent(message.parentId, 'parent_id'),
    selectors: message.selectors.map(({ type, value }) => selectorOf(type, value)),
    x509TtlSeconds: message.x509SvidTtl,
    jwtTtlSeconds: message.jwtSvidTtl,
    federatesWith: message.federatesWith.map(trustDomainFromText),
    admin: message.admin,
    downstream: message.downstream,
    expiresAt: message.expiresAt === 0 ? undefined : instantOf(message.expiresAt),
    dnsNames: message.dnsNames,
    hint: message.hint,
    storeSvid: message.storeSvid,
    x509PrefetchDisabled: additionalAttributes?.disableX509SvidPrefetch ?? false,
    jwtIncludesJti: additionalAttributes?.jwtSvidIncludeJti ?? false,
    // SPIRE's message has no field for them.
    labels: NO_LABELS,
    createdAt: instantOf(message.createdAt),
    revisionNumber: message.revisionNumber,
  }
}
