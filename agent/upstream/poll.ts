import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { entryFromMessage } from '../../src/wire/entry-message.ts'
import type { Transport } from '../../src/wire/client.ts'
import {
  entryService,
  type EntryRevision,
  type SyncAuthorizedEntriesRequest,
  type SyncAuthorizedEntriesResponse,
} from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import { Outbox } from './outbox.ts'
import { grpcStatusOf } from './refusal.ts'
import type { PolledState, Upstream } from './upstream.ts'

interface Deps extends Pick<Upstream, 'fetchBundle' | 'fetchFederatedBundle'> {
  readonly transport: Transport
  readonly trustDomain: TrustDomain
}

const CALL_TIMEOUT_MS = 30_000
const BUNDLES_AT_ONCE = 10

/** Fetches everything this agent is entitled to by SPIRE's calls, for servers without the push stream (spire.md §2.4). */
export async function pollAuthorizedEntries(
  held: ReadonlyMap<string, RegistrationEntry>,
  deps: Deps,
  signal: AbortSignal,
): Promise<PolledState> {
  const entries = await syncEntries(held, deps.transport, signal)
  const names = new Set(entries.flatMap(({ federatesWith }) => federatesWith.map(({ name }) => name)))
  // An entry that names its own trust domain would break the whole sync.
  names.delete(deps.trustDomain.name)
  const bundles = [await deps.fetchBundle(signal), ...(await fetchFederated([...names], deps, signal))]
  return { entries, bundles }
}

async function fetchFederated(names: readonly string[], deps: Deps, signal: AbortSignal): Promise<Bundle[]> {
  const bundles: Bundle[] = []
  for (let start = 0; start < names.length; start += BUNDLES_AT_ONCE) {
    const some = names.slice(start, start + BUNDLES_AT_ONCE)
    const fetched = await Promise.all(some.map((name) => deps.fetchFederatedBundle(TrustDomain.parse(name), signal)))
    bundles.push(...fetched.filter((bundle) => bundle !== undefined))
  }
  return bundles
}

async function syncEntries(
  held: ReadonlyMap<string, RegistrationEntry>,
  transport: Transport,
  signal: AbortSignal,
): Promise<readonly RegistrationEntry[]> {
  const client = transport.client(entryService)
  const requests = new Outbox<Sent<SyncAuthorizedEntriesRequest>>()
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS }
  const responses = client.syncAuthorizedEntries(requests, options)[Symbol.asyncIterator]()
  try {
    requests.push({ ids: [] })
    return await readSync(held, requests, async () => {
      const { done, value } = await responses.next()
      if (done !== true) return value
      // Taken as it is, it would withdraw identities that nobody has taken away.
      throw new SallyportError('SERVER_ANSWER_INVALID', 'Cannot use the entries of the server: its answer is cut off')
    })
  } catch (error) {
    if (grpcStatusOf(error) !== 'UNIMPLEMENTED') throw error
    const { entries } = await client.getAuthorizedEntries({}, options)
    return entries.map((entry) => entryFromMessage(entry))
  } finally {
    requests.end()
    // Read to its end, else the stream stays open until its deadline. What it ends with changes nothing any more.
    void responses.next().catch(() => undefined)
  }
}

/** A first answer without revisions is the complete list; else revisions come in pages, and what is stale is asked for. */
async function readSync(
  held: ReadonlyMap<string, RegistrationEntry>,
  requests: Outbox<Sent<SyncAuthorizedEntriesRequest>>,
  next: () => Promise<SyncAuthorizedEntriesResponse>,
): Promise<readonly RegistrationEntry[]> {
  const first = await next()
  const whole: Entry[] = [...first.entries]
  const revisions: EntryRevision[] = [...first.entryRevisions]
  const pageSize = revisions.length
  for (let page = first; page.more;) {
    page = await next()
    whole.push(...page.entries)
    revisions.push(...page.entryRevisions)
  }
  if (pageSize === 0) return whole.map((entry) => entryFromMessage(entry))
  const current = new Map(
    revisions.flatMap((revision) => {
      const entry = held.get(revision.id)
      return entry !== undefined && isCurrent(entry, revision) ? [[revision.id, entry] as const] : []
    }),
  )
  const stale = revisions.filter(({ id }) => !current.has(id)).map(({ id }) => id)
  for (let start = 0; start < stale.length; start += pageSize) {
    requests.push({ ids: stale.slice(start, start + pageSize) })
    for (let more = true; more;) {
      const page = await next()
      for (const message of page.entries) {
        const entry = entryFromMessage(message)
        current.set(entry.id, entry)
      }
      more = page.more
    }
  }
  return [...current.values()]
}

/** `createdAt` tells an entry that was deleted and made again with the same id (client-quirks 43). */
function isCurrent(entry: RegistrationEntry, { revisionNumber, createdAt }: EntryRevision): boolean {
  return entry.revisionNumber === revisionNumber && Math.floor(entry.createdAt.getTime() / 1000) === createdAt
}
