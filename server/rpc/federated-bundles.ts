import type { Bundle } from '../../src/bundle/bundle.ts'
import { FOREIGN_BUNDLE_LIMITS } from '../../src/bundle/bundle-limits.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { checkPublicKey } from '../../src/key/public-key.ts'
import { bundleFromMessage, bundleToMessage } from '../../src/wire/bundle-message.ts'
import type { Call } from '../../src/wire/call.ts'
import { trustDomainFromText } from '../../src/wire/id-message.ts'
import type { Bundle as BundleMessage, BundleMask, Status } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { bundleSet } from '../audit/bundle-events.ts'
import { deedOf } from './deed.ts'
import { failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'

interface BundleResult {
  readonly status: Status
  readonly bundle: Sent<BundleMessage> | null
}

/** Makes, from the message and what is stored, what shall be stored; or throws why not. */
export type BundleChange = (message: BundleMessage, before: Bundle | undefined) => Bundle

/** Changes foreign bundles one after the other: they are few, and a later item of a batch sees what an earlier one did. */
export async function changeFederatedBundles(
  messages: readonly BundleMessage[],
  change: BundleChange,
  outputMask: BundleMask | null,
  call: Call,
  deps: RpcDeps,
): Promise<BundleResult[]> {
  const results: BundleResult[] = []
  for (const message of messages) {
    try {
      const bundle = await changeOne(message, change, call, deps)
      results.push({ status: OK, bundle: bundleToMessage(bundle, outputMask) })
    } catch (error) {
      results.push({ status: failedItem(error, call, deps.log), bundle: null })
    }
  }
  return results
}

async function changeOne(message: BundleMessage, change: BundleChange, call: Call, deps: RpcDeps): Promise<Bundle> {
  const trustDomain = foreignTrustDomain(message.trustDomain, deps)
  const before = deps.directory.bundle(trustDomain)
  const bundle = change(offered(message, deps), before)
  checkForeignBundle(bundle)
  const outcome = await deps.store.commit({
    mutations: [{ kind: 'bundle.put', bundle, ifSequence: before?.sequenceNumber ?? 0 }],
    audit: [bundleSet(deedOf(call, deps), bundle)],
  })
  if (!outcome.ok) {
    throw new SallyportError(
      'CONCURRENT_CHANGE',
      `Cannot change the bundle of ${trustDomain.name}: it changed at the same moment`,
    )
  }
  await deps.directory.reached(outcome.revision)
  return bundle
}

export const createdBundle: BundleChange = (message, before) => {
  if (before !== undefined) {
    throw new SallyportError('BUNDLE_EXISTS', `bundle already exists: ${before.trustDomain.name}`)
  }
  return bundleFromMessage(message, FOREIGN_BUNDLE_LIMITS)
}

export const replacedBundle: BundleChange = (message) => bundleFromMessage(message, FOREIGN_BUNDLE_LIMITS)

/** The fields of the mask are the message's, the others stay. */
export const updatedBundle =
  (inputMask: BundleMask | null): BundleChange =>
  (message, before) => {
    if (before === undefined) throw bundleNotFound(message.trustDomain)
    if (inputMask === null) return bundleFromMessage(message, FOREIGN_BUNDLE_LIMITS)
    const wanted = Object.entries(message).filter(([field]) => inputMask[field as keyof BundleMask])
    const merged = { ...bundleToMessage(before), ...Object.fromEntries(wanted) } as BundleMessage
    return bundleFromMessage(merged, FOREIGN_BUNDLE_LIMITS)
  }

/** Without the keys of WIT-SVIDs where these are not turned on: nobody here would verify any. */
const offered = (message: BundleMessage, { authorities }: RpcDeps): BundleMessage =>
  authorities.offers('wit') ? message : { ...message, witAuthorities: [] }

/** SE-18: nobody may grow the messages that our workloads receive, nor give them keys that cost or prove too little. */
function checkForeignBundle({ trustDomain, x509Authorities, jwtAuthorities, witAuthorities }: Bundle): void {
  for (const authority of [...jwtAuthorities, ...witAuthorities]) checkPublicKey(authority)
  let sizeBytes = 0
  for (const { certificate } of x509Authorities) {
    checkPublicKey(certificate)
    sizeBytes += certificate.der.length
  }
  if (sizeBytes > FOREIGN_BUNDLE_LIMITS.sizeBytes) {
    throw new SallyportError(
      'BUNDLE_INVALID',
      `Cannot store the bundle of ${trustDomain.name}: its certificates have ${sizeBytes} bytes, at most ${FOREIGN_BUNDLE_LIMITS.sizeBytes} are accepted`,
    )
  }
}

/** @throws {@link SallyportError} `TRUST_DOMAIN_INVALID`, `REQUEST_INVALID` for the server's own */
export function foreignTrustDomain(text: string, { trustDomain }: Pick<RpcDeps, 'trustDomain'>): TrustDomain {
  const named = trustDomainFromText(text)
  if (!named.equals(trustDomain)) return named
  throw new SallyportError(
    'REQUEST_INVALID',
    `${named.name} is the server's own trust domain: its bundle is not a federated one`,
  )
}

export const bundleNotFound = (trustDomain: string): SallyportError =>
  new SallyportError('BUNDLE_NOT_FOUND', `bundle not found: ${JSON.stringify(trustDomain.slice(0, 255))}`)
