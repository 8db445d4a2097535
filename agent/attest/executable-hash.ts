import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { isSameExecutable } from '../../src/peer/process-facts.ts'
import { TokenBuckets } from '../../src/wire/token-bucket.ts'

export interface ExecutableHashOptions {
  readonly clock: Clock
  /** Larger programs are refused. */
  readonly sizeLimitBytes: number
  /** Bytes a second that the programs of one user may make us hash, and how many at once. Default: 64 MiB, 2 GiB. */
  readonly bytesPerSecond?: number
  readonly burstBytes?: number
}

const CHUNK_BYTES = 256 * 1024
const CACHE_MAX = 4096
const MIB = 1024 * 1024

/** SHA-256 of the programs that peers run. Each version of a file is read once. */
export class ExecutableHash {
  readonly #options: ExecutableHashOptions
  readonly #budget: TokenBuckets
  readonly #known = new Map<string, string>()
  readonly #running = new Map<string, Promise<string>>()

  constructor(options: ExecutableHashOptions) {
    this.#options = options
    const { bytesPerSecond: perSecond = 64 * MIB, burstBytes: burst = 2048 * MIB, clock } = options
    this.#budget = new TokenBuckets({ perSecond, burst, clock })
  }

  /**
   * Lower-case hex, of the very file that the kernel runs: it is opened through `/proc/<pid>/exe`, whatever its path says.
   *
   * @throws {@link SallyportError} `PROCESS_REFUSED`, `WORKLOAD_CHANGED`, `WORKLOAD_ATTESTATION_FAILED`
   */
  async of(peer: Peer, signal: AbortSignal): Promise<string> {
    const file = await openExecutable(peer)
    try {
      const status = await file.stat({ bigint: true })
      if (
        peer.executable !== undefined &&
        !isSameExecutable(peer.executable, { device: status.dev, inode: status.ino })
      ) {
        throw new SallyportError('WORKLOAD_CHANGED', `Cannot attest process ${peer.pid}: it runs another program now`)
      }
      return await this.#hashOf(file, status, peer, signal)
    } finally {
      await file.close()
    }
  }

  async #hashOf(file: FileHandle, status: BigIntStats, peer: Peer, signal: AbortSignal): Promise<string> {
    const { sizeLimitBytes } = this.#options
    if (status.size > sizeLimitBytes) {
      throw new SallyportError(
        'PROCESS_REFUSED',
        `Cannot attest process ${peer.pid}: its program has ${status.size} bytes, the limit is ${sizeLimitBytes}`,
        { hint: 'Raise workloadSizeLimit of the unix attestor.' },
      )
    }
    // An mtime can be set to anything; a ctime cannot.
    const key = [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join(':')
    const known = this.#known.get(key) ?? (await this.#running.get(key)?.catch(() => undefined))
    if (known !== undefined) return known
    // Whoever was hashing this file gave up, or nobody was.
    signal.throwIfAborted()
    if (!this.#budget.take(String(peer.uid), Number(status.size))) {
      throw new SallyportError(
        'WORKLOAD_ATTESTATION_FAILED',
        `Cannot attest process ${peer.pid}: its user runs too many new programs`,
      )
    }
    const running = hash(file, Number(status.size), signal)
    this.#running.set(key, running)
    try {
      const digest = await running
      this.#remember(key, digest)
      return digest
    } finally {
      this.#running.delete(key)
    }
  }

  #remember(key: string, digest: string): void {
    const oldest = this.#known.keys().next()
    if (this.#known.size >= CACHE_MAX && oldest.done !== true) this.#known.delete(oldest.value)
    this.#known.set(key, digest)
  }
}

async function openExecutable({ pid }: Peer): Promise<FileHandle> {
  try {
    return await open(`/proc/${pid}/exe`, 'r')
  } catch (cause) {
    throw new SallyportError('PROCESS_REFUSED', `Cannot attest process ${pid}: its program cannot be read`, {
      hint: 'Run the agent as root, or turn discoverWorkloadPath off.',
      cause,
    })
  }
}

/** In pieces, so that a large program does not hold up everybody else. */
async function hash(file: FileHandle, sizeBytes: number, signal: AbortSignal): Promise<string> {
  const digest = createHash('sha256')
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let at = 0; at < sizeBytes;) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at)
    if (bytesRead === 0) break
    digest.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return digest.digest('hex')
}
