import type { Bundle } from '../../src/bundle/bundle.ts'
import { printWitJwks } from '../../src/bundle/jwks.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Log } from '../../src/log/log.ts'
import type { WitBundlesResponse, WitSvidRequest, WitSvidResponse } from '../../src/wire/messages/spiffe-workload.ts'
import type { Matched } from '../entries/subscription.ts'
import type { WitSvidCache } from '../svids/wit-svid-cache.ts'
import { type WitState, watchWitStates } from '../svids/wit-states.ts'
import { bundlesFor, type MaterialDeps } from './caller-material.ts'
import { asUnavailable, type Caller } from './callers.ts'
import { fittingBundles, MESSAGE_BUDGET_BYTES, uniqueHints } from './x509-messages.ts'

/** What WIT material is made from. */
export interface WitMaterialDeps extends MaterialDeps {
  readonly witSvids: WitSvidCache
  readonly log: Log
}

/** @throws {@link SallyportError} `SPIFFE_ID_INVALID` */
export const wantedIdOf = ({ spiffeId }: Pick<WitSvidRequest, 'spiffeId'>): SpiffeId | undefined =>
  spiffeId === '' ? undefined : SpiffeId.parse(spiffeId)

/**
 * The WIT-SVIDs of a process with their keys, all or one, now and after every change.
 *
 * @throws {@link SallyportError} `NO_IDENTITY`, `IDENTITY_WITHHELD`, `IDENTITY_PENDING`, and what says that it is not the process any more
 */
export async function* witSvidsFor(
  caller: Caller,
  deps: WitMaterialDeps,
  wanted: SpiffeId | undefined,
  signal: AbortSignal,
): AsyncGenerator<WitSvidResponse> {
  const { callers } = deps
  using hold = callers.hold(caller, signal)
  for await (const state of watchWitStates(caller.selectors, wanted, deps, hold.signal)) {
    const { matched, chosen, given, held, failure } = state
    if (matched.entries.length === 0) hold.wait(() => callers.noIdentity(caller))
    // Who is somebody asks for somebody else: there is nothing on its way to wait for.
    else if (chosen.length === 0) throw callers.noIdentity(caller)
    else if (given.length === 0) throw callers.withheld(caller, matched.withheld)
    else if (held.length === 0) hold.wait(() => unsigned(caller, failure))
    else {
      hold.end()
      await callers.checkStill(caller)
      yield witSvidsMessage(state)
    }
  }
}

/** WIT bundles for whoever has an identity; a message only when it differs from the last one. */
export async function* witBundlesFor(
  caller: Caller,
  deps: WitMaterialDeps,
  signal: AbortSignal,
): AsyncGenerator<WitBundlesResponse> {
  let last: string | undefined
  for await (const message of bundlesFor(caller, deps, (matched) => witBundlesMessage(matched, deps.log), signal)) {
    const printed = JSON.stringify(message.bundles)
    if (printed !== last) yield message
    last = printed
  }
}

/** Something matches, but there is no valid WIT-SVID to hand out. */
function unsigned({ peer }: Caller, failure: Error | undefined): SallyportError {
  const what = `Cannot give process ${peer.pid} a WIT-SVID now`
  return asUnavailable(failure ?? new SallyportError('SERVER_UNREACHABLE', 'the server has not signed it'), what)
}

function witSvidsMessage({ matched, held }: WitState): WitSvidResponse {
  const hints = uniqueHints(matched.entries)
  const svids = held.map(({ entryId, spiffeId, token, privateJwk }) => ({
    spiffeId: spiffeId.toString(),
    witSvid: token,
    witSvidKey: privateJwk,
    hint: hints.get(entryId) ?? '',
  }))
  const size = svids.reduce((sum, svid) => sum + JSON.stringify(svid).length, 0)
  if (size <= MESSAGE_BUDGET_BYTES) return { svids }
  throw new SallyportError(
    'RESPONSE_TOO_LARGE',
    `Cannot send ${svids.length} identities of ${size} bytes in one message`,
  )
}

const jwksCache = new WeakMap<Bundle, Buffer>()

function jwksOf(bundle: Bundle): Buffer {
  let jwks = jwksCache.get(bundle)
  if (jwks === undefined) jwksCache.set(bundle, (jwks = Buffer.from(printWitJwks(bundle))))
  return jwks
}

/** The own trust domain's, though it may hold no key yet, and those of partners that have WIT-SVIDs. */
function witBundlesMessage({ ownBundle, federatedBundles }: Matched, log: Log): WitBundlesResponse {
  if (ownBundle === undefined) {
    throw new SallyportError('IDENTITY_PENDING', 'Cannot hand out bundles yet: this agent has none of its trust domain')
  }
  const some = federatedBundles.filter(({ witAuthorities }) => witAuthorities.length > 0)
  const fitting = fittingBundles(some, jwksOf, jwksOf(ownBundle).length, log)
  const entries = [ownBundle, ...fitting].map((bundle) => [bundle.trustDomain.idString, jwksOf(bundle).toString()])
  return { bundles: Object.fromEntries(entries) as WitBundlesResponse['bundles'] }
}
