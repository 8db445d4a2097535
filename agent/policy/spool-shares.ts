import { orAborted } from '../../src/abort.ts'

/**
 * Who holds how much of the spool. A workload may hold as much as is free: one alone half of it, two a third each, and there is always
 * room for the next; so none is in the way of the others of its node, however much it reports.
 */
export class SpoolShares {
  readonly #maxBytes: number
  #heldBytes = 0
  readonly #bytesOf = new Map<string, number>()
  readonly #files = new Map<number, { readonly bytes: number; readonly bytesOf: ReadonlyMap<string, number> }>()
  readonly #waiting = new Set<() => void>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Waits until the workload may write, then holds so many bytes for it until disposed.
   *
   * @throws the reason of the signal
   */
  async reserve(workload: string, bytes: number, signal: AbortSignal): Promise<Disposable> {
    while (this.#isFull(workload)) await this.#change(signal)
    this.#add(workload, bytes)
    this.#heldBytes += bytes
    return {
      [Symbol.dispose]: () => {
        this.#add(workload, -bytes)
        this.#heldBytes -= bytes
        this.#tell()
      },
    }
  }

  /** A file that was written, and what is whose in it. */
  hold(file: number, bytes: number, bytesOf: ReadonlyMap<string, number>): void {
    this.#files.set(file, { bytes, bytesOf })
    this.#heldBytes += bytes
    for (const [workload, own] of bytesOf) this.#add(workload, own)
  }

  /** The file takes nobody's room any more. */
  release(file: number): void {
    const held = this.#files.get(file)
    if (held === undefined) return
    this.#files.delete(file)
    this.#heldBytes -= held.bytes
    for (const [workload, own] of held.bytesOf) this.#add(workload, -own)
    this.#tell()
  }

  #isFull(workload: string): boolean {
    const freeBytes = this.#maxBytes - this.#heldBytes
    return freeBytes <= 0 || (this.#bytesOf.get(workload) ?? 0) >= freeBytes
  }

  #add(workload: string, bytes: number): void {
    const now = (this.#bytesOf.get(workload) ?? 0) + bytes
    if (now > 0) this.#bytesOf.set(workload, now)
    else this.#bytesOf.delete(workload)
  }

  #tell(): void {
    for (const tell of this.#waiting) tell()
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    try {
      await orAborted(promise, signal)
    } finally {
      this.#waiting.delete(resolve)
    }
  }
}
