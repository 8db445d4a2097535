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

/** What was saved, and what was found wrong with one of the two files that hold it. */
export interface SavedState {
  readonly state: PolicyState
  /** `AGENT_STATE_INVALID`: the other file was taken, because this one is damaged or gone. */
  readonly damage: SallyportError | undefined
}

/**
 * What the agent saved of policy: the signed bytes themselves, as they came. It stands in two files that say the same, written one after
 * the other, so that a bad sector does not release whoever is in quarantine.
 */
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

  get copyPath(): string {
    return join(this.#folder, 'policy-copy.bin')
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
    const bytes = Buffer.concat([sha256(content), content])
    await this.#disk.write(this.path, bytes)
    await this.#disk.write(this.copyPath, bytes)
  }

  /**
   * What was saved, slices verified with the keys that are saved with them; undefined when nothing was.
   *
   * @throws {@link SallyportError} `AGENT_STATE_INVALID` when a byte was changed in both files
   */
  async read(believing: Believing): Promise<SavedState | undefined> {
    const files: SavedFile[] = []
    for (const path of [this.path, this.copyPath]) files.push({ path, bytes: await this.#disk.read(path) })
    if (files.every(({ bytes }) => bytes === undefined)) return undefined
    // Earlier versions made no copy.
    const damages = files.map((file) =>
      file.path === this.copyPath && file.bytes === undefined ? undefined : damageOf(file),
    )
    for (const [at, { path, bytes }] of files.entries()) {
      if (bytes === undefined || damages[at] !== undefined) continue
      try {
        const state = await believed(decodeMessage(policyUpdateType, bytes.subarray(HASH_BYTES)), believing)
        return { state, damage: damages.find((one) => one !== undefined) }
      } catch (cause) {
        damages[at] = invalid(path, 'is damaged', cause)
      }
    }
    throw damages[0] ?? damages[1]
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
    // Before the other: a copy that is alone would be taken up again.
    await this.#disk.remove(this.copyPath)
    await this.#disk.remove(this.path)
    await this.#disk.remove(this.freshPath)
  }
}

interface SavedFile {
  readonly path: string
  readonly bytes: Buffer | undefined
}

function damageOf({ path, bytes }: SavedFile): SallyportError | undefined {
  if (bytes === undefined) return invalid(path, 'is gone')
  return sha256(bytes.subarray(HASH_BYTES)).equals(bytes.subarray(0, HASH_BYTES))
    ? undefined
    : invalid(path, 'is damaged')
}

const invalid = (path: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('AGENT_STATE_INVALID', `Cannot use ${path}: it ${why}`, { cause })

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
