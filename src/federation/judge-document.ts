import { bundlesEqual } from '../bundle/bundle.ts'
import type { BundleDocument } from '../bundle/bundle-document.ts'
import { SallyportError } from '../errors.ts'

/** A bundle that is in use, and who said so. */
export interface HeldDocument {
  readonly document: BundleDocument
  readonly text: string
  /** `given`: by an operator, in place of the endpoint's, until the endpoint has been heard again. */
  readonly origin: 'fetched' | 'given'
  /** When it was first fetched or given. */
  readonly since: Date
  /** The digest of the initial bundle that it goes back to. */
  readonly initial: string | undefined
}

export interface Judgement {
  readonly outcome: 'installed' | 'unchanged'
  readonly warnings: readonly string[]
}

/**
 * What becomes of a document that was fetched. The sequence says which of two is newer; of documents without one the last that was
 * fetched is the current one.
 *
 * @throws {@link SallyportError} `BUNDLE_SEQUENCE_OLDER`: the one that is held stays
 * @see SPIFFE_Federation.md §4.3
 */
export function judgeDocument(held: HeldDocument | undefined, fetched: BundleDocument): Judgement {
  const { warnings, sequence } = fetched
  // What an operator gave was never the endpoint's, so its sequence says nothing about it.
  if (held === undefined || held.origin === 'given') return { outcome: 'installed', warnings }
  const before = held.document.sequence
  if (before !== undefined && sequence !== undefined && sequence < before) {
    throw new SallyportError(
      'BUNDLE_SEQUENCE_OLDER',
      `Cannot use the bundle of ${fetched.bundle.trustDomain.name}: its sequence is ${sequence.toString()}, and ${before.toString()} is held`,
    )
  }
  if (!bundlesEqual(held.document.bundle, fetched.bundle)) {
    const isSame = sequence !== undefined && sequence === before
    return {
      outcome: 'installed',
      warnings: isSame
        ? [...warnings, `its content has changed, and its sequence ${sequence.toString()} has not`]
        : warnings,
    }
  }
  return { outcome: sequence === before ? 'unchanged' : 'installed', warnings }
}
