/** Who is in the groups that policies name: SPIFFE IDs, or users of the admin socket as `uid:1000`. */
export class Groups {
  readonly #members: ReadonlyMap<string, ReadonlySet<string>>

  constructor(groups: Readonly<Record<string, readonly string[]>>) {
    this.#members = new Map(
      Object.entries(groups).map(([name, members]) => [name, new Set(members.map(callerNameOf))] as const),
    )
  }

  isKnown(from: string): boolean {
    return !from.startsWith(GROUP) || this.#members.has(from.slice(GROUP.length))
  }

  /** Is a caller who a policy names, as `group:<name>` or as itself? */
  has(from: string, caller: string): boolean {
    if (!from.startsWith(GROUP)) return callerNameOf(from) === caller
    return this.#members.get(from.slice(GROUP.length))?.has(caller) ?? false
  }
}

const GROUP = 'group:'

/** As the journal names callers. */
const callerNameOf = (member: string): string => (member.startsWith('uid:') ? `local:${member}` : member)
