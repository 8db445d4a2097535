import { createHash, createPrivateKey, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import * as z from 'zod'
import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { bundleFromMessage, bundleToMessage } from '../../src/wire/bundle-message.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { entryFromMessage, entryToMessage } from '../../src/wire/entry-message.ts'
import { snapshotType } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Disk } from './disk.ts'

/** What the agent is: its key and its own SVID, as the server last gave it. */
export interface SavedIdentity {
  readonly spiffeId: SpiffeId
  readonly privateKey: KeyObject
  /** DER, leaf first. */
  readonly chain: readonly Buffer[]
  readonly reattestable: boolean
}

/** The head of an audit journal as a heartbeat told it; `audit verify` compares (SE-22). */
export interface SavedCheckpoint {
  /** SHA-256 of the key that signed, hex. */
  readonly keyId: string
  readonly epoch: string
  readonly sequence: number
  readonly hash: Buffer
}

/** Everything about the node that survives a restart, apart from the view of entries and bundles. */
export interface SavedNode {
  /** Where the agent joined: the join file that said so may be gone. */
  readonly home: { readonly trustDomain: string; readonly serverAddress: string } | undefined
  readonly identity: SavedIdentity | undefined
  /** SHA-256 of the join token that was spent, hex: it is not tried again. */
  readonly spentToken: string
  /** The key of an attempt to join whose answer may have been lost, and the hash of its token. */
  readonly attempt: { readonly privateKey: KeyObject; readonly tokenHash: string } | undefined
  /** Has this server pushed? Then polling instead is suspicious (SE-11). */
  readonly pushSeen: boolean
  /** The server time that was last signed: time never falls below it (SE-20). */
  readonly serverTime: Date | undefined
  readonly checkpoints: readonly SavedCheckpoint[]
}

/** The entries and bundles as of a revision. */
export interface SavedView {
  readonly revision: number
  readonly epoch: string
  readonly entries: readonly RegistrationEntry[]
  readonly bundles: readonly Bundle[]
  readonly digest: Buffer
}

export const emptyNode: SavedNode = {
  home: undefined,
  identity: undefined,
  spentToken: '',
  attempt: undefined,
  pushSeen: false,
  serverTime: undefined,
  checkpoints: [],
}

const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'))
const savedNode = z.object({
  version: z.literal(1),
  home: z.object({ trustDomain: z.string(), serverAddress: z.string() }).nullable(),
  identity: z
    .object({ spiffeId: z.string(), privateKey: base64, chain: z.array(base64).min(1), reattestable: z.boolean() })
    .nullable(),
  spentToken: z.string(),
  attempt: z.object({ privateKey: base64, tokenHash: z.string() }).nullable(),
  pushSeen: z.boolean(),
  serverTimeMs: z.number().nullable(),
  checkpoints: z.array(z.object({ keyId: z.string(), epoch: z.string(), sequence: z.number(), hash: base64 })),
})
const HASH_BYTES = 32

/** The two files of an agent's data folder, each replaced whole. */
export class SavedState {
  readonly #disk: Disk
  readonly #folder: string

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  get nodePath(): string {
    return join(this.#folder, 'agent.json')
  }

  get viewPath(): string {
    return join(this.#folder, 'view.bin')
  }

  async makeFolder(): Promise<void> {
    await this.#disk.makeFolder(this.#folder)
  }

  /** @throws {@link SallyportError} `AGENT_STATE_INVALID` */
  async readNode(): Promise<SavedNode> {
    const bytes = await this.#disk.read(this.nodePath)
    if (bytes === undefined) return emptyNode
    try {
      const {
        version: _version,
        home,
        identity,
        attempt,
        serverTimeMs,
        ...rest
      } = savedNode.parse(JSON.parse(bytes.toString('utf8')))
      return {
        ...rest,
        home: home ?? undefined,
        serverTime: serverTimeMs === null ? undefined : new Date(serverTimeMs),
        identity: identity === null ? undefined : readIdentity(identity),
        attempt: attempt === null ? undefined : { ...attempt, privateKey: readKey(attempt.privateKey) },
      }
    } catch {
      // Without the cause: a parser may quote what it read, and that is a key.
      throw invalid(this.nodePath)
    }
  }

  async writeNode({ home, identity, attempt, serverTime, ...rest }: SavedNode): Promise<void> {
    const text = JSON.stringify({
      version: 1,
      ...rest,
      home: home ?? null,
      checkpoints: rest.checkpoints.map((checkpoint) => ({ ...checkpoint, hash: checkpoint.hash.toString('base64') })),
      serverTimeMs: serverTime?.getTime() ?? null,
      identity: identity === undefined ? null : printIdentity(identity),
      attempt: attempt === undefined ? null : { ...attempt, privateKey: printKey(attempt.privateKey) },
    })
    await this.#disk.write(this.nodePath, Buffer.from(text))
  }

  /** @throws {@link SallyportError} `AGENT_STATE_INVALID` */
  async readView(): Promise<SavedView | undefined> {
    const bytes = await this.#disk.read(this.viewPath)
    if (bytes === undefined) return undefined
    const content = bytes.subarray(HASH_BYTES)
    if (!createHash('sha256').update(content).digest().equals(bytes.subarray(0, HASH_BYTES)))
      throw invalid(this.viewPath)
    try {
      const { revision, epoch, entries, bundles, digest } = decodeMessage(snapshotType, content)
      return {
        revision,
        epoch,
        digest,
        entries: entries.map((entry) => entryFromMessage(entry)),
        bundles: bundles.map((bundle) => bundleFromMessage(bundle)),
      }
    } catch (error) {
      throw invalid(this.viewPath, error)
    }
  }

  async writeView({ revision, epoch, entries, bundles, digest }: SavedView): Promise<void> {
    const content = encodeMessage(snapshotType, {
      revision,
      epoch,
      entries: entries.map((entry) => entryToMessage(entry)),
      bundles: bundles.map((bundle) => bundleToMessage(bundle)),
      last: true,
      digest,
    })
    await this.#disk.write(this.viewPath, Buffer.concat([createHash('sha256').update(content).digest(), content]))
  }
}

const readKey = (pkcs8: Buffer): KeyObject => createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
const printedKeys = new WeakMap<KeyObject, string>()

/** Each key once: what is written every minute leaves no new copy of it in memory. */
function printKey(key: KeyObject): string {
  let text = printedKeys.get(key)
  if (text === undefined) printedKeys.set(key, (text = key.export({ format: 'der', type: 'pkcs8' }).toString('base64')))
  return text
}

function readIdentity(saved: NonNullable<z.output<typeof savedNode>['identity']>): SavedIdentity {
  return {
    ...saved,
    spiffeId: SpiffeId.parse(saved.spiffeId),
    privateKey: readKey(saved.privateKey),
  }
}

function printIdentity({ spiffeId, privateKey, chain, reattestable }: SavedIdentity): object {
  return {
    spiffeId: spiffeId.toString(),
    privateKey: printKey(privateKey),
    chain: chain.map((der) => der.toString('base64')),
    reattestable,
  }
}

const invalid = (path: string, cause?: unknown): SallyportError =>
  new SallyportError('AGENT_STATE_INVALID', `Cannot use ${path}: it is damaged`, { cause })
