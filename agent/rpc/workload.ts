import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { JwtSvid } from '../../src/svid/jwt-svid.ts'
import { verifyJwtSvid } from '../../src/svid/verify-jwt-svid.ts'
import type { Call } from '../../src/wire/call.ts'
import { implement, type Handlers, type Implementation } from '../../src/wire/handlers.ts'
import {
  spiffeWorkloadApiService,
  type JwtBundlesResponse,
  type JwtSvidRequest,
  type JwtSvidResponse,
  type ValidateJwtSvidRequest,
  type ValidateJwtSvidResponse,
  type X509BundlesResponse,
  type X509SvidResponse,
} from '../../src/wire/messages/spiffe-workload.ts'
import type { Sent } from '../../src/wire/service.ts'
import { structOf } from '../../src/workload/struct.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Matched } from '../entries/subscription.ts'
import type { JwtSvidCache } from '../svids/jwt-svid-cache.ts'
import type { X509SvidCache } from '../svids/x509-svid-cache.ts'
import { watchX509States } from '../svids/x509-states.ts'
import { asUnavailable, checkHeader, type Caller, type Callers } from './callers.ts'
import { jwtBundles } from './jwt-messages.ts'
import { uniqueHints, X509Messages } from './x509-messages.ts'

export interface WorkloadDeps {
  readonly entitlements: Entitlements
  readonly x509Svids: X509SvidCache
  readonly jwtSvids: JwtSvidCache
  readonly callers: Callers
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly log: Log
  /** Claims of foreign tokens that are passed on besides `sub`, `aud` and `exp` (WA-43). */
  readonly foreignClaims: readonly string[]
}

/** The longest list of audiences, the longest of them, and all together: what a kept token holds in memory. */
export const AUDIENCES_MAX = 100
export const AUDIENCE_MAX_BYTES = 2048
export const AUDIENCES_MAX_BYTES = 8192

/** The SPIFFE Workload API. */
export function workloadApi(deps: WorkloadDeps): Implementation {
  const messages = new X509Messages(deps.log)
  const handlers: Handlers<typeof spiffeWorkloadApiService> = {
    fetchX509Svid: (_request, call) => fetchX509Svid(deps, messages, call),
    fetchX509Bundles: (_request, call) =>
      fetchBundles(deps, call, (matched): X509BundlesResponse => messages.bundles(matched)),
    fetchJwtSvid: (request, call) => fetchJwtSvid(deps, request, call),
    fetchJwtBundles: (_request, call) =>
      fetchBundles(deps, call, (matched): JwtBundlesResponse => jwtBundles(matched, deps.log)),
    validateJwtSvid: (request, call) => validateJwtSvid(deps, request, call),
    // The header comes first on every method, those that are not offered too (WE-05).
    async *fetchWitSvid(_request, call) {
      throw unoffered(call)
    },
    async *fetchWitBundles(_request, call) {
      throw unoffered(call)
    },
  }
  return implement(spiffeWorkloadApiService, handlers)
}

async function* fetchX509Svid(
  deps: WorkloadDeps,
  messages: X509Messages,
  call: Call,
): AsyncGenerator<Sent<X509SvidResponse>> {
  const { callers } = deps
  const caller = await callers.identify(call)
  using hold = callers.hold(caller, call.signal)
  for await (const state of watchX509States(caller.selectors, deps, hold.signal)) {
    if (state.matched.entries.length === 0) hold.wait(() => callers.noIdentity(caller))
    else if (state.given.length === 0) throw callers.withheld(caller, state.matched.withheld)
    else if (state.held.length === 0) hold.wait(() => callers.unsigned(caller))
    else {
      hold.end()
      await callers.checkStill(caller)
      yield messages.svids(state)
    }
  }
}

/** Bundles for whoever has an identity; a message only when they differ from the last one. */
async function* fetchBundles<T>(deps: WorkloadDeps, call: Call, encode: (matched: Matched) => T): AsyncGenerator<T> {
  const { callers, entitlements } = deps
  const caller = await callers.identify(call)
  using hold = callers.hold(caller, call.signal)
  let last: Matched | undefined
  for await (const matched of entitlements.watchMatching(caller.selectors, hold.signal)) {
    if (matched.entries.length === 0) {
      hold.wait(() => callers.noIdentity(caller))
      continue
    }
    hold.end()
    if (last !== undefined && sameBundles(last, matched)) continue
    last = matched
    await callers.checkStill(caller)
    yield encode(matched)
  }
}

const sameBundles = (a: Matched, b: Matched): boolean =>
  a.ownBundle === b.ownBundle &&
  a.federatedBundles.length === b.federatedBundles.length &&
  a.federatedBundles.every((bundle, index) => bundle === b.federatedBundles[index])

