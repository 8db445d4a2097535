import type { RegisteredIdentity } from '../membership.ts'
import type { Target } from '../policy-set.ts'
import type { Tables } from '../tables.ts'

/** What an attacker has taken: a key, a process on its node, or the whole node (§4.1). */
export const compromiseModels = ['key', 'workload', 'node'] as const
export type CompromiseModel = (typeof compromiseModels)[number]

/** A registration entry as analyses see it. */
export interface RegisteredEntry extends RegisteredIdentity {
  /** SPIFFE ID of the node, or of a name that nodes share. */
  readonly parent: string | undefined
  /** Lifetime of its X509-SVIDs; undefined: the policy's or the server's own. */
  readonly x509TtlMs: number | undefined
  /** Undefined: not known. */
  readonly createdMs?: number | undefined
}

/**
 * The identities that an attacker holds who has taken one: it alone for a key, all that its node would issue to the same process for
 * a workload, and all that are registered below its nodes for a node.
 */
export function heldIdentities(entries: readonly RegisteredEntry[], id: string, model: CompromiseModel): string[] {
  const own = entries.filter(({ spiffeId }) => spiffeId === id)
  if (model === 'key') return [id]
  const held =
    model === 'node' ? below(entries, own) : entries.filter((entry) => own.some((one) => satisfies(one, entry)))
  return [...new Set([id, ...held.map(({ spiffeId }) => spiffeId)])]
}

/** Whoever has all selectors of `one` on that node has those of `other` too. */
const satisfies = (one: RegisteredEntry, other: RegisteredEntry): boolean =>
  one.parent === other.parent && other.selectors.every((selector) => one.selectors.includes(selector))

/** Nodes may have further names, which are parents as well. */
function below(entries: readonly RegisteredEntry[], own: readonly RegisteredEntry[]): RegisteredEntry[] {
  const byParent = Map.groupBy(entries, ({ parent }) => parent)
  const found = new Set<RegisteredEntry>()
  const open = own.flatMap(({ parent }) => parent ?? [])
  const seen = new Set(open)
  for (let node = open.pop(); node !== undefined; node = open.pop())
    for (const entry of byParent.get(node) ?? []) {
      found.add(entry)
      if (seen.has(entry.spiffeId)) continue
      seen.add(entry.spiffeId)
      open.push(entry.spiffeId)
    }
  return [...found]
}

/** A quarantine reaches the last connected agent within this time in 99 of 100 cases; `bench/questions` measures it. */
export const QUARANTINE_P99_MS = 2000
/** The server's own lifetime of X509-SVIDs, where neither entry nor policy says one. */
export const X509_TTL_MS = 3_600_000

/** How long a compromise lasts after the quarantine. @see SE-48 */
export interface QuarantineWindow {
  /** Where agents are connected. */
  readonly usualMs: number
  /** At the worst service behind an agent that is cut off: the SVID has ended, or the policy is too old to decide. */
  readonly cutOffMs: number
  readonly endedBy: 'SVID life' | 'hardStale'
}

/** @param services those within reach */
export function quarantineWindow(
  tables: Tables,
  entries: readonly RegisteredEntry[],
  held: readonly string[],
  services: readonly string[],
): QuarantineWindow {
  const lifeMs = Math.max(0, ...held.map((id) => longestTtlMs(tables, entries, id)))
  const staleMs = Math.max(0, ...services.map((id) => tables.services.get(id)?.party.zone?.hardStaleMs ?? 0))
  return {
    usualMs: QUARANTINE_P99_MS,
    cutOffMs: Math.min(lifeMs, staleMs),
    endedBy: lifeMs <= staleMs ? 'SVID life' : 'hardStale',
  }
}

/** A new SVID has all of its life before it: the worst case. */
function longestTtlMs(tables: Tables, entries: readonly RegisteredEntry[], id: string): number {
  const party = tables.parties.of(id)
  const target: Target | undefined = typeof party === 'string' ? undefined : party.zone?.target
  const limit = target === undefined ? undefined : tables.set.settings.x509TtlMs[target]
  const own = entries.filter(({ spiffeId }) => spiffeId === id).map(({ x509TtlMs }) => x509TtlMs ?? X509_TTL_MS)
  return Math.min(limit ?? Infinity, Math.max(...(own.length === 0 ? [X509_TTL_MS] : own)))
}
