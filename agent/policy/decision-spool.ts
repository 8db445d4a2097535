import { join } from 'node:path'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { decisionBatchType, type DecisionBatch } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Disk } from '../node/disk.ts'
import type { ChainHead } from './decision-batch.ts'
import { sha256 } from './signed-content.ts'

/** A batch that waits on disk. */
export interface SpooledBatch {
  /** Number of its file: they are sent in this order. */
  readonly file: number
  readonly bytes: number
}

const HASH_BYTES = 32
const SEQUENCE_BYTES = 8
const HEADER_BYTES = HASH_BYTES + SEQUENCE_BYTES + HASH_BYTES
const NAME = /^(\d{1,15})\.bin$/

/** One file for each batch of decisions that the server has not stored yet; the newest one stays, because it says where the chain stands. */
export class DecisionSpool {
  readonly #disk: Disk
  readonly #folder: string

  constructor(disk: Disk, dataFolder: string) {
    this.#disk = disk
    this.#folder = join(dataFolder, 'decisions')
  }

  async open(): Promise<readonly SpooledBatch[]> {
    await this.#disk.makeFolder(this.#folder)
    const names = await this.#disk.list(this.#folder)
    const files = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)
    const sized = files.map(async (file) => ({ file, bytes: (await this.#disk.read(this.#path(file)))?.length ?? 0 }))
    return (await Promise.all(sized)).toSorted((a, b) => a.file - b.file)
  }

  /** Durable when it resolves. */
  async write(file: number, batch: DecisionBatch, { sequence, previous }: ChainHead): Promise<void> {
    const header = Buffer.alloc(SEQUENCE_BYTES + HASH_BYTES)
    header.writeBigUInt64BE(BigInt(sequence))
    header.write(previous, SEQUENCE_BYTES, 'hex')
    const content = Buffer.concat([header, encodeMessage(decisionBatchType, batch)])
    await this.#disk.write(this.#path(file), Buffer.concat([sha256(content), content]))
  }

  /** Undefined when the file is gone or damaged. */
  async read(file: number): Promise<{ readonly message: DecisionBatch; readonly head: ChainHead } | undefined> {
    const bytes = await this.#disk.read(this.#path(file))
    if (bytes === undefined || bytes.length < HEADER_BYTES) return undefined
    const content = bytes.subarray(HASH_BYTES)
    if (!sha256(content).equals(bytes.subarray(0, HASH_BYTES))) return undefined
    const sequence = Number(content.readBigUInt64BE())
    const previous = sequence === 0 ? '' : content.toString('hex', SEQUENCE_BYTES, SEQUENCE_BYTES + HASH_BYTES)
    const message = decodeMessage(decisionBatchType, content.subarray(SEQUENCE_BYTES + HASH_BYTES))
    return { message, head: { sequence, previous } }
  }

  async remove(file: number): Promise<void> {
    await this.#disk.remove(this.#path(file))
  }

  #path(file: number): string {
    return join(this.#folder, `${file}.bin`)
  }
}
