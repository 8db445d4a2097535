import { selectorOf, type Selector } from '../../src/entry/selector.ts'
import { SallyportError } from '../../src/errors.ts'
import { idFromMessage, trustDomainFromText } from '../../src/wire/id-message.ts'
import type { CountAgentsRequestFilter } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { CountEntriesRequestFilter } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { FederatesWithMatch, SelectorMatch } from '../../src/wire/messages/spire-api-types.ts'
import type { AgentFilter, EntryFilter, MatchBehaviour } from '../entries/filter.ts'
import { parseGoTime } from './go-time.ts'

/** The most selectors or trust domains that one filter compares with. */
const FILTER_MAX_VALUES = 1000

const behaviours: Readonly<Record<SelectorMatch['match'], MatchBehaviour>> = {
  MATCH_EXACT: 'exact',
  MATCH_SUBSET: 'subset',
  MATCH_SUPERSET: 'superset',
  MATCH_ANY: 'any',
}

/**
 * What a list of agents is narrowed to.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SELECTOR_INVALID`
 */
export function agentFilterOf(filter: CountAgentsRequestFilter | null): AgentFilter {
  if (filter === null) return {}
  return {
    attestationType: filter.byAttestationType === '' ? undefined : filter.byAttestationType,
    selectors: selectorsOf(filter.bySelectorMatch, 'by_selector_match'),
    banned: filter.byBanned?.value,
    canReattest: filter.byCanReattest?.value,
    expiresBefore: filter.byExpiresBefore === '' ? undefined : parseGoTime(filter.byExpiresBefore, 'by_expires_before'),
  }
}

/**
 * What a list of entries is narrowed to.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SELECTOR_INVALID`, `SPIFFE_ID_INVALID`
 */
export function entryFilterOf(filter: CountEntriesRequestFilter | null): EntryFilter {
  if (filter === null) return {}
  return {
    spiffeId: filter.bySpiffeId === null ? undefined : idFromMessage(filter.bySpiffeId),
    parentId: filter.byParentId === null ? undefined : idFromMessage(filter.byParentId),
    selectors: selectorsOf(filter.bySelectors, 'by_selectors'),
    federatesWith: trustDomainsOf(filter.byFederatesWith),
    hint: filter.byHint?.value,
    downstream: filter.byDownstream?.value,
  }
}

function selectorsOf(
  match: SelectorMatch | null,
  field: string,
): { readonly selectors: readonly Selector[]; readonly match: MatchBehaviour } | undefined {
  if (match === null) return undefined
  checkSize(match.selectors, field)
  return {
    selectors: match.selectors.map(({ type, value }) => selectorOf(type, value)),
    match: behaviourOf(match, field),
  }
}

function trustDomainsOf(match: FederatesWithMatch | null): EntryFilter['federatesWith'] {
  if (match === null) return undefined
  checkSize(match.trustDomains, 'by_federates_with')
  const trustDomains = match.trustDomains.map((name) => trustDomainFromText(name).name)
  return { trustDomains, match: behaviourOf(match, 'by_federates_with') }
}

/** A way to match that we do not know must not become none: then the filter would find everything. */
function behaviourOf({ match }: SelectorMatch | FederatesWithMatch, field: string): MatchBehaviour {
  if (Object.hasOwn(behaviours, match)) return behaviours[match]
  throw new SallyportError('REQUEST_INVALID', `Cannot filter: the match of ${field} is unknown`)
}

/** An empty set would match everything or nothing, neither of which anybody means. */
function checkSize(values: readonly unknown[], field: string): void {
  if (values.length === 0) throw new SallyportError('REQUEST_INVALID', `Cannot filter: ${field} is empty`)
  if (values.length > FILTER_MAX_VALUES) {
    throw new SallyportError('REQUEST_INVALID', `Cannot filter: ${field} has more than ${FILTER_MAX_VALUES} values`)
  }
}
