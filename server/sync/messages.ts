import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { bundleToMessage } from '../../src/wire/bundle-message.ts'
import { entryToMessage } from '../../src/wire/entry-message.ts'
import type { Delta, ServerMessage, Snapshot } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { ViewChange } from './agent-view.ts'

/** The most bytes of entries and bundles in one message of the stream. */
export const CHUNK_MAX_BYTES = 1 << 20
/** More than signatures and the fields around them take in a message. */
export const SIGNATURE_BYTES = 256

type EntryMessage = NonNullable<Sent<Snapshot>['entries']>[number]
type BundleMessage = NonNullable<Sent<Snapshot>['bundles']>[number]

interface Part<T> {
  readonly message: T
  /** At least what it takes on the wire. */
  readonly sizeBytes: number
}

// A bundle never changes once made, and all agents are sent the same one. Entries are many and each is for few agents: keeping
// their messages would cost more memory than making them costs time.
const bundleParts = new WeakMap<Bundle, Part<BundleMessage>>()

function entryPart(entry: RegistrationEntry): Part<EntryMessage> {
  const texts = [
    entry.id,
    entry.spiffeId.toString(),
    entry.parentId.toString(),
    entry.hint,
    ...entry.dnsNames,
    ...entry.federatesWith.map(({ name }) => name),
    ...entry.selectors.flatMap(({ type, value }) => [type, value]),
  ]
  // Eight bytes cover the tag and length of each text, ninety-six the numbers.
  const sizeBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 8, 96)
  return { message: entryToMessage(entry) as EntryMessage, sizeBytes }
}

function bundlePart(bundle: Bundle): Part<BundleMessage> {
  let part = bundleParts.get(bundle)
  if (part === undefined) {
    const message = bundleToMessage(bundle) as BundleMessage
    const certificates = (message.x509Authorities ?? []).reduce((sum, one) => sum + (one.asn1?.length ?? 0) + 16, 0)
    const tokenKeys = [...(message.jwtAuthorities ?? []), ...(message.witAuthorities ?? [])]
    const keys = tokenKeys.reduce((sum, one) => sum + (one.publicKey?.length ?? 0) + 320, 0)
    bundleParts.set(bundle, (part = { message, sizeBytes: certificates + keys + 320 }))
  }
  return part
}

export interface Contents {
  readonly revision: number
  readonly epoch: string
  readonly entries: readonly RegistrationEntry[]
  readonly bundles: readonly Bundle[]
  readonly digest: Buffer
}

/** A whole view in messages of at most {@link CHUNK_MAX_BYTES}; made one at a time, as the stream takes them. */
export function* snapshotMessages(contents: Contents): Generator<Sent<ServerMessage>> {
  const { revision, epoch, digest } = contents
  let entries: EntryMessage[] = []
  let bundles: BundleMessage[] = []
  let sizeBytes = 0
  const take = function* (part: Part<unknown>): Generator<Sent<ServerMessage>> {
    if (sizeBytes > 0 && sizeBytes + part.sizeBytes > CHUNK_MAX_BYTES) {
      yield { snapshot: { revision, epoch, entries, bundles, last: false } }
      entries = []
      bundles = []
      sizeBytes = 0
    }
    sizeBytes += part.sizeBytes
  }
  for (const bundle of contents.bundles) {
    const part = bundlePart(bundle)
    yield* take(part)
    bundles.push(part.message)
  }
  for (const entry of contents.entries) {
    const part = entryPart(entry)
    yield* take(part)
    entries.push(part.message)
  }
  yield { snapshot: { revision, epoch, entries, bundles, last: true, digest } }
}

/** One message for a change, or undefined when it would be too large for one: a snapshot has chunks. */
export function deltaMessage(
  change: ViewChange,
  { from, to, digest }: Pick<Delta, 'from' | 'to' | 'digest'>,
): Sent<ServerMessage> | undefined {
  const entries = change.entries.map(entryPart)
  const bundles = change.bundles.map(bundlePart)
  const removed = [...change.removedEntryIds, ...change.removedTrustDomains]
  const sizeBytes =
    [...entries, ...bundles].reduce((sum, part) => sum + part.sizeBytes, 0) +
    removed.reduce((sum, id) => sum + id.length + 8, 64)
  if (sizeBytes > CHUNK_MAX_BYTES) return undefined
  return {
    delta: {
      from,
      to,
      entries: entries.map(({ message }) => message),
      removedEntryIds: change.removedEntryIds,
      bundles: bundles.map(({ message }) => message),
      removedTrustDomains: change.removedTrustDomains,
      digest,
    },
  }
}
