import { SallyportError } from '../../src/errors.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { problemOfAudience } from '../../src/svid/asked-audience.ts'
import type { JwtSvidRequest, JwtSvidResponse, X509SvidResponse } from '../../src/wire/messages/spiffe-workload.ts'
import { type Entitled, watchMatched } from '../entries/entitled.ts'
import type { Matched } from '../entries/subscription.ts'
import type { JwtSvidCache } from '../svids/jwt-svid-cache.ts'
import type { X509SvidCache } from '../svids/x509-svid-cache.ts'
import { watchX509States } from '../svids/x509-states.ts'
import { asUnavailable, type Caller, type Callers } from './callers.ts'
import { uniqueHints, type X509Messages } from './x509-messages.ts'

/** What material is made from. */
export interface MaterialDeps {
  readonly entitlements: Entitled
  readonly x509Svids: X509SvidCache
  readonly jwtSvids: JwtSvidCache
  readonly callers: Callers
}

/**
 * All X509-SVIDs of a process and the bundles to them, now and after every change.
 *
 * @throws {@link SallyportError} `NO_IDENTITY`, `IDENTITY_WITHHELD`, `IDENTITY_PENDING`, and what says that it is not the process any more
 */
export async function* x509SvidsFor(
  caller: Caller,
  deps: MaterialDeps,
  messages: X509Messages,
  signal: AbortSignal,
): AsyncGenerator<X509SvidResponse> {
  const { callers } = deps
  using hold = callers.hold(caller, signal)
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
export async function* bundlesFor<T>(
  caller: Caller,
  { callers, entitlements }: MaterialDeps,
  encode: (matched: Matched) => T,
  signal: AbortSignal,
): AsyncGenerator<T> {
  using hold = callers.hold(caller, signal)
  let last: Matched | undefined
  for await (const matched of watchMatched(entitlements, caller.selectors, hold.signal)) {
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

/** Which tokens are asked for. */
export interface JwtOrder {
  readonly audience: readonly string[]
  /** Undefined: of every identity. */
  readonly wanted: SpiffeId | undefined
}

/** @throws {@link SallyportError} `REQUEST_INVALID`, `SPIFFE_ID_INVALID` */
export function jwtOrderOf({ audience, spiffeId }: Pick<JwtSvidRequest, 'audience' | 'spiffeId'>): JwtOrder {
  checkAudience(audience)
  return { audience, wanted: spiffeId === '' ? undefined : SpiffeId.parse(spiffeId) }
}

/** Tokens of a process, one for each identity that is asked for. */
export async function jwtSvidsFor(
  caller: Caller,
  deps: MaterialDeps,
  { audience, wanted }: JwtOrder,
  signal: AbortSignal,
): Promise<JwtSvidResponse> {
  const { callers, jwtSvids, entitlements } = deps
  for (;;) {
    const entries = await entriesFor(deps, caller, wanted, signal)
    const hints = uniqueHints(entries)
    const chosen = entries.filter(({ spiffeId }) => wanted === undefined || spiffeId.equals(wanted))
    const svids = await callers.signingFor(caller, () =>
      Promise.all(
        notWithheld(deps, caller, chosen).map(async (entry) => ({
          spiffeId: entry.spiffeId.toString(),
          svid: await tokenFor(jwtSvids, entry, audience, caller, signal),
          hint: hints.get(entry.id) ?? '',
        })),
      ),
    )
    await callers.checkStill(caller)
    // An entry may have been removed or changed while they were signed: what is asked for is looked up again, as it is now.
    const matching = new Set(entitlements.matching(caller.selectors))
    if (!chosen.every((entry) => matching.has(entry))) continue
    // And a quarantine may have come.
    const given = new Set(notWithheld(deps, caller, chosen).map(({ spiffeId }) => spiffeId.toString()))
    return { svids: svids.filter(({ spiffeId }) => given.has(spiffeId)) }
  }
}

/** Those of the entries that tokens are given of; none is a refusal. */
function notWithheld(
  { entitlements: { standing }, callers }: MaterialDeps,
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
  { entitlements, callers }: MaterialDeps,
  caller: Caller,
  wanted: SpiffeId | undefined,
  signal: AbortSignal,
): Promise<readonly RegistrationEntry[]> {
  const isEnough = (entries: readonly RegistrationEntry[]): boolean =>
    wanted === undefined ? entries.length > 0 : entries.some(({ spiffeId }) => spiffeId.equals(wanted))
  const known = entitlements.matching(caller.selectors)
  if (isEnough(known)) return known
  using hold = callers.hold(caller, signal)
  for await (const matched of watchMatched(entitlements, caller.selectors, hold.signal)) {
    if (isEnough(matched.entries)) return matched.entries
    // Who is somebody asks for somebody else: there is nothing on its way to wait for.
    if (matched.entries.length > 0) throw callers.noIdentity(caller)
    hold.wait(() => callers.noIdentity(caller))
  }
  throw callers.noIdentity(caller)
}

function checkAudience(audience: readonly string[]): void {
  const problem = problemOfAudience(audience)
  if (problem !== undefined) throw invalid(problem)
}

/** Says that a request cannot be served as it is. */
export const invalid = (why: string): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot serve the call: ${why}`)
