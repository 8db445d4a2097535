import type { IdentityRow } from './membership.ts'

/**
 * Rows that agree in all but the id, as slices carry them: fleets have many identities and few answers. The first id is whole; of
 * each one after it stands how many characters it shares with the one before, a space, and the rest.
 */
export interface MemberGroup extends Omit<IdentityRow, 'spiffeId'> {
  readonly spiffeIds: readonly string[]
}

/** What stands in a slice: a row of one identity, or of several. */
export type WrittenMember = IdentityRow | MemberGroup

/** The shortest form of rows that stand in the order of their ids. */
export function groupMembers(rows: readonly IdentityRow[]): readonly WrittenMember[] {
  const groups = Map.groupBy(rows, answerOf)
  return [...groups.values()].map((group) => {
    const [first, ...others] = group as [IdentityRow, ...IdentityRow[]]
    if (others.length === 0) return first
    const { spiffeId, ...answer } = first
    let before = spiffeId
    const following = others.map(({ spiffeId: id }) => {
      const shared = sharedLength(before, id)
      before = id
      return `${shared} ${id.slice(shared)}`
    })
    return { ...answer, spiffeIds: [spiffeId, ...following] }
  })
}

function answerOf({ zone, via, labels }: IdentityRow): string {
  return JSON.stringify([zone, via, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
}

/**
 * The rows of a group, in their order.
 *
 * @returns undefined when its ids cannot be read, or have more than `mostCharacters` together
 */
export function rowsOfGroup(
  { spiffeIds: [first, ...others], ...answer }: MemberGroup,
  mostCharacters: number,
): readonly IdentityRow[] | undefined {
  if (first === undefined) return []
  let [spiffeId, characters] = [first, first.length]
  const rows: IdentityRow[] = [{ spiffeId, ...answer }]
  for (const written of others) {
    const at = written.indexOf(' ')
    const shared = /^\d{1,4}$/.test(written.slice(0, Math.max(0, at))) ? Number(written.slice(0, at)) : Infinity
    if (shared > spiffeId.length) return undefined
    spiffeId = spiffeId.slice(0, shared) + written.slice(at + 1)
    characters += spiffeId.length
    if (characters > mostCharacters) return undefined
    rows.push({ spiffeId, ...answer })
  }
  return characters > mostCharacters ? undefined : rows
}

function sharedLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
