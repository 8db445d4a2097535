import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { IdentityRow, RegisteredIdentity } from '../../src/policy/membership.ts'
import { MembershipRules } from '../../src/policy/membership-rules.ts'
import { resolveIdentity, resolveMembership } from '../../src/policy/resolve-membership.ts'
import type { Party } from '../../src/policy/party.ts'
import { segmentsOf } from '../../src/policy/pattern.ts'
import { mostSliceBytes } from '../../src/policy/long-slices.ts'
import { isSame } from '../../src/policy/policy-difference.ts'
import type { PolicySet, Rule } from '../../src/policy/policy-set.ts'
import { SliceIndex } from '../../src/policy/slice-index.ts'
import { subjectsOf } from '../../src/policy/slice-rows.ts'
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

/** A row in a slice is never longer than its text and so much. */
const ROW_FRAME_BYTES = 64

interface MembersParts {
  readonly index: SliceIndex
  readonly directory: Pick<Directory, 'entries' | 'entry' | 'entriesWithSpiffeId'>
  readonly resolved: Map<string, IdentityRow>
}

/** Which zone each registered identity is in, under one policy. A change of an entry costs the row of its id and no other. */
export class Members {
  readonly #rules: MembershipRules
  readonly #index: SliceIndex
  readonly #directory: MembersParts['directory']
  /** With all labels, whichever the policy reads. */
  readonly #resolved: Map<string, IdentityRow>
  /** Undefined: to be looked for again. */
  #mostSliceBytes: number | undefined

  private constructor(parts: MembersParts) {
    this.#rules = new MembershipRules(parts.index.set)
    this.#directory = parts.directory
    this.#index = parts.index
    this.#resolved = parts.resolved
  }

  /** @param resolved the rows of all entries of the directory */
  static of(
    set: PolicySet,
    directory: MembersParts['directory'],
    resolved: readonly IdentityRow[] = resolveMembership(
      set,
      Iterator.from(directory.entries()).map(registeredIdentityOf),
    ),
  ): Members {
    const index = new SliceIndex(set, resolved)
    return new Members({ index, directory, resolved: new Map(resolved.map((row) => [row.spiffeId, row])) })
  }

