import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { IdentityRow, RegisteredIdentity } from '../../src/policy/membership.ts'
import { MembershipRules } from '../../src/policy/membership-rules.ts'
import { resolveIdentity, resolveMembership } from '../../src/policy/resolve-membership.ts'
import type { Party } from '../../src/policy/party.ts'
import type { PolicySet, Rule } from '../../src/policy/policy-set.ts'
import { SliceIndex } from '../../src/policy/slice-index.ts'
import { slicesConcerned } from '../../src/policy/slices-concerned.ts'
import { sliceOf, type SliceContent } from '../../src/policy/slice.ts'
import type { Directory } from '../entries/directory.ts'

export const registeredIdentityOf = ({ spiffeId, labels, selectors }: RegistrationEntry): RegisteredIdentity => ({
  spiffeId: spiffeId.toString(),
  labels,
  selectors: selectors.map(printSelector),
})

/** Whose slices a change of one row may change. */
export type ConcernedSlices = ReadonlySet<string> | 'all'

const NOBODY: ConcernedSlices = new Set()

/** Which zone each registered identity is in, under one policy. A change of an entry costs the row of its id and no other. */
export class Members {
  readonly #rules: MembershipRules
  readonly #index: SliceIndex
  readonly #directory: Pick<Directory, 'entriesWithSpiffeId'>
  #size = 0

  constructor(set: PolicySet, directory: Pick<Directory, 'entries' | 'entriesWithSpiffeId'>) {
    this.#rules = new MembershipRules(set)
    this.#directory = directory
    const rows = resolveMembership(set, Iterator.from(directory.entries()).map(registeredIdentityOf))
    this.#index = new SliceIndex(set, rows)
    this.#size = rows.length
  }

  get size(): number {
    return this.#size
  }

  rows(): Iterable<IdentityRow> {
    return this.#index.rows
  }

  row(spiffeId: string): IdentityRow | undefined {
    return this.#index.rowOf(spiffeId)
  }

  /** As decisions see it: by its row, or by patterns when it is not registered. */
  partyOf(spiffeId: string): Party {
    return this.#index.partyOf(spiffeId)
  }

  /** The rules that name an identity as a subject. */
  rulesOf(party: Party): readonly Rule[] {
    return this.#index.rulesOfSubject.of(party).map(({ rule }) => rule)
  }

  /** Whose slices are others when this policy follows on another, with the same entries registered. */
  concernedAfter(before: Members): ConcernedSlices {
    return slicesConcerned(before.#index, this.#index)
  }

  slice(spiffeId: string): SliceContent {
    return sliceOf(this.#index, spiffeId)
  }

  /** Looks at the entries of an id again. */
  refresh(spiffeId: string): ConcernedSlices {
    const before = this.#index.rowOf(spiffeId)
    const entries = this.#directory.entriesWithSpiffeId(SpiffeId.parse(spiffeId))
    const after = entries.length === 0 ? undefined : this.rowOf(entries.map(registeredIdentityOf))
    if (JSON.stringify(before) === JSON.stringify(after)) return NOBODY
    if (after === undefined) this.#index.remove(spiffeId)
    else this.#index.put(after)
    this.#size += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
    return this.#concerned(spiffeId, [before, after])
  }

  /** The row that an id would have with these entries. */
  rowOf(entries: readonly RegisteredIdentity[]): IdentityRow {
    return resolveIdentity(this.#rules, entries)
  }

  /**
   * Rows that patterns would place elsewhere are in every slice, those of a service in the slice of whoever reaches it; labels are
   * read by conditions at services. Any other row is only in its own.
   */
  #concerned(spiffeId: string, rows: readonly (IdentityRow | undefined)[]): ConcernedSlices {
    const { path } = SpiffeId.parse(spiffeId)
    const { servicesByIdentity } = this.#index
    const byPattern = this.#rules.byPattern(path).map(({ zone }) => zone)
    const isElsewhere = rows.some((row) => row !== undefined && zonesOfRow(row).join() !== byPattern.join())
    if (isElsewhere || servicesByIdentity.has(path)) return 'all'
    const hasLabels = rows.some((row) => row !== undefined && Object.keys(row.labels).length > 0)
    if (!hasLabels) return new Set([spiffeId])
    const domain = SpiffeId.parse(spiffeId).trustDomain.name
    return new Set([spiffeId, ...[...servicesByIdentity.keys()].map((identity) => `spiffe://${domain}${identity}`)])
  }
}

export const zonesOfRow = ({ zone }: IdentityRow): readonly string[] =>
  zone === null ? [] : typeof zone === 'string' ? [zone] : zone
