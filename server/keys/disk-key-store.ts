import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile, syncFolder } from '../../src/disk/replace-file.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { checkKeyName, type KeyStore, type StoredKeyType, type StoredSigner, storedKeyTypeOf } from './key-store.ts'
import { generateStoredKeyPair, storedSignerOf } from './stored-key-pair.ts'

/** The largest key file that is read: RSA-4096 in PEM is 3.3 KB. */
const KEY_FILE_MAX_BYTES = 16_384
const KEY_SUFFIX = '.key'
const UNFINISHED_SUFFIX = '.unfinished'
const OTHERS = 0o077

/**
 * Opens a folder of keys: PKCS#8 in PEM, each file 0600, the folder 0700, both owned by the user of the process.
 *
 * A file appears whole or not at all: it is written under another name, flushed, renamed, and then the folder is flushed.
 *
 * @throws {@link SallyportError} `KEY_STORE_PERMISSIONS`, `KEY_STORE_FAILED`
 */
export async function openDiskKeyStore(folder: string, cryptography: Cryptography): Promise<KeyStore> {
  await refusing(`open the folder of keys ${folder}`, () => mkdir(folder, { recursive: true, mode: 0o700 }))
  await checkFolder(folder)
  await removeUnfinished(folder)
  const loaded = new Map<string, StoredSigner>()
  return {
    async generate<T extends StoredKeyType>(name: string, keyType: T) {
      checkKeyName(name)
      const pair = await generateStoredKeyPair(keyType, cryptography)
      const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' })
      await refusing(`make key ${name}`, () => writeKey(folder, name, pem))
      const signer = storedSignerOf(pair, cryptography)
      loaded.set(name, signer)
      return signer
    },
    async signer(name) {
      checkKeyName(name)
      const known = loaded.get(name)
      if (known !== undefined) return known
      const pem = await readKey(folder, name)
      if (pem === undefined) return undefined
      const signer = storedSignerOf(parseKey(pem, name), cryptography)
      loaded.set(name, signer)
      return signer
    },
    async remove(name) {
      checkKeyName(name)
      loaded.delete(name)
      await refusing(`remove key ${name}`, async () => {
        await rm(pathOf(folder, name), { force: true })
        await syncFolder(folder)
      })
    },
    async names() {
      const files = await refusing('list the keys', () => readdir(folder))
      return files
        .filter((file) => file.endsWith(KEY_SUFFIX))
        .map((file) => file.slice(0, -KEY_SUFFIX.length))
        .toSorted()
    },
  }
}

const pathOf = (folder: string, name: string): string => join(folder, `${name}${KEY_SUFFIX}`)

async function checkFolder(folder: string): Promise<void> {
  const { mode, uid } = await refusing(`open the folder of keys ${folder}`, () => stat(folder))
  checkPrivate(folder, mode, uid, '0700')
}

function checkPrivate(path: string, mode: number, uid: number, wanted: string): void {
  const own = process.geteuid?.()
  const why =
    (mode & OTHERS) !== 0
      ? `its mode is 0${(mode & 0o777).toString(8)}, so others can reach it`
      : own !== undefined && uid !== own
        ? `it belongs to uid ${uid}, not to ${own}`
        : undefined
  if (why === undefined) return
  throw new SallyportError('KEY_STORE_PERMISSIONS', `Cannot use ${path}: ${why}`, {
    hint: `Make it ${wanted} and owned by the user of the server: \`chmod ${wanted} ${path}\`. If others could read it, rotate the authorities.`,
  })
}

/** What a crash left half written was never named to anybody. */
async function removeUnfinished(folder: string): Promise<void> {
  await refusing('remove unfinished keys', async () => {
    const files = (await readdir(folder)).filter((file) => file.endsWith(UNFINISHED_SUFFIX))
    await Promise.all(files.map((file) => rm(join(folder, file), { force: true })))
  })
}

async function writeKey(folder: string, name: string, pem: string): Promise<void> {
  const path = pathOf(folder, name)
  if (await exists(path)) throw new SallyportError('KEY_STORE_FAILED', `Cannot make key ${name}: it exists already`)
  const unfinished = join(folder, `${name}-${randomBytes(8).toString('hex')}${UNFINISHED_SUFFIX}`)
  await replaceFile(path, pem, { unfinished, mode: 0o600 })
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

async function readKey(folder: string, name: string): Promise<string | undefined> {
  const path = pathOf(folder, name)
  const file = await openKey(path, name)
  if (file === undefined) return undefined
  try {
    const { mode, uid, size, isRegular } = await file
      .stat()
      .then((stats) => ({ mode: stats.mode, uid: stats.uid, size: stats.size, isRegular: stats.isFile() }))
    if (!isRegular) throw corrupt(name, 'it is not a regular file')
    checkPrivate(path, mode, uid, '0600')
    if (size > KEY_FILE_MAX_BYTES) throw corrupt(name, `it is larger than ${KEY_FILE_MAX_BYTES} bytes`)
    return await refusing(`read key ${name}`, () => file.readFile('utf8'))
  } finally {
    await file.close()
  }
}

async function openKey(path: string, name: string): Promise<FileHandle | undefined> {
  try {
    // Not through a link: what is read must be the file whose mode is checked, in the folder that is checked.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw corrupt(name, 'it is a symbolic link')
    throw failed(`read key ${name}`, error)
  }
}

function parseKey(pem: string, name: string) {
  try {
    const privateKey = createPrivateKey({ key: pem, format: 'pem' })
    const type = storedKeyTypeOf(privateKey)
    if (type !== undefined) return { type, privateKey, publicKey: createPublicKey(privateKey) }
  } catch (error) {
    throw corrupt(name, 'it is not a private key (PKCS#8, PEM)', error)
  }
  throw corrupt(name, 'it is a kind of key that the server does not make')
}

function corrupt(name: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError('KEY_STORE_CORRUPT', `Cannot use key ${name}: ${why}`, { cause })
}

function failed(what: string, cause: unknown): SallyportError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown cause'
  return new SallyportError('KEY_STORE_FAILED', `Cannot ${what}: ${code}`, { cause })
}

async function refusing<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw error instanceof SallyportError ? error : failed(what, error)
  }
}
