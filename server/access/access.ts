import type { Clock } from '../../src/clock.ts'
import { isPrivileged } from '../../src/entry/is-privileged.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { Call, Connection } from '../../src/wire/call.ts'
import type { RefusalCounter } from '../audit/refusal-counter.ts'
import type { Directory } from '../entries/directory.ts'
import { isOver } from '../entries/entitlement.ts'
import type { Store } from '../store/store.ts'
import { AgentRule } from './agent-rule.ts'
import { callerName, type Caller, type Role } from './caller.ts'
import { ConnectionIdentities, type ProvenIdentity } from './connection-identity.ts'
import { adminSocketServices, allowedCallers, isAmong, type CallerClass } from './permissions.ts'
import { agentRefused } from './permission-denied.ts'
import type { RateLimits } from './rate-limits.ts'

export interface AccessDeps {
  readonly directory: Directory
  readonly store: Store
  readonly trustDomain: TrustDomain
  /** Ids with all of an administrator's rights; may be of foreign trust domains whose bundle is known. */
  readonly adminIds: readonly SpiffeId[]
  /** Ids with rights in some zones only; what that means for a call is `server/rpc`'s to check. */
  readonly zoneAdminIds?: readonly SpiffeId[]
  /** Users who may use the admin socket. */
  readonly adminUids: ReadonlySet<number>
  readonly limits: RateLimits
  readonly refusals: Pick<RefusalCounter, 'refused'>
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly log: Log
  readonly refusedCalls: Counter
}

const ATTEST = '/spire.api.server.agent.v1.Agent/AttestAgent'
/** Methods that cost a signature: one is charged when the call comes, `spendSignatures` charges the rest of a batch. */
const SIGNING: ReadonlySet<string> = new Set([
  '/spire.api.server.agent.v1.Agent/RenewAgent',
  '/spire.api.server.svid.v1.SVID/BatchNewX509SVID',
  '/spire.api.server.svid.v1.SVID/NewJWTSVID',
  '/spire.api.server.svid.v1.SVID/BatchNewWITSVID',
])

/** Methods of downstream servers that make an authority, which lasts and which every agent is told of. */
const AUTHORIZING: ReadonlySet<string> = new Set([
  '/spire.api.server.svid.v1.SVID/NewDownstreamX509CA',
  '/spire.api.server.bundle.v1.Bundle/PublishJWTAuthority',
  '/spire.api.server.bundle.v1.Bundle/PublishWITAuthority',
])

type TlsConnection = Extract<Connection, { transport: 'tls' }>

/** May this caller make this call? Asked before every call, of every method; streams ask again while they last. */
export class Access {
  readonly #deps: AccessDeps
  readonly #identities: ConnectionIdentities
  readonly #agents: AgentRule
  readonly #adminIds: ReadonlySet<string>
  readonly #zoneAdminIds: ReadonlySet<string>
  readonly #foreignAdmins: ReadonlySet<string>
  readonly #callers = new WeakMap<Connection, Caller>()

  constructor(deps: AccessDeps) {
    this.#deps = deps
    this.#identities = new ConnectionIdentities(deps)
    this.#agents = new AgentRule(deps)
    this.#adminIds = new Set(deps.adminIds.map(String))
    const zoneAdminIds = deps.zoneAdminIds ?? []
    this.#zoneAdminIds = new Set(zoneAdminIds.map(String))
    const foreign = [...deps.adminIds, ...zoneAdminIds].filter((id) => !id.isMemberOf(deps.trustDomain))
    this.#foreignAdmins = new Set(foreign.map(String))
  }

  /**
   * Lets a call through or throws why not. What it refuses is counted for the audit journal.
   *
   * @throws {@link SallyportError} `METHOD_UNIMPLEMENTED`, `CALL_REFUSED`, `CALLER_UNPROVEN`, `AGENT_REFUSED`, `LIMIT_REACHED`
   */
  readonly authorize = async (call: Call): Promise<void> => {
    const classes = servedFor(call)
    try {
      const caller = await this.#admit(call, classes)
      this.#callers.set(call.connection, caller)
      if (call.method === ATTEST) await this.#deps.limits.attestation(caller, call.signal)
      else if (AUTHORIZING.has(call.method)) await this.#deps.limits.downstream(caller, call.signal)
      else if (caller.kind === 'agent' && SIGNING.has(call.method))
        await this.#deps.limits.signing(caller, 1, call.signal)
    } catch (error) {
      if (error instanceof SallyportError) this.#refused(call, error)
      throw error
    }
  }

  /** Who makes a call that was let through. */
  readonly callerOf = (call: Call): Caller => {
    const caller = this.#callers.get(call.connection)
    if (caller === undefined) throw new TypeError(`callerOf() before authorize() of ${call.method}`)
    return caller
  }

  /**
   * Charges the signatures of a batch beyond the first.
   *
   * @throws {@link SallyportError} `LIMIT_REACHED`
   */
  readonly spendSignatures = async (call: Call, count: number): Promise<void> => {
    const caller = this.callerOf(call)
    if (caller.kind === 'agent' && count > 1) await this.#deps.limits.signing(caller, count - 1, call.signal)
  }

  /** Why the caller of a stream may not go on, or undefined when it may. */
  async refusalOf(call: Call): Promise<SallyportError | undefined> {
    try {
      this.#callers.set(call.connection, await this.#admit(call, servedFor(call)))
      return undefined
    } catch (error) {
      if (error instanceof SallyportError) return error
      throw error
    }
  }

