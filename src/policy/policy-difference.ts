import type { PolicySet } from './policy-set.ts'

/** Added, removed, and both versions of what is no longer the same; in whatever order they stand. */
export function differing<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string): T[] {
  const old = new Map(before.map((item) => [nameOf(item), item]))
  const found: T[] = []
  for (const item of after) {
    const former = old.get(nameOf(item))
    old.delete(nameOf(item))
    if (former === undefined) found.push(item)
    else if (!isSame(former, item)) found.push(former, item)
  }
  return [...found, ...old.values()]
}

/** Do two policies differ in a part other than these? */
export function differsBeyond(parts: readonly (keyof PolicySet)[], before: PolicySet, after: PolicySet): boolean {
  const others = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PolicySet>
  for (const part of parts) others.delete(part)
  return [...others].some((part) => !isSame(before[part], after[part]))
}

/** Of plain data; what is undefined is the same as what is not there, because JSON makes it so. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [inA, inB] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  return (
    Object.keys(inA).every((name) => isSame(ownOf(inA, name), ownOf(inB, name))) &&
    Object.keys(inB).every((name) => Object.hasOwn(inA, name) || inB[name] === undefined)
  )
}

const ownOf = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined
