import type { Clock } from '../clock.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { compile } from '../policy/compile.ts'
import { decide } from '../policy/decide.ts'
import type { Decision } from '../policy/decision.ts'
import type { ConnectionFacts, HttpFacts, JwtFacts, PeerFacts } from '../policy/request.ts'
import type { Tables } from '../policy/tables.ts'
import { acceptedAudience } from '../policy/accepted-audience.ts'
import type { PolicySet, PolicySettings, Service } from '../policy/policy-set.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { PolicyContext, PolicySlice } from '../workload/policy-context.ts'
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

/** How policy is asked: with the slice of the identity that this side has now, and the age that it has now. */
export class PolicyPoint {
  readonly #deps: PolicyPointDeps
  /** Where there is no slice: nothing leads anywhere. By trust domain. */
  #empty: Tables | undefined

  constructor(deps: PolicyPointDeps) {
    this.#deps = deps
  }

  /** The slice that decides; undefined: there is none for this identity, so everything is refused. */
  get slice(): PolicySlice | undefined {
    return this.context.slices.get(this.#own)
  }

  get context(): PolicyContext {
    return this.#deps.policy.current()
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
    return acceptedAudience(this.#tables, this.#deps.service, peer.toString())
  }

  get #tables(): Tables {
    return this.slice?.tables ?? (this.#empty ??= compile(emptyPolicy(this.#trustDomain), []))
  }

  get ageMs(): number {
    return this.#deps.policy.ageMs()
  }

  decide(asked: Asked): Decision {
    return this.#decide(this.#tables, asked)
  }

  /** What would be decided if drafts counted, where that is something else. */
  shadowOf(asked: Asked, { raw, code }: Decision): Decision | undefined {
    const drafts = this.slice?.drafts
    if (drafts === undefined) return undefined
    const shadow = this.#decide(drafts, asked)
    return shadow.raw === raw && shadow.code === code ? undefined : shadow
  }

  #decide(tables: Tables, asked: Asked): Decision {
    const { service, clock } = this.#deps
    const policyAgeMs = this.slice === undefined ? Infinity : this.ageMs
    return decide(tables, this.context.lifecycleIndex, { ...asked, service, policyAgeMs, now: clock.now().getTime() })
  }

  get #own(): string {
    return this.#deps.source.current().svid.spiffeId.toString()
  }

  get #trustDomain(): string {
    return this.#deps.source.current().svid.spiffeId.trustDomain.name
  }
}

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
