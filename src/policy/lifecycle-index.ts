import type { BreakGlassSession, Grant, Lifecycle, Quarantine } from './lifecycle.ts'
import type { Party } from './party.ts'
import { byId } from './rule-index.ts'

/** The lifecycle as it is asked: by identity and by zone. */
export interface LifecycleIndex {
  readonly sequence: number
  /** The quarantines that an identity or one of its zones is in. */
  quarantinesOf(party: Pick<Party, 'id' | 'zoneIds'>): readonly Quarantine[]
  readonly offboarded: ReadonlySet<string>
  /** In the order of their ids. */
  grantsOf(id: string): readonly Grant[]
  sessionsOf(id: string): readonly BreakGlassSession[]
  isRevoked(spiffeId: string, serialNumber: string): boolean
}

export function indexLifecycle(lifecycle: Lifecycle): LifecycleIndex {
  const byIdentity = new Map<string, Quarantine[]>()
  const byZone = new Map<string, Quarantine[]>()
  for (const quarantine of lifecycle.quarantines) {
    const { target } = quarantine
    if ('zone' in target) push(byZone, target.zone, quarantine)
    else if ('node' in target) for (const id of target.identities) push(byIdentity, id, quarantine)
    else push(byIdentity, target.identity, quarantine)
  }
  const grants = new Map<string, Grant[]>()
  for (const grant of lifecycle.grants.toSorted(byId)) push(grants, grant.subject, grant)
  const sessions = new Map<string, BreakGlassSession[]>()
  for (const session of lifecycle.breakGlass.toSorted(byId)) {
    for (const subject of new Set(session.subjects)) push(sessions, subject, session)
  }
  const revoked = new Set(lifecycle.revokedSerials.map(({ spiffeId, serialNumber }) => `${spiffeId} ${serialNumber}`))
  return {
    sequence: lifecycle.sequence,
    quarantinesOf: ({ id, zoneIds }) => {
      const own = byIdentity.get(id) ?? NONE
      if (byZone.size === 0) return own
      const zones = zoneIds.flatMap((zone) => byZone.get(zone) ?? [])
      return zones.length === 0 ? own : [...own, ...zones]
    },
    offboarded: new Set(lifecycle.offboarded),
    grantsOf: (id) => grants.get(id) ?? NONE,
    sessionsOf: (id) => sessions.get(id) ?? NONE,
    isRevoked: (spiffeId, serialNumber) => revoked.size > 0 && revoked.has(`${spiffeId} ${serialNumber}`),
  }
}

const NONE: readonly never[] = []

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
