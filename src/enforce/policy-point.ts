import type { Clock } from '../clock.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { compile } from '../policy/compile.ts'
import { decide } from '../policy/decide.ts'
import type { Decision } from '../policy/decision.ts'
import type { LifecycleIndex } from '../policy/lifecycle-index.ts'
import type { ConnectionFacts, HttpFacts, JwtFacts, PeerFacts } from '../policy/request.ts'
import type { Tables } from '../policy/tables.ts'
import { acceptedAudience } from '../policy/accepted-audience.ts'
import type { PolicySet, PolicySettings, Service } from '../policy/policy-set.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { NO_POLICY_CONTEXT, type PolicyContext, type PolicySlice } from '../workload/policy-context.ts'
import type { PolicySource } from '../workload/policy-source.ts'

export interface Asked {
  readonly peer: PeerFacts
  readonly connection: ConnectionFacts
  readonly request?: HttpFacts | undefined
  readonly jwt?: JwtFacts | undefined
}

export interface PolicyPointDeps {
  readonly source: TlsSource
  readonly policy: PolicySource
  readonly service: string
  readonly clock: Clock
}

/** What the answers of one moment go by. */
export interface Moment {
  readonly tables: Tables
  readonly lifecycle: LifecycleIndex
  readonly policyAgeMs: number
  readonly nowMs: number
}

/** How policy is asked: with the slice of the identity that this side has now, and the age that it has now. */
export class PolicyPoint {
  readonly #deps: PolicyPointDeps
  /** Where there is no slice: nothing leads anywhere. */
  #empty: Tables | undefined
  #trustDomain = NO_TRUST_DOMAIN

  constructor(deps: PolicyPointDeps) {
    this.#deps = deps
  }

  /** The identity of this side; undefined: it is nobody at the moment, such as after its SVID has expired. */
  get own(): string | undefined {
    try {
      const { spiffeId } = this.#deps.source.current().svid
      if (spiffeId.trustDomain.name !== this.#trustDomain) this.#empty = undefined
      this.#trustDomain = spiffeId.trustDomain.name
      return spiffeId.toString()
    } catch {
      return undefined
    }
  }

  /** The slice that decides; undefined: there is none for this identity, so everything is refused. */
  get slice(): PolicySlice | undefined {
    const { own } = this
    return own === undefined ? undefined : this.context.slices.get(own)
  }

  get context(): PolicyContext {
    const { policy } = this.#deps
    return policy.isClosed ? NO_POLICY_CONTEXT : policy.current()
  }

  /** What the policy says of the service; undefined: it does not know it. */
  get service(): Service | undefined {
    return this.slice?.document.policy.services.find(({ id }) => id === this.#deps.service)
  }

  get settings(): PolicySettings {
    return this.slice?.document.policy.settings ?? NO_SETTINGS
  }

  /** The audience of tokens that this peer may forward; undefined: what it forwards has no effect. */
  acceptJwtFrom(peer: SpiffeId): string | undefined {
    return acceptedAudience(this.slice?.tables ?? this.#nothing, this.#deps.service, peer.toString())
  }

  get ageMs(): number {
    const { policy } = this.#deps
    return policy.isClosed ? NO_POLICY_CONTEXT.status.ageMs : policy.ageMs()
  }

  /** For those who have many questions at once. */
  get moment(): Moment {
    const { slice, context } = this
    return {
      tables: slice?.tables ?? this.#nothing,
      lifecycle: context.lifecycleIndex,
      policyAgeMs: slice === undefined ? Infinity : this.ageMs,
      nowMs: this.#deps.clock.now().getTime(),
    }
  }

  decide(asked: Asked, { tables, lifecycle, policyAgeMs, nowMs }: Moment = this.moment): Decision {
    const { peer, connection, request, jwt } = asked
    const { service } = this.#deps
    return decide(tables, lifecycle, { peer, connection, request, jwt, service, policyAgeMs, now: nowMs })
  }

  /** What would be decided if drafts counted, where that is something else. */
  shadowOf(asked: Asked, { raw, code }: Decision): Decision | undefined {
    const drafts = this.slice?.drafts
    if (drafts === undefined) return undefined
    const shadow = this.decide(asked, { ...this.moment, tables: drafts })
    return shadow.raw === raw && shadow.code === code ? undefined : shadow
  }

  get #nothing(): Tables {
    return (this.#empty ??= compile(emptyPolicy(this.#trustDomain), []))
  }
}

/** Until the first SVID: nobody is a member of it. */
const NO_TRUST_DOMAIN = 'none'

const NO_SETTINGS: PolicySettings = {
  pathProfile: 'strict',
  connection: { maxAgeMs: 3_600_000, drainMs: 5000 },
  bundle: { maxStaleMs: 0, hardStaleMs: undefined, onHardStale: 'deny' },
  x509TtlMs: {},
}

function emptyPolicy(trustDomain: string): PolicySet {
  return {
    ...{ name: '', trustDomain, owner: '', settings: NO_SETTINGS },
    ...{ federation: [], zones: [], services: [], conduits: [], guards: [], rules: [] },
    ...{ grantTemplates: [], breakGlass: [], tests: [], invariants: [] },
  }
}
