import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface Replacement {
  /** The name until it is whole: in the same folder, and of no file yet. */
  readonly unfinished: string
  readonly mode: number
}

/**
 * Puts a file in the place of the one of its name, if there is one. After a crash there is the old content or the new, and perhaps
 * something unfinished; once this resolves, the new.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { unfinished, mode }: Replacement,
): Promise<void> {
  try {
    const file = await open(unfinished, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** What was renamed in a folder or removed from it is durable once the folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
