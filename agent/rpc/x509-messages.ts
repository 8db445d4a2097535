import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Log } from '../../src/log/log.ts'
import type { X509BundlesResponse, X509SvidResponse } from '../../src/wire/messages/spiffe-workload.ts'
import type { Matched } from '../entries/subscription.ts'
import type { HeldX509Svid } from '../svids/held-x509-svid.ts'
import type { X509State } from '../svids/x509-states.ts'

/** gRPC clients refuse messages of more than 4 MiB; what is around the content needs some room. */
export const MESSAGE_BUDGET_BYTES = 4 * 1024 * 1024 - 64 * 1024
/** What some clients refuse (IO-17). */
const SVIDS_WARNING = 100
const BUNDLES_WARNING = 200

const derCache = new WeakMap<Bundle, Buffer>()

/** The X.509 authorities of a bundle as DER certificates one after the other. */
export function authoritiesDer(bundle: Bundle): Buffer {
  let der = derCache.get(bundle)
  if (der === undefined) {
    der = Buffer.concat(bundle.x509Authorities.map(({ certificate }) => certificate.der))
    derCache.set(bundle, der)
  }
  return der
}

/** The bundles of trust domains that an entry which is given federates with (WA-30). */
function bundlesFor({ entries, federatedBundles }: Matched, given: readonly RegistrationEntry[]): readonly Bundle[] {
  if (given.length === entries.length) return federatedBundles
  const names = new Set(given.flatMap(({ federatesWith }) => federatesWith.map(({ name }) => name)))
  return federatedBundles.filter(({ trustDomain }) => names.has(trustDomain.name))
}

/** Makes the messages of X.509 streams; those of equal states are made once. */
export class X509Messages {
  readonly #log: Log
  readonly #last = new WeakMap<
    Matched,
    { readonly held: readonly HeldX509Svid[]; readonly message: X509SvidResponse }
  >()

  constructor(log: Log) {
    this.#log = log
  }

  /** @throws {@link SallyportError} `IDENTITY_PENDING`, `RESPONSE_TOO_LARGE` */
  svids({ matched, given, held }: X509State): X509SvidResponse {
    const last = this.#last.get(matched)
    if (
      last !== undefined &&
      last.held.length === held.length &&
      last.held.every((one, index) => one === held[index])
    ) {
      return last.message
    }
    const message = this.#encode(matched, given, held)
    this.#last.set(matched, { held, message })
    return message
  }

  /** @throws {@link SallyportError} `IDENTITY_PENDING` */
  bundles(matched: Matched): X509BundlesResponse {
    const own = ownAuthorities(matched)
    const federated = this.#federated(matched.federatedBundles, own.length)
    return { crl: [], bundles: { [matched.ownBundle?.trustDomain.idString ?? '']: own, ...federated } }
  }

  #encode(matched: Matched, given: readonly RegistrationEntry[], held: readonly HeldX509Svid[]): X509SvidResponse {
    const bundle = ownAuthorities(matched)
    const hints = uniqueHints(matched.entries)
    const svids = held.map((svid) => ({
      spiffeId: svid.spiffeId.toString(),
      x509Svid: svid.chain,
      x509SvidKey: svid.privateKey,
      bundle,
      hint: hints.get(svid.entryId) ?? '',
    }))
    const size = svids.reduce((sum, svid) => sum + sizeOf(svid), 0)
    if (size > MESSAGE_BUDGET_BYTES) {
      throw new SallyportError(
        'RESPONSE_TOO_LARGE',
        `Cannot send ${svids.length} identities of ${size} bytes in one message`,
      )
    }
    if (svids.length > SVIDS_WARNING) this.#log.warn({ svids: svids.length }, 'Some clients refuse so many identities')
    return { svids, crl: [], federatedBundles: this.#federated(bundlesFor(matched, given), size) }
  }

  /** As many as fit, small ones first, so that one partner cannot push out the others or the message over the limit (SE-18). */
  #federated(bundles: readonly Bundle[], alreadyBytes: number): Record<string, Buffer> {
    // Clients fail on zero bytes: a domain without X.509 authorities is left out (IO-12).
    const some = bundles.filter(({ x509Authorities }) => x509Authorities.length > 0)
    if (some.length > BUNDLES_WARNING) this.#log.warn({ bundles: some.length }, 'Some clients refuse so many bundles')
    const fitting = fittingBundles(some, authoritiesDer, alreadyBytes, this.#log)
    return Object.fromEntries(fitting.map((bundle) => [bundle.trustDomain.idString, authoritiesDer(bundle)]))
  }
}

/** The bundles that fit into a message beside what is in it already, in their order. */
export function fittingBundles(
  bundles: readonly Bundle[],
  bytesOf: (bundle: Bundle) => Buffer,
  alreadyBytes: number,
  log: Log,
): readonly Bundle[] {
  let size = alreadyBytes
  const fitting = new Set<Bundle>()
  for (const bundle of bundles.toSorted((a, b) => bytesOf(a).length - bytesOf(b).length)) {
    const needed = bytesOf(bundle).length + bundle.trustDomain.idString.length + 16
    if (size + needed > MESSAGE_BUDGET_BYTES) {
      log.error(
        { trustDomain: bundle.trustDomain.name, sizeBytes: needed },
        'Left out a bundle that does not fit into a message',
      )
      continue
    }
    size += needed
    fitting.add(bundle)
  }
  return bundles.filter((bundle) => fitting.has(bundle))
}

/** Where two entries have the same hint, the older one keeps it (WA-15). */
export function uniqueHints(entries: readonly RegistrationEntry[]): ReadonlyMap<string, string> {
  const taken = new Set<string>()
  return new Map(
    entries.map(({ id, hint }) => {
      const isFree = hint !== '' && !taken.has(hint)
      taken.add(hint)
      return [id, isFree ? hint : '']
    }),
  )
}

function ownAuthorities({ ownBundle }: Matched): Buffer {
  if (ownBundle !== undefined && ownBundle.x509Authorities.length > 0) return authoritiesDer(ownBundle)
  throw new SallyportError(
    'IDENTITY_PENDING',
    'Cannot hand out identities yet: this agent has no bundle of its trust domain',
  )
}

const sizeOf = (svid: {
  spiffeId: string
  x509Svid: Buffer
  x509SvidKey: Buffer
  bundle: Buffer
  hint: string
}): number =>
  svid.spiffeId.length + svid.x509Svid.length + svid.x509SvidKey.length + svid.bundle.length + svid.hint.length * 3 + 64
