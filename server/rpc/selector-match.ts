import { printSelector, selectorOf, type Selector } from '../../src/entry/selector.ts'
import { SallyportError } from '../../src/errors.ts'

export type MatchBehavior = 'MATCH_EXACT' | 'MATCH_SUBSET' | 'MATCH_SUPERSET' | 'MATCH_ANY'

/** A test for sets of texts: exactly the wanted, a subset of them, a superset, or at least one in common. */
export function setMatcher(wanted: Iterable<string>, behavior: MatchBehavior): (held: readonly string[]) => boolean {
  const set = new Set(wanted)
  const within = (held: readonly string[]): boolean => held.every((value) => set.has(value))
  const covers = (held: readonly string[]): boolean => {
    const present = new Set(held)
    return [...set].every((value) => present.has(value))
  }
  const behaviors: Readonly<Record<MatchBehavior, (held: readonly string[]) => boolean>> = {
    MATCH_EXACT: (held) => within(held) && covers(held),
    MATCH_SUBSET: (held) => held.length > 0 && within(held),
    MATCH_SUPERSET: covers,
    MATCH_ANY: (held) => held.some((value) => set.has(value)),
  }
  return behaviors[behavior]
}

/**
 * Reads a filter by selectors.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID` for an empty one, `SELECTOR_INVALID`
 */
export function selectorMatcher(
  filter: { readonly selectors: readonly Selector[]; readonly match: MatchBehavior },
  field: string,
): (held: readonly Selector[]) => boolean {
  if (filter.selectors.length === 0)
    throw new SallyportError('REQUEST_INVALID', `Cannot filter: ${field} has no selectors`)
  const matches = setMatcher(
    filter.selectors.map(({ type, value }) => printSelector(selectorOf(type, value))),
    filter.match,
  )
  return (held) => matches(held.map(printSelector))
}
