import { identitySet, type IdentitySet, type Party } from './party.ts'
import type { Conduit, Protocol } from './policy-set.ts'
import { compileWindow, isValid, nextEdge, type CompiledWindow } from './windows.ts'

export interface CompiledConduit {
  readonly id: string
  readonly conduit: Conduit
  readonly window: CompiledWindow | undefined
  /** Undefined: every identity of the zone. */
  readonly from: IdentitySet | undefined
  readonly to: IdentitySet | undefined
}

export function compileConduit(conduit: Conduit, trustDomain: string): CompiledConduit {
  const setOf = (patterns: readonly string[] | undefined): IdentitySet | undefined =>
    patterns === undefined ? undefined : identitySet(patterns, trustDomain)
  return {
    id: conduit.id,
    conduit,
    window: conduit.window === undefined ? undefined : compileWindow(conduit.window),
    from: setOf(conduit.from.identities),
    to: setOf(conduit.to.identities),
  }
}

/** The zones are the caller's affair. */
export const joins = ({ from, to }: CompiledConduit, source: Party, destination: Party): boolean =>
  (from === undefined || from.has(source)) && (to === undefined || to.has(destination))

export function covers(allow: Conduit['allow'], protocol: Protocol, port: number): boolean {
  for (const { protocol: allowed, ports } of allow) if (allowed === protocol && ports.includes(port)) return true
  return false
}

/** Why a conduit is closed now. An expired one does not open with its next window, so that is told first. */
export function closedBecause(
  { conduit, window }: CompiledConduit,
  now: number,
): 'CONDUIT_EXPIRED' | 'OUTSIDE_WINDOW' | null {
  if (!isValid(conduit.valid, now)) return 'CONDUIT_EXPIRED'
  return window === undefined || window.isOpen(now) ? null : 'OUTSIDE_WINDOW'
}

/** The next instant at which it may open or close by itself. */
export const nextTurn = ({ conduit, window }: CompiledConduit, now: number): number =>
  Math.min(nextEdge(conduit.valid, now), window?.nextChange(now) ?? Infinity)
