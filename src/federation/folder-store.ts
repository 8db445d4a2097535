import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { foldersUp, othersMayReplace, othersMayWrite } from '../disk/folders-up.ts'
import { replaceFile, syncFolder } from '../disk/replace-file.ts'
import { SallyportError } from '../errors.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { type BundleStore, STORED_MAX_CHARACTERS, storeFailed } from './bundle-store.ts'

const SUFFIX = '.bundle.json'
/** A name of a file may be as long as that of a trust domain, and it has more to hold. */
const PLAIN_NAME_MAX = 200
/** Everything in a bundle is public; who may write it is what counts. */
const FILE_MODE = 0o644
const FOLDER_MODE = 0o755

/**
 * Bundles as files in a folder, one for each trust domain, replaced whole and durably. The folder is made where it is missing.
 *
 * @throws {@link SallyportError} `BUNDLE_STORE_FAILED`, also where others may write to the folder or put another in its place: they
 *   could say who is trusted
 * @example
 * ```ts
 * const store = await folderStore('/var/lib/orders/bundles')
 * ```
 */
export async function folderStore(folder: string): Promise<BundleStore> {
  await doing(`Cannot make the folder ${folder}`, () => mkdir(folder, { recursive: true, mode: FOLDER_MODE }))
  const path = await doing(`Cannot find the folder ${folder}`, () => realpath(folder))
  await checkFolder(path)
  return new FolderStore(path)
}

class FolderStore implements BundleStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async keepOnly(trustDomains: readonly string[]): Promise<void> {
    const kept = new Set(trustDomains.map(fileOf))
    await doing(`Cannot clear the folder ${this.#folder}`, async () => {
      const others = (await readdir(this.#folder)).filter((name) => name.includes(SUFFIX) && !kept.has(name))
      for (const name of others) await rm(join(this.#folder, name), { force: true })
    })
  }

  read(trustDomain: string): Promise<string | undefined> {
    const path = this.#pathOf(trustDomain)
    return doing(`Cannot read ${path}`, async () => {
      try {
        // Longer than anything that was written, so that it is refused without being read.
        if ((await stat(path)).size > 4 * STORED_MAX_CHARACTERS) throw new Error('it is too long')
        return await readFile(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    })
  }

  async write(trustDomain: string, text: string): Promise<void> {
    const path = this.#pathOf(trustDomain)
    const unfinished = `${path}.${randomUUID()}.new`
    await doing(`Cannot write ${path}`, () => replaceFile(path, text, { unfinished, mode: FILE_MODE }))
  }

  async remove(trustDomain: string): Promise<void> {
    const path = this.#pathOf(trustDomain)
    await doing(`Cannot remove ${path}`, async () => {
      await rm(path, { force: true })
      await syncFolder(this.#folder)
    })
  }

  #pathOf(trustDomain: string): string {
    return join(this.#folder, fileOf(trustDomain))
  }
}

/** `~` is in no name of a trust domain, so that no short name is like that of a long one. */
function fileOf(trustDomain: string): string {
  const { name } = TrustDomain.parse(trustDomain)
  const isPlain = name.length <= PLAIN_NAME_MAX
  return `${isPlain ? name : `~${createHash('sha256').update(name).digest('hex')}`}${SUFFIX}`
}

/** Every folder from here up may be written by its owner alone, or is sticky, and this one belongs to us or to root. */
async function checkFolder(path: string): Promise<void> {
  for (const folder of foldersUp(path)) {
    const { mode, uid } = await doing(`Cannot look at ${folder}`, () => stat(folder))
    if (folder === path ? othersMayWrite(mode) : othersMayReplace(mode))
      throw unsafe(path, `others may write to ${folder}`, folder)
    if (folder === path && uid !== 0 && uid !== process.getuid?.()) throw unsafe(path, 'it belongs to another user')
  }
}

async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw storeFailed(what, cause)
  }
}

function unsafe(path: string, why: string, writable?: string): SallyportError {
  return new SallyportError('BUNDLE_STORE_FAILED', `Cannot keep bundles in ${path}: ${why}`, {
    ...(writable === undefined ? {} : { hint: `Run \`chmod go-w ${writable}\`, or choose another folder.` }),
  })
}
