import type { Code, Stage } from './codes.ts'

/** What an enforcement point must do, and why. @see zones.md §3.7 */
export interface Decision {
  readonly decision: 'allow' | 'deny'
  /** Before observe mode. */
  readonly raw: 'allow' | 'deny'
  /** Of the destination's zone; `enforce` when it has none. */
  readonly mode: 'enforce' | 'observe'
  readonly wouldDeny: boolean
  /** Of `raw`, also under observe (ZO-04). */
  readonly deniedBy: Stage | null
  readonly code: Code | null
  readonly gates: { readonly movement: MovementGate; readonly access: AccessGate }
  readonly src: { readonly id: string | null; readonly zone: string | null }
  readonly dst: { readonly id: string | null; readonly service: string; readonly zone: string | null }
  readonly action: string | null
  /** Template or gRPC method, never the raw path. */
  readonly route: string | null
  /** What became of a forwarded token; null: there was none. Refused: from a listed forwarder, but not good (ZO-42). */
  readonly jwt: 'ignored' | 'accepted' | 'refused' | null
  readonly caller: string | null
  /** The earliest instant (milliseconds since 1970) at which the answer can change by itself; Infinity: never. */
  readonly expires: number
}

export interface Gate<K extends string> {
  readonly result: 'allow' | 'deny' | 'notEvaluated'
  readonly code: Code | null
  /** What opened it, or the guard or deny rule that closed it. */
  readonly by: { readonly kind: K; readonly id: string } | null
}

export type MovementGate = Gate<'conduit' | 'grant' | 'breakGlass' | 'guard'>
export type AccessGate = Gate<'rule' | 'grant' | 'breakGlass' | 'guard'>
