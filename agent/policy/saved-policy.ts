import { join } from 'node:path'
import { SallyportError } from '../../src/errors.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { policyUpdateType, type PolicyUpdate } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { Disk } from '../node/disk.ts'
import { NO_FAST_LANE, fromSnapshot, withEntry } from './fast-lane-log.ts'
import { PinnedKeys } from './pinned-keys.ts'
import { digestOf, NO_POLICY, stateAfter, type Believing, type PolicyState } from './policy-state.ts'
import { readSlice, sha256 } from './signed-content.ts'

const HASH_BYTES = 32
const INSTANT_BYTES = 8

/** What the agent saved of policy: the signed bytes themselves, as they came. */
export class SavedPolicy {
  readonly #disk: Disk
  readonly #folder: string

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  get path(): string {
    return join(this.#folder, 'policy.bin')
  }

  get freshPath(): string {
    return join(this.#folder, 'policy-fresh.bin')
  }

  async write({ epoch, revision, slices, fastLane, keys }: PolicyState): Promise<void> {
    const content = encodeMessage(policyUpdateType, {
      slices: [...slices.values()].map(({ signed }) => signed),
      removedIdentities: [],
      fastLane: fastLane.entries.map(({ signed }) => signed),
      lifecycle: fastLane.snapshot?.signed ?? null,
      keys: keys?.signed ?? null,
      status: {
        ...{ hasPolicy: revision > 0, policyEpoch: epoch, policyRevision: revision },
        ...{ fastLaneSequence: fastLane.sequence, ageMs: 0, stale: false },
      },
    })
    await this.#disk.write(this.path, Buffer.concat([sha256(content), content]))
  }

  /**
   * What was saved, slices verified with the keys that are saved with them; undefined when nothing was.
   *
   * @throws {@link SallyportError} `AGENT_STATE_INVALID` when a byte of it was changed
   */
  async read(believing: Believing): Promise<PolicyState | undefined> {
    const bytes = await this.#disk.read(this.path)
    if (bytes === undefined) return undefined
    const content = bytes.subarray(HASH_BYTES)
    try {
      if (!sha256(content).equals(bytes.subarray(0, HASH_BYTES))) throw new RangeError('its hash is another one')
      return await believed(decodeMessage(policyUpdateType, content), believing)
    } catch (cause) {
      throw new SallyportError('AGENT_STATE_INVALID', `Cannot use ${this.path}: it is damaged`, { cause })
    }
  }

  /** When the server last proved that what is held is the newest. */
  async writeFresh(at: Date): Promise<void> {
    const bytes = Buffer.alloc(INSTANT_BYTES)
    bytes.writeBigInt64BE(BigInt(at.getTime()))
    await this.#disk.write(this.freshPath, bytes)
  }

  async readFresh(): Promise<Date | undefined> {
    const bytes = await this.#disk.read(this.freshPath)
    return bytes?.length === INSTANT_BYTES ? new Date(Number(bytes.readBigInt64BE())) : undefined
  }

  async remove(): Promise<void> {
    await this.#disk.remove(this.path)
    await this.#disk.remove(this.freshPath)
  }
}

async function believed(
  { slices, fastLane, lifecycle, keys, status }: PolicyUpdate,
  believing: Believing,
): Promise<PolicyState> {
  if (keys === null || status === null) return NO_POLICY
  const pinned = await PinnedKeys.pin(keys, believing.trustDomain, believing.cryptography)
  let log = NO_FAST_LANE
  for (const entry of [...(lifecycle === null ? [] : [lifecycle]), ...fastLane]) {
    // A quarantine outlives the key that signed it: each was verified when it came, and the hash of the file vouches for that.
    log = entry === lifecycle ? fromSnapshot(log, entry) : withEntry(log, entry)
  }
  const held = { ...NO_POLICY, keys: pinned, fastLane: log }
  const believable = await Promise.all(slices.map((slice) => pinned.hasSigned(slice, believing.cryptography)))
  const kept = slices.filter((_slice, index) => believable[index])
  const { policyEpoch: epoch, policyRevision: revision } = status
  const message = { kind: 'policyDelta', epoch, revision, slices: kept, removedIdentities: [], keys: null } as const
  // The hash of the file vouches for the whole; the digest is not saved apart from it.
  return stateAfter(held, { ...message, digest: digestOfSigned(kept) }, believing)
}

const digestOfSigned = (slices: PolicyUpdate['slices']): Buffer =>
  digestOf(new Map(slices.map(({ content }) => [readSlice(content).spiffeId, { digest: sha256(content) }])))