  async #admit(call: Call, classes: readonly CallerClass[]): Promise<Caller> {
    const { connection } = call
    const caller =
      connection.transport === 'unix'
        ? this.#local(connection.peer, call.method)
        : await this.#proven(connection).catch((error: unknown) => {
            // A certificate that proves nothing makes nobody less than anyone.
            if (error instanceof SallyportError && classes.includes('anyone')) return anyoneAt(connection)
            throw error
          })
    if (isAmong(caller, classes)) return caller
    if (caller.kind === 'anyone') {
      throw new SallyportError('CALLER_UNPROVEN', `Cannot call ${call.method}: no client certificate was presented`)
    }
    throw new SallyportError(
      'CALL_REFUSED',
      `Cannot let ${callerName(caller)} call ${call.method}: it is for ${classes.join(', ')}`,
    )
  }

  /** SE-05: file modes keep others out already; the kernel's word on who connected is checked all the same. */
  #local({ uid, pid }: { readonly uid: number; readonly pid: number }, method: string): Caller {
    if (this.#deps.adminUids.has(uid)) return { kind: 'local', uid, pid }
    throw new SallyportError('CALL_REFUSED', `Cannot let user ${uid} call ${method} over the admin socket`, {
      hint: 'Call as the user that runs the server, as root, or list the user in adminUids.',
    })
  }

  async #proven(connection: TlsConnection): Promise<Caller> {
    const identity = await this.#verified(connection)
    if (identity === undefined) return anyoneAt(connection)
    const { spiffeId, serialNumber, expiresAt } = identity
    const { address } = connection
    const isOwn = spiffeId.isMemberOf(this.#deps.trustDomain)
    if (!isOwn && !this.#foreignAdmins.has(spiffeId.toString())) {
      throw new SallyportError('CALL_REFUSED', `Cannot accept ${spiffeId}: it is of a foreign trust domain`)
    }
    if (isOwn && spiffeId.isAgent) {
      const agent = await this.#agents.check(identity)
      const roles: readonly Role[] = this.#adminIds.has(spiffeId.toString()) ? ['admin'] : []
      return { kind: 'agent', spiffeId, agent, serialNumber, expiresAt, address, roles }
    }
    const { roles, entryId } = this.#rolesOf(spiffeId, isOwn)
    return { kind: roles[0] ?? 'workload', spiffeId, expiresAt, address, roles, entryId }
  }

  async #verified(connection: TlsConnection): Promise<ProvenIdentity | undefined> {
    try {
      return await this.#identities.of(connection)
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error
      const claimed = this.#identities.claimedId(connection)
      // An agent that learns why joins anew by itself; that it merely claims to be one gives it nothing.
      if (error.code === 'CERTIFICATE_EXPIRED' && claimed?.isAgent === true) {
        throw agentRefused('AGENT_EXPIRED', `Cannot serve ${claimed}: its X509-SVID has expired`)
      }
      throw new SallyportError('CALLER_UNPROVEN', `Cannot accept the client certificate: ${error.message}`, {
        hint: error.hint,
        cause: error,
      })
    }
  }

  /** Roles by configuration, or by entries of an agent that is itself in good standing. */
  #rolesOf(
    spiffeId: SpiffeId,
    isOwn: boolean,
  ): { readonly roles: readonly Role[]; readonly entryId: string | undefined } {
    const { directory, clock } = this.#deps
    const isListed = this.#adminIds.has(spiffeId.toString())
    const entries = isOwn ? directory.entriesWithSpiffeId(spiffeId) : []
    const giving = entries.filter((entry) => {
      // SE-12: only the exact agent that an entry names may hold such an identity.
      if (!isPrivileged(entry) || isOver(entry, clock.now()) || !entry.parentId.isAgent) return false
      return directory.agent(entry.parentId)?.banned === false
    })
    const isAdmin = isListed || giving.some(({ admin }) => admin)
    const isDownstream = giving.some(({ downstream }) => downstream)
    const roles: Role[] = [
      ...(isAdmin ? (['admin'] as const) : []),
      ...(this.#zoneAdminIds.has(spiffeId.toString()) ? (['zone-admin'] as const) : []),
      ...(isDownstream ? (['downstream'] as const) : []),
    ]
    return { roles, entryId: giving[0]?.id }
  }

  #refused({ method, connection, requestId }: Call, error: SallyportError): void {
    const callerId = this.#nameOf(connection)
    this.#deps.refusedCalls.add({ code: error.code })
    this.#deps.refusals.refused({ callerId, method, code: error.code })
    this.#deps.log.debug({ method, requestId, callerId, err: error }, 'Refused a call')
  }

  #nameOf(connection: Connection): string {
    if (connection.transport === 'unix') return `local:uid:${connection.peer.uid}`
    return this.#identities.nameOf(connection)
  }
}

const anyoneAt = ({ address }: TlsConnection): Caller => ({ kind: 'anyone', address })

/** Whom a method is for. @throws {@link SallyportError} `METHOD_UNIMPLEMENTED` */
function servedFor({ method, connection }: Call): readonly CallerClass[] {
  const classes = allowedCallers(method)
  const [, service = ''] = method.split('/')
  if (classes !== undefined && (connection.transport === 'unix' || !adminSocketServices.has(service))) return classes
  throw new SallyportError('METHOD_UNIMPLEMENTED', `This server does not offer ${method.slice(0, 200)}`)
}
