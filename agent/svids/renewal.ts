interface Renewable {
  readonly renewAt: Date
  readonly notAfter: Date
}

/** Those whose time has come, soonest to expire first. */
export function dueForRenewal<T extends Renewable>(held: Iterable<T>, now: Date): T[] {
  return [...held]
    .filter(({ renewAt }) => renewAt.getTime() <= now.getTime())
    .toSorted((a, b) => a.notAfter.getTime() - b.notAfter.getTime())
}
