import { mkdir, open, readdir, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Disk } from './disk.ts'

/** Types of file systems that live in memory only (`statfs`). */
const VOLATILE_FILE_SYSTEMS = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */])

export const realDisk: Disk = {
  async read(path) {
    try {
      return await readFile(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },

  async write(path, content) {
    const temporary = `${path}.new`
    // What a crash left behind must not lend its mode to the new file.
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  },

  async remove(path) {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  },

  async list(folder) {
    return readdir(folder)
  },

  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },

  async isVolatile(folder) {
    const { type } = await statfs(folder)
    return VOLATILE_FILE_SYSTEMS.has(type)
  },
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
