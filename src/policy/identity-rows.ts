import { SpiffeId } from '../id/spiffe-id.ts'
import { IdentityTree } from './identity-tree.ts'
import type { IdentityRow } from './membership.ts'
import type { MembershipRules } from './membership-rules.ts'
import { segmentsOf } from './pattern.ts'

/**
 * The rows of registered identities by id, path and zone. They follow from the zones of a policy and the labels that its conditions
 * read: policies that agree in both share them.
 */
export class IdentityRows {
  readonly byPath = new IdentityTree<IdentityRow>()
  readonly byZone = new Map<string, Map<string, IdentityRow>>()
  readonly #byId = new Map<string, IdentityRow>()
  readonly #displaced = new Map<string, IdentityRow>()
  readonly #membership: MembershipRules
  readonly #keysRead: ReadonlySet<string>
  #displacedInOrder: readonly IdentityRow[] | undefined
  #version = 0

  /** @param keysRead other labels are left out */
  constructor(membership: MembershipRules, keysRead: ReadonlySet<string>, rows: Iterable<IdentityRow>) {
    this.#membership = membership
    this.#keysRead = keysRead
    for (const row of rows) this.put(row)
  }

  /** Grows with each change. */
  get version(): number {
    return this.#version
  }

  /** Adds or replaces the row of an identity. */
  put(given: IdentityRow): void {
    const row = withLabels(given, this.#keysRead)
    this.remove(row.spiffeId)
    const { path } = SpiffeId.parse(row.spiffeId)
    const segments = segmentsOf(path)
    this.#version++
    this.#byId.set(row.spiffeId, row)
    this.byPath.set(segments, row)
    for (const zone of zonesOf(row)) {
      const members = this.byZone.get(zone)
      if (members === undefined) this.byZone.set(zone, new Map([[row.spiffeId, row]]))
      else members.set(row.spiffeId, row)
    }
    if (this.#isPlacedElsewhere(row, path)) {
      this.#displaced.set(row.spiffeId, row)
      this.#displacedInOrder = undefined
    }
  }

  remove(spiffeId: string): void {
    const row = this.#byId.get(spiffeId)
    if (row === undefined) return
    this.#version++
    this.#byId.delete(spiffeId)
    this.byPath.set(segmentsOf(SpiffeId.parse(spiffeId).path), undefined)
    for (const zone of zonesOf(row)) this.byZone.get(zone)?.delete(spiffeId)
    if (this.#displaced.delete(spiffeId)) this.#displacedInOrder = undefined
  }

  get(spiffeId: string): IdentityRow | undefined {
    return this.#byId.get(spiffeId)
  }

  values(): IterableIterator<IdentityRow> {
    return this.#byId.values()
  }

  /** Those that patterns alone would place elsewhere, in the order of their ids; the same list until they change. */
  get displaced(): readonly IdentityRow[] {
    return (this.#displacedInOrder ??= [...this.#displaced.values()].sort(bySpiffeId))
  }

  isDisplaced(spiffeId: string): boolean {
    return this.#displaced.has(spiffeId)
  }

  #isPlacedElsewhere(row: IdentityRow, path: string): boolean {
    const patterns = this.#membership.byPattern(segmentsOf(path))
    const zones = zonesOf(row)
    return zones.length !== patterns.length || patterns.some(({ zone }, index) => zone !== zones[index])
  }
}

function withLabels(row: IdentityRow, read: ReadonlySet<string>): IdentityRow {
  const keys = Object.keys(row.labels)
  if (keys.every((key) => read.has(key))) return row
  return { ...row, labels: Object.fromEntries(Object.entries(row.labels).filter(([key]) => read.has(key))) }
}

export const zonesOf = ({ zone }: IdentityRow): readonly string[] =>
  zone === null ? [] : typeof zone === 'string' ? [zone] : zone

export const bySpiffeId = (a: IdentityRow, b: IdentityRow): number =>
  a.spiffeId < b.spiffeId ? -1 : a.spiffeId > b.spiffeId ? 1 : 0
