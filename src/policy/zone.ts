import type { AdminFunction, PolicySet, Sensitivity, Target, Zone } from './policy-set.ts'

/** Ages of the policy at which it stops deciding, where the file says nothing else (ZO-02). */
export const HARD_STALE_MS = 24 * 3_600_000
export const HARD_STALE_HIGH_MS = 5 * 60_000

export interface CompiledZone {
  readonly id: string
  readonly target: Target
  readonly sensitivity: Sensitivity
  readonly admin: AdminFunction
  readonly crownJewel: boolean
  readonly observes: boolean
  readonly enforceOnly: ReadonlySet<number>
  /** An age of the policy from here on denies; Infinity: never. */
  readonly hardStaleMs: number
}

export function compileZone(zone: Zone, { bundle }: PolicySet['settings']): CompiledZone {
  const { id, target, sensitivity, admin, crownJewel, mode, enforceOnly } = zone
  const isHigh = target >= 3
  const limit = zone.hardStaleMs ?? (isHigh ? HARD_STALE_HIGH_MS : (bundle.hardStaleMs ?? HARD_STALE_MS))
  return {
    id,
    target,
    sensitivity,
    admin,
    crownJewel,
    // Refused when the file is read too; here it holds whatever was signed (SE-42).
    observes: mode === 'observe' && !isHigh && !crownJewel,
    enforceOnly: new Set(enforceOnly),
    hardStaleMs: bundle.onHardStale === 'keep' && !isHigh ? Infinity : limit,
  }
}
