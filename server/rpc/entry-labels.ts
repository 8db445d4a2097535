import { labelsEqual, NO_LABELS, type Labels } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { idFromMessage } from '../../src/wire/id-message.ts'
import type { SpiffeId as SpiffeIdMessage } from '../../src/wire/messages/spire-api-types.ts'
import type { Directory } from '../entries/directory.ts'

/**
 * Holds that all entries of one SPIFFE ID say the same labels (ZO-11), within a batch too: peers see ids, not entries, so a label
 * on which they differ would mean nothing.
 */
export class LabelAgreement {
  readonly #directory: Pick<Directory, 'entriesWithSpiffeId'>
  /** What the batch has made of entries so far, by entry id. */
  readonly #coming = new Map<string, RegistrationEntry>()

  constructor(directory: Pick<Directory, 'entriesWithSpiffeId'>) {
    this.#directory = directory
  }

  /** Whoever names no labels gets those of the id: SPIRE's API cannot name any. */
  labelsFor(spiffeId: SpiffeId, given: Labels | undefined): Labels {
    if (given !== undefined && Object.keys(given).length > 0) return given
    return this.#others(spiffeId, '')[0]?.labels ?? NO_LABELS
  }

  /** @throws {@link SallyportError} `ENTRY_LABELS_DIFFER` */
  check(entry: RegistrationEntry): void {
    const other = this.#others(entry.spiffeId, entry.id).find(({ labels }) => !labelsEqual(labels, entry.labels))
    if (other !== undefined) {
      throw new SallyportError(
        'ENTRY_LABELS_DIFFER',
        `Cannot use this registration entry: its labels ${printLabels(entry.labels)} differ from those of entry ${other.id} of ${entry.spiffeId}: ${printLabels(other.labels)}`,
      )
    }
    this.add(entry)
  }

  /** Takes part in what comes later, unchecked. */
  add(entry: RegistrationEntry): void {
    this.#coming.set(entry.id, entry)
  }

  #others(spiffeId: SpiffeId, exceptId: string): RegistrationEntry[] {
    const stored = this.#directory.entriesWithSpiffeId(spiffeId).filter(({ id }) => !this.#coming.has(id))
    const coming = [...this.#coming.values()].filter((entry) => entry.spiffeId.equals(spiffeId))
    return [...stored, ...coming].filter(({ id }) => id !== exceptId)
  }
}

/** Does an id have labels, so that changes of its entries must see each other? */
export const hasLabels = (spiffeId: SpiffeId, directory: Pick<Directory, 'entriesWithSpiffeId'>): boolean =>
  directory.entriesWithSpiffeId(spiffeId).some(({ labels }) => Object.keys(labels).length > 0)

/** The id of a message, or undefined when it cannot be read: what is wrong with it is said later. */
export function readableId(message: SpiffeIdMessage): SpiffeId | undefined {
  try {
    return idFromMessage(message)
  } catch (error) {
    if (error instanceof SallyportError) return undefined
    throw error
  }
}

export const printLabels = (labels: Labels): string => {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return texts.length === 0 ? '(none)' : texts.toSorted().join(',')
}
