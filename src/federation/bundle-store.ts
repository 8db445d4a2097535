import { readBundleDocument } from '../bundle/bundle-document.ts'
import { FOREIGN_BUNDLE_LIMITS } from '../bundle/bundle-limits.ts'
import { SallyportError } from '../errors.ts'
import { type JsonValue, parseJsonObject } from '../jws/strict-json.ts'
import type { HeldDocument } from './judge-document.ts'
import { initialDigestOf, parametersOf, type Relationship } from './relationship.ts'

/**
 * Where bundles survive a restart: one text for each trust domain. Whoever may write to it says who is trusted. It belongs to one
 * `BundleEndpoints`: what no relationship of it is about is removed.
 */
export interface BundleStore {
  /** Removes the texts of all other trust domains. */
  keepOnly(trustDomains: readonly string[]): Promise<void>
  /** Undefined where there is none. */
  read(trustDomain: string): Promise<string | undefined>
  /** Replaces the text as a whole: after a crash there is the old one or the new one. */
  write(trustDomain: string, text: string): Promise<void>
  /** Also where there is none. */
  remove(trustDomain: string): Promise<void>
}

/** The document is in it as a text, with every character escaped at worst. */
export const STORED_MAX_CHARACTERS = 8 * FOREIGN_BUNDLE_LIMITS.sizeBytes

/** Prints a bundle with the relationship that it is of. */
export function printStored(relationship: Relationship, { text, origin, since, initial }: HeldDocument): string {
  const stored = {
    version: 1,
    ...parametersOf(relationship),
    initial,
    origin,
    since: since.toISOString(),
    document: text,
  }
  return `${JSON.stringify(stored, null, 2)}\n`
}

/**
 * Reads what {@link printStored} printed.
 *
 * @returns undefined for a bundle of another relationship: with another URL, profile or endpoint, or from before an initial bundle
 *   that was configured since, which is how an operator repairs one that has become stale
 * @throws {@link SallyportError} `BUNDLE_STORE_FAILED`
 */
export function parseStored(text: string, relationship: Relationship): HeldDocument | undefined {
  const { trustDomain } = relationship
  try {
    if (text.length > STORED_MAX_CHARACTERS) throw new Error(`longer than ${STORED_MAX_CHARACTERS} characters`)
    const stored = parseJsonObject(text, 'it')
    const key = { version: 1, ...parametersOf(relationship) }
    if (Object.entries(key).some(([name, value]) => stored[name] !== value)) return undefined
    const initial = stored['initial'] === undefined ? undefined : textOf(stored['initial'])
    const configured = initialDigestOf(relationship)
    if (configured !== undefined && configured !== initial) return undefined
    const [document, since, origin] = [textOf(stored['document']), new Date(textOf(stored['since'])), stored['origin']]
    if ((origin !== 'fetched' && origin !== 'given') || Number.isNaN(since.getTime()))
      throw new Error('it is incomplete')
    return { document: readBundleDocument(document, trustDomain), text: document, origin, since, initial }
  } catch (cause) {
    throw storeFailed(`Cannot use the stored bundle of ${trustDomain.name}`, cause)
  }
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value
  throw new Error('it is incomplete')
}

export function storeFailed(what: string, cause: unknown): SallyportError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new SallyportError('BUNDLE_STORE_FAILED', `${what}: ${why}`, { cause })
}
