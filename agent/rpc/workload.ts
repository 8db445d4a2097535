import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Log } from '../../src/log/log.ts'
import type { JwtSvid } from '../../src/svid/jwt-svid.ts'
import { verifyJwtSvid } from '../../src/svid/verify-jwt-svid.ts'
import type { Call } from '../../src/wire/call.ts'
import { implement, type Handlers, type Implementation } from '../../src/wire/implementation.ts'
import {
  spiffeWorkloadApiService,
  type ValidateJwtSvidRequest,
  type ValidateJwtSvidResponse,
} from '../../src/wire/messages/spiffe-workload.ts'
import type { Sent } from '../../src/wire/service.ts'
import { structOf } from '../../src/workload/struct.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { withheldBecause } from '../entries/standing.ts'
import type { Matched } from '../entries/subscription.ts'
import type { WitSvidCache } from '../svids/wit-svid-cache.ts'
import { bundlesFor, invalid, jwtOrderOf, jwtSvidsFor, type MaterialDeps, x509SvidsFor } from './caller-material.ts'
import { checkHeader, type Caller } from './callers.ts'
import { jwtBundles } from './jwt-messages.ts'
import { wantedIdOf, witBundlesFor, type WitMaterialDeps, witSvidsFor } from './wit-material.ts'
import { X509Messages } from './x509-messages.ts'

export interface WorkloadDeps extends MaterialDeps {
  readonly entitlements: Entitlements
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly log: Log
  /** Undefined where WIT-SVIDs are not turned on. */
  readonly witSvids: WitSvidCache | undefined
  /** Claims of foreign tokens that are passed on besides `sub`, `aud` and `exp` (WA-43). */
  readonly foreignClaims: readonly string[]
}

/** The SPIFFE Workload API. */
export function workloadApi(deps: WorkloadDeps): Implementation {
  const messages = new X509Messages(deps.log)
  const { callers } = deps
  const handlers: Handlers<typeof spiffeWorkloadApiService> = {
    async *fetchX509Svid(_request, call) {
      yield* x509SvidsFor(await callers.identify(call), deps, messages, call.signal)
    },
    async *fetchX509Bundles(_request, call) {
      yield* bundlesFor(await callers.identify(call), deps, (matched) => messages.bundles(matched), call.signal)
    },
    async fetchJwtSvid(request, call) {
      checkHeader(call)
      const order = jwtOrderOf(request)
      return jwtSvidsFor(await callers.identify(call), deps, order, call.signal)
    },
    async *fetchJwtBundles(_request, call) {
      yield* bundlesFor(await callers.identify(call), deps, (matched) => jwtBundles(matched, deps.log), call.signal)
    },
    validateJwtSvid: (request, call) => validateJwtSvid(deps, request, call),
    async *fetchWitSvid(request, call) {
      const witDeps = offered(deps, call)
      const wanted = wantedIdOf(request)
      yield* witSvidsFor(await callers.identify(call), witDeps, wanted, call.signal)
    },
    async *fetchWitBundles(_request, call) {
      const witDeps = offered(deps, call)
      yield* witBundlesFor(await callers.identify(call), witDeps, call.signal)
    },
  }
  return implement(spiffeWorkloadApiService, handlers)
}

async function validateJwtSvid(
  deps: WorkloadDeps,
  { audience, svid }: ValidateJwtSvidRequest,
  call: Call,
): Promise<Sent<ValidateJwtSvidResponse>> {
  const { callers, entitlements, clock, cryptography } = deps
  checkHeader(call)
  if (audience === '') throw invalid('the audience is missing')
  if (svid === '') throw invalid('the token is missing')
  const caller = await callers.identify(call)
  const bundles = countingFor(entitlements, caller)
  let verified: JwtSvid
  try {
    verified = await verifyJwtSvid(svid, audience, bundleSetOf(bundles), clock.now(), { cryptography })
  } catch (error) {
    // Every refusal of a token is INVALID_ARGUMENT (client-quirks 14); its message never holds the token.
    if (error instanceof SallyportError && error.row.grpc !== 'INVALID_ARGUMENT') throw invalid(error.message)
    throw error
  }
  checkInGoodStanding(verified.spiffeId, entitlements)
  const isOwn = verified.spiffeId.isMemberOf(entitlements.trustDomain)
  return {
    spiffeId: verified.spiffeId.toString(),
    claims: structOf(isOwn ? verified.claims : spiffeClaims(verified, deps)),
  }
}

/** Tokens cannot be taken back: whoever asks here hears of a quarantine before they end, as enforcing peers do (§3.11). */
function checkInGoodStanding(spiffeId: SpiffeId, { standing }: Entitlements): void {
  const why = standing.stopped(spiffeId.toString())
  if (why === undefined) return
  throw new SallyportError(
    'JWT_SVID_INVALID',
    `Cannot accept the JWT-SVID of ${spiffeId}: the identity ${withheldBecause({ why })}`,
    { hint: `Find out why with \`sallyport ${why === 'offboarded' ? 'offboard' : 'quarantine'} list\`.` },
  )
}

/** The bundles that count for this caller: without an entry, the own one alone. */
function countingFor(entitlements: Entitlements, { selectors }: Caller): NonNullable<Matched['ownBundle']>[] {
  const { ownBundle, bundles } = entitlements
  if (ownBundle === undefined) {
    throw new SallyportError('IDENTITY_PENDING', 'Cannot validate yet: this agent has no bundle of its trust domain')
  }
  const federated = entitlements
    .matching(selectors)
    .flatMap(({ federatesWith }) => federatesWith.flatMap((trustDomain) => bundles.get(trustDomain) ?? []))
  return [...federated, ownBundle]
}

/** Of a foreign token only what SPIFFE defines is passed on: other claims mean what its issuer wants them to (SV-09). */
function spiffeClaims({ claims }: JwtSvid, { foreignClaims }: WorkloadDeps): JwtSvid['claims'] {
  const passed = new Set(['sub', 'aud', 'exp', ...foreignClaims])
  return Object.fromEntries(Object.entries(claims).filter(([name]) => passed.has(name)))
}

/** The header comes first on every method, those that are not offered too (WE-05). */
function offered(deps: WorkloadDeps, call: Call): WitMaterialDeps {
  checkHeader(call)
  const { witSvids } = deps
  if (witSvids !== undefined) return { ...deps, witSvids }
  throw new SallyportError('METHOD_UNIMPLEMENTED', 'WIT-SVIDs are not offered by this agent', {
    hint: 'They are Incubating: set experimental.witSvid to true in agent.yaml, and in server.yaml.',
  })
}
