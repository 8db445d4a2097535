import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { Peer } from '../../src/peer/peer.ts'
import type { Call } from '../../src/wire/call.ts'
import { withheldBecause, type Withheld } from '../entries/standing.ts'
import type { NodeStatus } from '../node/node-status.ts'
import { Hold } from './hold.ts'

export interface CallerLimits {
  /** Callers of one user that wait for an entry which may be on its way; further ones are answered at once. */
  readonly heldCallersPerUid: number
  /** Tokens of one user that are being signed. */
  readonly jwtSigningPerUid: number
}

export interface CallersDeps {
  readonly clock: Clock
  readonly status: NodeStatus
  readonly attest: (peer: Peer, signal: AbortSignal) => Promise<readonly Selector[]>
  /** Throws when the process does not run the program any more that it ran when it connected (SE-01). */
  readonly checkSameExecutable: (peer: Peer) => void | Promise<void>
  readonly holdMs: number
  readonly limits: CallerLimits
}

/** A workload that calls: who it is, and what is true about it. */
export interface Caller {
  readonly peer: Peer
  readonly selectors: readonly Selector[]
}

const HEADER = 'workload.spiffe.io'

/** Every method of the Workload API wants this header once (WE-05), as those of the broker endpoint want theirs: no browser and no proxy sends it by accident. */
export function checkHeader({ metadata }: Call, name = HEADER): void {
  const values = metadata.get(name) ?? []
  if (values.length === 1 && values[0] === 'true') return
  throw new SallyportError('HEADER_MISSING', `Cannot serve the call: it needs the metadata ${name}: true, exactly once`)
}

/** The process at the other end of a unix socket; anything else has no identity to be found. */
export function peerOf({ connection }: Call): Peer {
  if (connection.transport === 'unix') return connection.peer
  throw new SallyportError('IDENTITY_PENDING', 'Cannot identify a caller that does not come over a unix socket')
}

/** Finds out who calls, holds those whose entry may be on its way, and says why somebody gets nothing. */
export class Callers {
  readonly #deps: CallersDeps
  readonly #held = new Map<number, number>()
  readonly #signing = new Map<number, number>()

  constructor(deps: CallersDeps) {
    this.#deps = deps
  }

  /** How many wait now. */
  get held(): number {
    return [...this.#held.values()].reduce((sum, count) => sum + count, 0)
  }

  /** @throws {@link SallyportError} `HEADER_MISSING`, or something that every client takes as "try again" (IO-14) */
  async identify(call: Call): Promise<Caller> {
    checkHeader(call)
    const peer = peerOf(call)
    try {
      return { peer, selectors: await this.#deps.attest(peer, call.signal) }
    } catch (error) {
      call.signal.throwIfAborted()
      throw asUnavailable(error, `Cannot attest process ${peer.pid}`)
    }
  }

  /** Checked before each write of anything that only this very program may have. */
  async checkStill({ peer }: Caller): Promise<void> {
    await this.#deps.checkSameExecutable(peer)
    if (!peer.isAlive()) throw new SallyportError('CALLER_CHANGED', `Process ${peer.pid} has exited`)
  }

  /** A time during which this caller may wait; over when it is served. Its signal aborts with the call as well. */
  hold({ peer }: Caller, call: AbortSignal): Hold {
    const { clock, holdMs, limits } = this.#deps
    const mayWait = (this.#held.get(peer.uid) ?? 0) < limits.heldCallersPerUid
    return new Hold(
      clock,
      mayWait ? holdMs : 0,
      {
        begun: () => count(this.#held, peer.uid, 1),
        ended: () => count(this.#held, peer.uid, -1),
      },
      call,
    )
  }

  /** Runs `work` while counting it against its user. */
  async signingFor<T>({ peer }: Caller, work: () => Promise<T>): Promise<T> {
    if ((this.#signing.get(peer.uid) ?? 0) >= this.#deps.limits.jwtSigningPerUid) {
      throw new SallyportError('CALLER_LIMIT', `User ${peer.uid} has too many tokens being signed at once`, {
        hint: 'Ask for fewer at a time, or raise limits.jwtSigningPerUid.',
      })
    }
    count(this.#signing, peer.uid, 1)
    try {
      return await work()
    } finally {
      count(this.#signing, peer.uid, -1)
    }
  }

  /** Nothing matches: denied when that is known, pending while the agent may not know everything yet (client-quirks 10). */
  noIdentity({ peer }: Caller): SallyportError {
    const { status } = this.#deps
    if (status.isInSync) {
      return new SallyportError(
        'NO_IDENTITY',
        `no identity issued: no registration entry matches process ${peer.pid}`,
        {
          hint: `Run \`sallyport explain --pid ${peer.pid}\` on this node to see which selector differs.`,
        },
      )
    }
    return new SallyportError(
      'IDENTITY_PENDING',
      `Cannot say yet whether process ${peer.pid} has an identity: this agent is ${status.state}`,
      status.reason === '' ? {} : { hint: `The agent waits for its server: ${status.reason}.` },
    )
  }

  /** Lifecycle stands between this caller and its identities, or the one that it asks for: nothing is on its way (§3.11). */
  withheld({ peer }: Caller, withheld: ReadonlyMap<string, Withheld>): SallyportError {
    const reasons = Array.from(withheld, ([spiffeId, why]) => `${spiffeId} ${withheldBecause(why)}`)
    return new SallyportError(
      'IDENTITY_WITHHELD',
      `Cannot give process ${peer.pid} its identity: ${reasons.join(', ')}`,
    )
  }

  /** Something matches, but there is no valid SVID to hand out. */
  unsigned({ peer }: Caller): SallyportError {
    const { state, reason } = this.#deps.status
    return new SallyportError(
      'IDENTITY_PENDING',
      `Cannot give process ${peer.pid} its identity now: the server has not signed it (this agent is ${state})`,
      reason === '' ? {} : { hint: `The agent waits for its server: ${reason}.` },
    )
  }
}

/** Failures that pass leave as UNAVAILABLE, which no client takes as final. */
export function asUnavailable(error: unknown, what: string): SallyportError {
  if (error instanceof SallyportError && error.row.grpc === 'UNAVAILABLE') return error
  const why = error instanceof Error ? error.message : String(error)
  return new SallyportError('IDENTITY_PENDING', `${what}: ${why}`, { cause: error })
}

function count(counts: Map<number, number>, uid: number, by: 1 | -1): void {
  const next = (counts.get(uid) ?? 0) + by
  if (next === 0) counts.delete(uid)
  else counts.set(uid, next)
}
