import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, type Selector } from '../../src/entry/selector.ts'
import { errorCodes } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import type { ExplainedEntry, ExplainResponse } from '../../src/wire/messages/sallyport-agent-v1.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { withheldBecause } from '../entries/standing.ts'
import type { NodeStatus } from '../node/node-status.ts'
import type { PolicyHolder } from '../policy/policy-holder.ts'
import { zonesOf } from '../policy/zones-of.ts'
import type { X509SvidCache } from '../svids/x509-svid-cache.ts'

export interface ExplainDeps {
  readonly entitlements: Entitlements
  readonly x509Svids: X509SvidCache
  readonly status: NodeStatus
  readonly policy: PolicyHolder
  readonly attest: (peer: Peer, signal: AbortSignal) => Promise<readonly Selector[]>
}

const NEAREST = 3

/** Says what a process is given and why, or which selector stands between it and the nearest entries. */
export async function explain(peer: Peer, deps: ExplainDeps, signal: AbortSignal): Promise<ExplainResponse> {
  const warnings: string[] = []
  let selectors: readonly Selector[] = []
  try {
    selectors = await deps.attest(peer, signal)
  } catch (error) {
    signal.throwIfAborted()
    warnings.push(error instanceof Error ? error.message : String(error))
  }
  const held = selectors.map(printSelector)
  const matching = deps.entitlements.matching(selectors)
  const nearest = matching.length > 0 ? [] : nearestEntries(deps.entitlements.entries.values(), new Set(held))
  return {
    pid: peer.pid,
    selectors: held,
    matching: matching.map((entry) => explained(entry, [], selectors, deps)),
    nearest: nearest.map(({ entry, missing }) => explained(entry, missing, selectors, deps)),
    ...verdictOf(peer, matching, nearest, warnings, deps),
    warnings,
  }
}

interface Near {
  readonly entry: RegistrationEntry
  readonly missing: readonly Selector[]
}

/** The entries that the fewest selectors keep away from the process, of equal ones the more specific first. */
export function nearestEntries(entries: Iterable<RegistrationEntry>, held: ReadonlySet<string>): Near[] {
  return [...entries]
    .map((entry) => ({ entry, missing: entry.selectors.filter((selector) => !held.has(printSelector(selector))) }))
    .filter(({ missing }) => missing.length > 0 && missing.every(({ type }) => type !== 'spiffe_id'))
    .toSorted((a, b) => a.missing.length - b.missing.length || b.entry.selectors.length - a.entry.selectors.length)
    .slice(0, NEAREST)
}

function explained(
  entry: RegistrationEntry,
  missing: readonly Selector[],
  actual: readonly Selector[],
  { x509Svids, policy }: ExplainDeps,
): ExplainedEntry {
  return {
    entryId: entry.id,
    spiffeId: entry.spiffeId.toString(),
    selectors: entry.selectors.map(printSelector),
    missingSelectors: missing.map(printSelector),
    actualValues: missing.map((selector) => actualValue(selector, actual)),
    zone: zoneOf(policy, entry),
    svidExpiresAt: Math.floor((x509Svids.get(entry.id)?.notAfter.getTime() ?? 0) / 1000),
  }
}

/** Empty: it is in none, in several, or nothing is known. */
function zoneOf({ state }: PolicyHolder, { spiffeId }: RegistrationEntry): string {
  const [zone, ...others] = zonesOf(state, spiffeId.toString())
  return others.length > 0 ? '' : (zone ?? '')
}

/** What the process has of the same kind: for `unix:uid:1000` its own `unix:uid:…`. */
function actualValue(wanted: Selector, actual: readonly Selector[]): string {
  const kind = kindOf(wanted)
  return actual
    .filter((selector) => kindOf(selector) === kind)
    .map(printSelector)
    .join(', ')
}

const kindOf = ({ type, value }: Selector): string => `${type}:${value.split(':', 1)[0] ?? ''}`

function verdictOf(
  { pid, uid }: Peer,
  matching: readonly RegistrationEntry[],
  nearest: readonly Near[],
  warnings: readonly string[],
  { x509Svids, status, entitlements }: ExplainDeps,
): Pick<ExplainResponse, 'verdict' | 'code' | 'hint'> {
  const process = `Process ${pid} (user ${uid})`
  const withheld = matching.map(({ spiffeId }) => spiffeId.toString()).filter((id) => isWithheld(id, entitlements))
  if (withheld.length > 0) {
    const what = withheld.length === matching.length ? 'is not given its identity' : 'is not given all its identities'
    const reasons = withheld.map((id) => `${id} ${withheldBecause(entitlements.standing.withheld(id))}`)
    return {
      verdict: `${process} ${what}: ${reasons.join(', ')}.`,
      code: 'IDENTITY_WITHHELD',
      hint: errorCodes.IDENTITY_WITHHELD.remedy,
    }
  }
  if (matching.length > 0) {
    const { held } = x509Svids.now(matching)
    const ids = matching.map(({ spiffeId }) => spiffeId.toString()).join(', ')
    if (held.length === matching.length) return { verdict: `${process} is ${ids}.`, code: '', hint: '' }
    return {
      verdict: `${process} is ${ids}, but ${matching.length - held.length} of its SVIDs are not signed yet.`,
      code: 'IDENTITY_PENDING',
      hint: status.isInSync
        ? 'Ask again in a moment; the log of the agent says what the server answered.'
        : agentState(status),
    }
  }
  if (!status.isInSync) {
    return {
      verdict: `${process} has no identity so far: the agent is ${status.state}.`,
      code: 'IDENTITY_PENDING',
      hint: agentState(status),
    }
  }
  if (warnings.length > 0) {
    return {
      verdict: `${process} has no identity: not everything about it could be found out.`,
      code: 'NO_IDENTITY',
      hint: 'See the warnings.',
    }
  }
  // The entry that gives this node its name is not one for processes.
  const registered = [...entitlements.entries.values()].filter(({ selectors }) =>
    selectors.every(({ type }) => type !== 'spiffe_id'),
  ).length
  if (registered === 0) {
    return {
      verdict: `${process} has no identity: no entry is registered for this node.`,
      code: 'NO_IDENTITY',
      hint: 'Register one with `sallyport entry create --parent` and the id of this agent or of its alias.',
    }
  }
  const [first] = nearest
  return {
    verdict: `${process} has no identity: ${registered === 1 ? 'the one entry of this node does not match' : `none of the ${registered} entries of this node matches`}.`,
    code: 'NO_IDENTITY',
    hint:
      first === undefined
        ? ''
        : `The nearest is ${first.entry.spiffeId.toString()}, which also needs ${first.missing.map(printSelector).join(', ')}.`,
  }
}

const isWithheld = (spiffeId: string, { standing }: Entitlements): boolean =>
  standing.withheld(spiffeId)?.isX509Withheld === true

const agentState = ({ reason }: NodeStatus): string =>
  reason === '' ? 'The agent waits for its server.' : `The agent waits for its server: ${reason}.`
