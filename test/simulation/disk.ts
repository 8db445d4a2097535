import { basename, dirname } from 'node:path'
import type { Disk } from '../../agent/node/disk.ts'
import type { SimulatedProcess } from './machine.ts'
import type { Random } from './random.ts'

/** What can happen to a write. */
export type WriteFate = 'done' | 'failed' | 'crashed-before' | 'crashed-after'

/** The files of a node: they outlive its processes; those in memory end with the machine. */
export class SimulatedDisk {
  readonly #files = new Map<string, Buffer>()
  readonly #random: Random
  readonly #isVolatile: (path: string) => boolean
  /** Asked at each write of a process. */
  fate: (path: string) => WriteFate = () => 'done'
  /** Called when a write is to take the process down. */
  crash: () => void = () => undefined

  constructor(random: Random, isVolatile: (path: string) => boolean) {
    this.#random = random
    this.#isVolatile = isVolatile
  }

  /** Somebody outside of the simulation puts a file there. */
  put(path: string, content: string): void {
    this.#files.set(path, Buffer.from(content))
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  /** The machine stops. */
  loseMemory(): void {
    for (const path of [...this.#files.keys()]) if (this.#isVolatile(path)) this.#files.delete(path)
  }

  /** The disk is replaced by an empty one. */
  loseAll(): void {
    this.#files.clear()
  }

  /** The disk as one process sees it. */
  openFor(process: SimulatedProcess): Disk {
    const pause = (): Promise<void> => process.wait(this.#random.between(0.05, 5))
    return {
      read: async (path) => {
        await process.wait(0.01)
        return this.#files.get(path)
      },
      write: async (path, content) => {
        const kept = Buffer.from(content)
        await pause()
        const fate = process.isAlive ? this.fate(path) : 'crashed-before'
        if (fate === 'failed') throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        if (fate !== 'crashed-before') this.#files.set(path, kept)
        if (fate !== 'done') this.crash()
        // A dead process never learns the outcome.
        await process.wait(0.01)
      },
      remove: async (path) => {
        await pause()
        if (process.isAlive) this.#files.delete(path)
      },
      list: async (folder) => {
        await process.wait(0.01)
        return [...this.#files.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path))
      },
      makeFolder: async () => undefined,
      isVolatile: async (folder) => this.#isVolatile(`${folder}/`),
    }
  }
}
