import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { ViewDigest } from '../../src/entry/view-digest.ts'
import type { Hello } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Directory } from '../entries/directory.ts'
import type { Change, Revision } from '../store/store.ts'
import type { AgentView, ViewChange } from './agent-view.ts'

const NOTHING: ViewChange = { entries: [], removedEntryIds: [], bundles: [], removedTrustDomains: [] }

type DirectoryNow = Pick<Directory, 'covers' | 'entriesUnder' | 'entry' | 'bundle' | 'serverId'>

/**
 * What an agent that comes back lacks, or undefined when it must be told everything.
 *
 * What it held then is computed from the log and compared with the digest that it sent: a difference of any kind (another epoch's data,
 * a lost change, changed aliases) ends in a snapshot, never in a wrong view. Entries that it never held are not named to it.
 *
 * @param view what the agent should hold now
 * @param revisions the log after the revision that the agent named
 */
export function resumeChange(
  agentId: string,
  hello: Pick<Hello, 'digest'>,
  view: AgentView,
  revisions: readonly Revision[] | undefined,
  directory: DirectoryNow,
): ViewChange | undefined {
  if (hello.digest.equals(view.digest)) return NOTHING
  if (revisions === undefined) return undefined
  const changes = revisions.flatMap((revision) => revision.changes)
  if (changes.some((change) => mayMoveOthers(agentId, change, directory))) return undefined

  const then = ViewDigest.from(hello.digest)
  const before = firstBefore(changes)
  const heldThen = [...before.entries.values()].filter(
    (entry) => entry !== undefined && directory.covers(agentId, entry),
  )
  const touched = [...before.entries.keys()]
  const entries = touched.filter((id) => view.has(id)).flatMap((id) => directory.entry(id) ?? [])
  const removedEntryIds = heldThen.flatMap((entry) => (entry === undefined || view.has(entry.id) ? [] : [entry.id]))
  for (const entry of heldThen) if (entry !== undefined) then.removeEntry(entry)
  for (const entry of entries) then.addEntry(entry)

  const untouched = view.entries.filter(({ id }) => !before.entries.has(id))
  const own = directory.serverId.trustDomain.name
  const verifiedThen = new Set([
    own,
    ...[...untouched, ...heldThen].flatMap((entry) => entry?.federatesWith.map(String) ?? []),
  ])
  const bundlesNow = new Map(view.bundles.map((bundle) => [bundle.trustDomain.name, bundle]))
  const bundles: Bundle[] = []
  const removedTrustDomains: string[] = []
  for (const name of new Set([...verifiedThen, ...bundlesNow.keys()])) {
    const old = before.bundles.has(name) ? before.bundles.get(name) : directory.bundle(name)
    const held = verifiedThen.has(name) ? old : undefined
    const now = bundlesNow.get(name)
    if (held === now) continue
    if (held !== undefined) then.removeBundle(held)
    if (now !== undefined) then.addBundle(now)
    if (now !== undefined) bundles.push(now)
    else removedTrustDomains.push(name)
  }
  return then.equals(view.digest) ? { entries, removedEntryIds, bundles, removedTrustDomains } : undefined
}

/** Can a change give or take entries that it does not name? */
function mayMoveOthers(agentId: string, change: Change, directory: DirectoryNow): boolean {
  if (change.kind === 'agent') {
    if (change.spiffeId.toString() !== agentId) return false
    // Renewals and versions leave entitlement alone.
    return JSON.stringify(change.before?.selectors) !== JSON.stringify(change.after?.selectors)
  }
  if (change.kind !== 'entry') return false
  return [change.before, change.after].some(
    (entry) =>
      entry !== undefined &&
      (entry.parentId.equals(directory.serverId) || directory.entriesUnder(entry.spiffeId).length > 0),
  )
}

/** How everything that changed was before the first change. */
function firstBefore(changes: readonly Change[]): {
  readonly entries: ReadonlyMap<string, RegistrationEntry | undefined>
  readonly bundles: ReadonlyMap<string, Bundle | undefined>
} {
  const entries = new Map<string, RegistrationEntry | undefined>()
  const bundles = new Map<string, Bundle | undefined>()
  for (const change of changes) {
    if (change.kind === 'entry' && !entries.has(change.id)) entries.set(change.id, change.before)
    if (change.kind === 'bundle' && !bundles.has(change.trustDomain)) bundles.set(change.trustDomain, change.before)
  }
  return { entries, bundles }
}
