import type { Clock } from '../../src/clock.ts'
import { networkOf } from '../../src/wire/network-of.ts'
import { type AgentCaller, callerAddress, callerName, type Caller } from './caller.ts'
import { RateLimit } from './rate-limit.ts'

export interface RateLimitsConfig {
  readonly signing: { readonly perSecond: number; readonly burst: number; readonly maxWaitSeconds: number }
  readonly attestation: {
    readonly perAddress: number
    readonly total: number
    readonly maxWaitSeconds: number
  }
  readonly downstream: { readonly perSecond: number; readonly burst: number; readonly maxWaitSeconds: number }
}

/**
 * What callers may ask for in a second: signatures by authenticated agent, authorities by downstream server, attestations by address and
 * in all. Renewals and streams of agents that have joined never wait behind a flood of attestations (SE-16).
 */
export class RateLimits {
  readonly #signing: RateLimit
  readonly #downstream: RateLimit
  readonly #attestationByAddress: RateLimit
  readonly #attestation: RateLimit

  constructor({ signing, attestation, downstream }: RateLimitsConfig, clock: Clock) {
    const signingSettings = { perSecond: signing.perSecond, burst: signing.burst }
    this.#signing = new RateLimit(
      { name: 'limits.signing', ...signingSettings, maxWaitMs: signing.maxWaitSeconds * 1000 },
      clock,
    )
    const downstreamSettings = { perSecond: downstream.perSecond, burst: downstream.burst }
    this.#downstream = new RateLimit(
      { name: 'limits.downstream', ...downstreamSettings, maxWaitMs: downstream.maxWaitSeconds * 1000 },
      clock,
    )
    const maxWaitMs = attestation.maxWaitSeconds * 1000
    const byAddress = { perSecond: attestation.perAddress, burst: attestation.perAddress }
    this.#attestationByAddress = new RateLimit(
      { name: 'limits.attestation.perAddress', ...byAddress, maxWaitMs },
      clock,
    )
    const inAll = { perSecond: attestation.total, burst: attestation.total }
    this.#attestation = new RateLimit({ name: 'limits.attestation.total', ...inAll, maxWaitMs }, clock)
  }

  /** @throws SallyportError `LIMIT_REACHED` */
  async signing(caller: AgentCaller, count: number, signal: AbortSignal): Promise<void> {
    await this.#signing.take(caller.spiffeId.toString(), count, signal)
  }

  /** @throws SallyportError `LIMIT_REACHED` */
  async downstream(caller: Caller, signal: AbortSignal): Promise<void> {
    await this.#downstream.take(callerName(caller), 1, signal)
  }

  /** @throws SallyportError `LIMIT_REACHED` */
  async attestation(caller: Caller, signal: AbortSignal): Promise<void> {
    // The address first: one that floods is refused before it takes anything from the others.
    await this.#attestationByAddress.take(networkOf(callerAddress(caller)), 1, signal)
    await this.#attestation.take('all', 1, signal)
  }
}
