import type { Pattern } from '../policy/pattern.ts'

/** Does every id that `narrow` matches match `wide` too? */
export function patternCovers(wide: Pattern, narrow: Pattern): boolean {
  if (wide.trustDomain !== narrow.trustDomain) return false
  for (let index = 0; ; index++) {
    const [w, n] = [wide.segments[index], narrow.segments[index]]
    if (w === undefined || n === undefined) return w === n
    if (w === '**') return true
    if (n === '**') return false
    if (w !== n && w !== '*') return false
  }
}
