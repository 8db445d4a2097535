import { basename, dirname } from 'node:path'
import type { Disk } from '../../agent/node/disk.ts'

/** Files in memory; a test may fill it, empty it or make it fail. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, Buffer>()
  isMemory = true
  failure: Error | undefined
  writes = 0

  async read(path: string): Promise<Buffer | undefined> {
    return this.files.get(path)
  }

  async write(path: string, content: Uint8Array): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    this.writes++
    this.files.set(path, Buffer.from(content))
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path)
  }

  async list(folder: string): Promise<readonly string[]> {
    return [...this.files.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path))
  }

  async makeFolder(): Promise<void> {}

  async isVolatile(): Promise<boolean> {
    return this.isMemory
  }
}
