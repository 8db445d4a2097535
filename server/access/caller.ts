import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AttestedAgent } from '../store/store.ts'

/** Rights beyond its own identity that entries or the configuration give to an id. */
export type Role = 'admin' | 'zone-admin' | 'downstream'

/** Who makes a call, as far as it is proven. */
export type Caller =
  /** Over the admin socket: the operating system vouches for the user. */
  | { readonly kind: 'local'; readonly uid: number; readonly pid: number }
  /** No client certificate, or one that proves nothing. */
  | { readonly kind: 'anyone'; readonly address: string }
  | {
      readonly kind: 'agent'
      readonly spiffeId: SpiffeId
      readonly agent: AttestedAgent
      /** Of the agent SVID that this connection presented; decimal. */
      readonly serialNumber: string
      /** When that SVID ends. */
      readonly expiresAt: Date
      readonly address: string
      readonly roles: readonly Role[]
    }
  | {
      /** The highest of its roles; `workload` for none. */
      readonly kind: Role | 'workload'
      readonly spiffeId: SpiffeId
      readonly expiresAt: Date
      readonly address: string
      readonly roles: readonly Role[]
      /** The entry that gave the role, where one did. */
      readonly entryId: string | undefined
    }

export type AgentCaller = Extract<Caller, { kind: 'agent' }>

/** How logs and the audit journal name a caller. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case 'local':
      return `local:uid:${caller.uid}`
    case 'anyone':
      return `anyone:${caller.address}`
    default:
      return caller.spiffeId.toString()
  }
}

/** The address a caller came from; the admin socket has none. */
export const callerAddress = (caller: Caller): string => (caller.kind === 'local' ? '' : caller.address)
