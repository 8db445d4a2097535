import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Call } from '../../src/wire/call.ts'
import type {
  BatchDeleteFederatedBundleRequest,
  BatchDeleteFederatedBundleResponse,
} from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { AuditEvent } from '../audit/record.ts'
import { bundleDeleted } from '../audit/bundle-events.ts'
import type { Deed } from '../audit/deed.ts'
import { entryDeleted, entryUpdated } from '../audit/entry-events.ts'
import type { Mutation } from '../store/store.ts'
import { bundleNotFound, foreignTrustDomain } from './federated-bundles.ts'
import { deedOf } from './deed.ts'
import { failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** An entry that is changed while its bundle goes makes the whole deletion start again, this often, this far apart. */
const TRIES = 5
const RETRY_MS = 10

type Mode = BatchDeleteFederatedBundleRequest['mode']

/** What becomes of the entries that federate with a trust domain whose bundle goes. */
const modes: Readonly<
  Record<Mode, (entries: readonly RegistrationEntry[], trustDomain: TrustDomain) => readonly Mutation[]>
> = {
  RESTRICT(entries, trustDomain) {
    if (entries.length === 0) return []
    throw new SallyportError(
      'BUNDLE_IN_USE',
      `cannot delete bundle; federated with ${entries.length} registration entries: ${trustDomain.name}`,
    )
  },
  DELETE: (entries) => entries.map(({ id }) => ({ kind: 'entry.delete', id })),
  DISSOCIATE: (entries, trustDomain) =>
    entries.map((entry) => ({
      kind: 'entry.update',
      entry: {
        ...entry,
        federatesWith: entry.federatesWith.filter((other) => !other.equals(trustDomain)),
        revisionNumber: entry.revisionNumber + 1,
      },
    })),
}

/** `BatchDeleteFederatedBundle`: each bundle goes together with what the mode does to its entries, or not at all. */
export async function deleteBundles(
  { trustDomains, mode }: BatchDeleteFederatedBundleRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<BatchDeleteFederatedBundleResponse>> {
  if (!Object.hasOwn(modes, mode)) throw new SallyportError('REQUEST_INVALID', 'Cannot delete bundles: mode is unknown')
  const results = []
  for (const trustDomain of trustDomains) {
    try {
      await deleteOne(foreignTrustDomain(trustDomain, deps), mode, call, deps)
      results.push({ status: OK, trustDomain })
    } catch (error) {
      results.push({ status: failedItem(error, call, deps.log), trustDomain })
    }
  }
  return { results }
}

async function deleteOne(trustDomain: TrustDomain, mode: Mode, call: Call, deps: RpcDeps): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (deps.directory.bundle(trustDomain) === undefined) throw bundleNotFound(trustDomain.name)
    const entries = deps.directory.entriesFederatingWith(trustDomain.name)
    const deed = deedOf(call, deps)
    const mutations = modes[mode](entries, trustDomain)
    const outcome = await deps.store.commit({
      mutations: [...mutations, { kind: 'bundle.delete', trustDomain: trustDomain.name }],
      audit: [...entryEvents(mutations, entries, deed), bundleDeleted(deed, trustDomain.name)],
    })
    if (outcome.ok) return deps.directory.reached(outcome.revision)
    await deps.clock.sleep(RETRY_MS, call.signal)
  }
  throw new SallyportError(
    'CONCURRENT_CHANGE',
    `Cannot delete the bundle of ${trustDomain.name}: its entries keep changing`,
  )
}

/** What happened to each entry, in the words that a change of it alone would have. */
function entryEvents(
  mutations: readonly Mutation[],
  entries: readonly RegistrationEntry[],
  deed: Deed,
): readonly AuditEvent[] {
  return mutations.flatMap((mutation, index) => {
    const entry = entries[index]
    if (mutation.kind === 'entry.update') return [entryUpdated(deed, mutation.entry)]
    return entry === undefined ? [] : [entryDeleted(deed, entry)]
  })
}