async function fetchJwtSvid(deps: WorkloadDeps, request: JwtSvidRequest, call: Call): Promise<Sent<JwtSvidResponse>> {
  const { callers, jwtSvids } = deps
  checkHeader(call)
  checkAudience(request.audience)
  const wanted = request.spiffeId === '' ? undefined : SpiffeId.parse(request.spiffeId)
  const caller = await callers.identify(call)
  const entries = await entriesFor(deps, caller, wanted, call.signal)
  const hints = uniqueHints(entries)
  const chosen = entries.filter(({ spiffeId }) => wanted === undefined || spiffeId.equals(wanted))
  const svids = await callers.signingFor(caller, () =>
    Promise.all(
      notWithheld(deps, caller, chosen).map(async (entry) => ({
        spiffeId: entry.spiffeId.toString(),
        svid: await tokenFor(jwtSvids, entry, request.audience, caller, call.signal),
        hint: hints.get(entry.id) ?? '',
      })),
    ),
  )
  await callers.checkStill(caller)
  // A quarantine may have come while they were signed.
  const given = new Set(notWithheld(deps, caller, chosen).map(({ spiffeId }) => spiffeId.toString()))
  return { svids: svids.filter(({ spiffeId }) => given.has(spiffeId)) }
}

/** Those of the entries that tokens are given of; none is a refusal. */
function notWithheld(
  { entitlements: { standing }, callers }: WorkloadDeps,
  caller: Caller,
  entries: readonly RegistrationEntry[],
): readonly RegistrationEntry[] {
  const withheld = new Map(
    entries.flatMap(({ spiffeId }) => {
      const id = spiffeId.toString()
      const why = standing.withheld(id)
      return why === undefined ? [] : [[id, why] as const]
    }),
  )
  const given = entries.filter(({ spiffeId }) => !withheld.has(spiffeId.toString()))
  if (given.length === 0) throw callers.withheld(caller, withheld)
  return given
}

async function tokenFor(
  jwtSvids: JwtSvidCache,
  entry: RegistrationEntry,
  audience: readonly string[],
  { peer }: Caller,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await jwtSvids.tokenFor(entry, audience, peer.uid, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw asUnavailable(error, `Cannot get a JWT-SVID for ${entry.spiffeId.toString()}`)
  }
}

/** The entries of this caller once there is one; the id that is wanted must be among them. */
async function entriesFor(
  { entitlements, callers }: WorkloadDeps,
  caller: Caller,
  wanted: SpiffeId | undefined,
  signal: AbortSignal,
): Promise<readonly RegistrationEntry[]> {
  const isEnough = (entries: readonly RegistrationEntry[]): boolean =>
    wanted === undefined ? entries.length > 0 : entries.some(({ spiffeId }) => spiffeId.equals(wanted))
  const known = entitlements.matching(caller.selectors)
  if (isEnough(known)) return known
  using hold = callers.hold(caller, signal)
  for await (const matched of entitlements.watchMatching(caller.selectors, hold.signal)) {
    if (isEnough(matched.entries)) return matched.entries
    // Who is somebody asks for somebody else: there is nothing on its way to wait for.
    if (matched.entries.length > 0) throw callers.noIdentity(caller)
    hold.wait(() => callers.noIdentity(caller))
  }
  throw callers.noIdentity(caller)
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
  const bundles = bundlesFor(entitlements, caller)
  let verified: JwtSvid
  try {
    verified = await verifyJwtSvid(svid, audience, bundleSetOf(bundles), clock.now(), { cryptography })
  } catch (error) {
    // Every refusal of a token is INVALID_ARGUMENT (client-quirks 14); its message never holds the token.
    if (error instanceof SallyportError && error.row.grpc !== 'INVALID_ARGUMENT') throw invalid(error.message)
    throw error
  }
  const isOwn = verified.spiffeId.isMemberOf(entitlements.trustDomain)
  return {
    spiffeId: verified.spiffeId.toString(),
    claims: structOf(isOwn ? verified.claims : spiffeClaims(verified, deps)),
  }
}

/** The bundles that count for this caller: without an entry, the own one alone. */
function bundlesFor(entitlements: Entitlements, { selectors }: Caller): NonNullable<Matched['ownBundle']>[] {
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

function checkAudience(audience: readonly string[]): void {
  if (audience.length === 0) throw invalid('the audience is missing')
  if (audience.length > AUDIENCES_MAX) throw invalid(`more than ${AUDIENCES_MAX} audiences`)
  if (audience.some((one) => one === '')) throw invalid('an audience is empty')
  if (audience.reduce((sum, one) => sum + Buffer.byteLength(one), 0) > AUDIENCES_MAX_BYTES) {
    throw invalid(`the audiences are longer than ${AUDIENCES_MAX_BYTES} bytes together`)
  }
  if (audience.some((one) => Buffer.byteLength(one) > AUDIENCE_MAX_BYTES)) {
    throw invalid(`an audience is longer than ${AUDIENCE_MAX_BYTES} bytes`)
  }
}

function unoffered(call: Call): SallyportError {
  checkHeader(call)
  return new SallyportError('METHOD_UNIMPLEMENTED', 'WIT-SVIDs are not offered by this agent')
}

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', `Cannot serve the call: ${why}`)
