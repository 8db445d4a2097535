import { mkdir, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { replaceFile, syncFolder } from '../../src/disk/replace-file.ts'
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
    const unfinished = `${path}.new`
    // What a crash left behind must not lend its mode to the new file.
    await rm(unfinished, { force: true })
    await replaceFile(path, content, { unfinished, mode: 0o600 })
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
