import type { PolicySet } from './policy-set.ts'

/** Added, removed, and both versions of what is no longer the same; in whatever order they stand. */
export function differing<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string): T[] {
  const old = new Map(before.map((item) => [nameOf(item), item]))
  const found: T[] = []
  for (const item of after) {
    const former = old.get(nameOf(item))
    old.delete(nameOf(item))
    if (former === undefined) found.push(item)
    else if (JSON.stringify(former) !== JSON.stringify(item)) found.push(former, item)
  }
  return [...found, ...old.values()]
}

/** Do two policies differ in a part other than these? */
export function differsBeyond(parts: readonly (keyof PolicySet)[], before: PolicySet, after: PolicySet): boolean {
  const others = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PolicySet>
  for (const part of parts) others.delete(part)
  return [...others].some((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]))
}