  /** Under a policy that places everybody as this one does and reads the same labels: both share their rows from then on. */
  followedBy(set: PolicySet): Members | undefined {
    const index = this.#index.followedBy(set)
    return index && new Members({ index, directory: this.#directory, resolved: this.#resolved })
  }

  sharesRowsWith(other: Members): boolean {
    return this.#index.sharesRowsWith(other.#index)
  }

  get sliceIndex(): SliceIndex {
    return this.#index
  }

  get size(): number {
    return this.#resolved.size
  }

  /** The rows for another policy, when its zones are the same ones. */
  resolvedFor({ zones }: PolicySet): readonly IdentityRow[] | undefined {
    return isSame(zones, this.#index.set.zones) ? [...this.#resolved.values()] : undefined
  }

  /** The registered identities that a rule names as subjects. */
  subjectsOf(rule: Rule): Iterable<IdentityRow> {
    return subjectsOf(this.#index, rule)
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

  /** No slice is longer. It grows with each row that changes, and is looked for again when it says too much. */
  mostSliceBytes(enough: number): number {
    if (this.#mostSliceBytes === undefined || this.#mostSliceBytes > enough)
      this.#mostSliceBytes = mostSliceBytes(this.#index)
    return this.#mostSliceBytes
  }

  /**
   * What would be with these entries in the place of those that have their ids; nothing is changed by it.
   *
   * @param action is given the index as it would be, which it must not keep
   */
  asIf<T>(entries: readonly RegistrationEntry[], action: (index: SliceIndex) => T): T {
    const moves = this.movesOf(entries)
    try {
      for (const { spiffeId, after } of moves) this.#put(spiffeId, after)
      return action(this.#index)
    } finally {
      for (const { spiffeId, before } of moves) this.#put(spiffeId, before)
    }
  }

  /** The rows that would be others with these entries in the place of those that have their ids. */
  movesOf(entries: readonly RegistrationEntry[]): readonly Move[] {
    const coming = new Set(entries.map(({ id }) => id))
    const arrivingAt = Map.groupBy(entries, ({ spiffeId }) => spiffeId.toString())
    const ids = entries.flatMap(({ id, spiffeId }) => [spiffeId, this.#directory.entry(id)?.spiffeId ?? spiffeId])
    return [...new Map(ids.map((id) => [id.toString(), id]))].flatMap(([spiffeId, id]): Move[] => {
      const staying = this.#directory.entriesWithSpiffeId(id).filter((entry) => !coming.has(entry.id))
      const all = [...staying, ...(arrivingAt.get(spiffeId) ?? [])].map(registeredIdentityOf)
      const [before, after] = [this.#resolved.get(spiffeId), all.length === 0 ? undefined : this.rowOf(all)]
      const text = JSON.stringify(after)
      if (JSON.stringify(before) === text) return []
      const isService = this.#index.servicesByIdentity.has(id.path)
      const isElsewhere = this.#isElsewhere(spiffeId, [before, after])
      const concerned = this.#concerned(spiffeId, [before, after])
      return [
        {
          ...{ spiffeId, before, after, movesServices: isService && isElsewhere },
          mostBytes: after === undefined ? 0 : rowBytes(text),
          concernsOthers: concerned === 'all' || concerned.size > 1,
        },
      ]
    })
  }

  #put(spiffeId: string, row: IdentityRow | undefined): void {
    if (row === undefined) this.#index.remove(spiffeId)
    else this.#index.put(row)
  }

  /** Looks at the entries of an id again. */
  refresh(spiffeId: string): ConcernedSlices {
    const before = this.#resolved.get(spiffeId)
    const entries = this.#directory.entriesWithSpiffeId(SpiffeId.parse(spiffeId))
    const after = entries.length === 0 ? undefined : this.rowOf(entries.map(registeredIdentityOf))
    const text = JSON.stringify(after)
    if (JSON.stringify(before) === text) return NOBODY
    if (after === undefined) this.#resolved.delete(spiffeId)
    else this.#resolved.set(spiffeId, after)
    this.#put(spiffeId, after)
    const { path } = SpiffeId.parse(spiffeId)
    // What is moved with a service is not its row alone.
    if (this.#index.servicesByIdentity.has(path) && this.#isElsewhere(spiffeId, [before, after]))
      this.#mostSliceBytes = undefined
    else if (this.#mostSliceBytes !== undefined && after !== undefined) this.#mostSliceBytes += rowBytes(text)
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
    if (this.#isElsewhere(spiffeId, rows) || servicesByIdentity.has(path)) return 'all'
    const hasLabels = rows.some((row) => row !== undefined && Object.keys(row.labels).length > 0)
    if (!hasLabels) return new Set([spiffeId])
    const domain = SpiffeId.parse(spiffeId).trustDomain.name
    return new Set([spiffeId, ...[...servicesByIdentity.keys()].map((identity) => `spiffe://${domain}${identity}`)])
  }

  /** Is it, in one of these rows, where patterns alone would not place it? */
  #isElsewhere(spiffeId: string, rows: readonly (IdentityRow | undefined)[]): boolean {
    const byPattern = this.#rules.byPattern(segmentsOf(SpiffeId.parse(spiffeId).path)).map(({ zone }) => zone)
    return rows.some((row) => row !== undefined && zonesOfRow(row).join() !== byPattern.join())
  }
}

/** A row that would be another one. */
export interface Move {
  readonly spiffeId: string
  readonly before: IdentityRow | undefined
  readonly after: IdentityRow | undefined
  /** Slices have so much more in them at most, unless services move with it. */
  readonly mostBytes: number
  readonly movesServices: boolean
  /** Slices of other identities have it in them. */
  readonly concernsOthers: boolean
}

const rowBytes = (text: string): number => Buffer.byteLength(text) + ROW_FRAME_BYTES

export const zonesOfRow = ({ zone }: IdentityRow): readonly string[] =>
  zone === null ? [] : typeof zone === 'string' ? [zone] : zone
