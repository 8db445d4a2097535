import { createPrivateKey } from 'node:crypto'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { openDiskKeyStore } from '../../../server/keys/disk-key-store.ts'
import { keyStoreContract } from './key-store-contract.ts'

let parent: string
let folder: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'sallyport-keys-'))
  folder = join(parent, 'keys')
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

const open = () => openDiskKeyStore(folder, cryptography)
const modeOf = (path: string): number => statSync(path).mode & 0o777

keyStoreContract('a key store on disk', () => open())

describe('openDiskKeyStore()', () => {
  test('makes a folder and files that nobody else can reach, in PKCS#8', async () => {
    const store = await open()
    const { publicKey } = await store.generate('x509-1', 'ec-p256')
    expect(modeOf(folder)).toBe(0o700)
    expect(readdirSync(folder)).toEqual(['x509-1.key'])
    expect(modeOf(join(folder, 'x509-1.key'))).toBe(0o600)
    const pem = readFileSync(join(folder, 'x509-1.key'), 'utf8')
    expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect(createPrivateKey(pem).asymmetricKeyType).toBe(publicKey.asymmetricKeyType)
  })

  test.for(['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519'] as const)('finds a key of %s again', async (keyType) => {
    const made = await (await open()).generate('audit-checkpoint', keyType)
    const found = await (await open()).signer('audit-checkpoint')
    expect(found?.keyType).toBe(keyType)
    expect(found?.publicKey.equals(made.publicKey)).toBe(true)
  })

  test('forgets a removed key for good', async () => {
    const store = await open()
    await store.generate('x509-1', 'ec-p256')
    await store.remove('x509-1')
    await store.remove('x509-1')
    expect(readdirSync(folder)).toEqual([])
    expect(await (await open()).signer('x509-1')).toBeUndefined()
  })

  test.for([0o755, 0o770, 0o701])('refuses a folder of mode %o', async (mode) => {
    await open()
    chmodSync(folder, mode)
    await expect(open()).rejects.toThrowCode('KEY_STORE_PERMISSIONS', 'others can reach it')
  })

  test.for([0o644, 0o640, 0o602])('refuses a key of mode %o', async (mode) => {
    await (await open()).generate('x509-1', 'ec-p256')
    chmodSync(join(folder, 'x509-1.key'), mode)
    await expect((await open()).signer('x509-1')).rejects.toThrowCode('KEY_STORE_PERMISSIONS', 'others can reach it')
  })

  test.for([
    ['nonsense', 'it is not a private key'],
    ['', 'it is not a private key'],
    ['x'.repeat(20_000), 'larger than 16384 bytes'],
  ] as const)('refuses a file of %j', async ([content, words]) => {
    const store = await open()
    writeFileSync(join(folder, 'x509-1.key'), content, { mode: 0o600 })
    const reading = store.signer('x509-1')
    await expect(reading).rejects.toThrowCode('KEY_STORE_CORRUPT', words)
    await expect(reading).rejects.not.toThrowCode('KEY_STORE_CORRUPT', content.slice(0, 5) || 'x509-2')
  })

  test('refuses a kind of key that it never makes', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const store = await open()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' })
    writeFileSync(join(folder, 'x509-1.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await expect(store.signer('x509-1')).rejects.toThrowCode('KEY_STORE_CORRUPT', 'does not make')
  })

  test('follows no link, and reads no folder', async () => {
    const store = await open()
    await store.generate('x509-1', 'ec-p256')
    symlinkSync(join(folder, 'x509-1.key'), join(folder, 'x509-2.key'))
    await expect(store.signer('x509-2')).rejects.toThrowCode('KEY_STORE_CORRUPT', 'it is a symbolic link')
    const { mkdirSync } = await import('node:fs')
    mkdirSync(join(folder, 'x509-3.key'), { mode: 0o700 })
    await expect(store.signer('x509-3')).rejects.toThrowCode('KEY_STORE_CORRUPT', 'not a regular file')
  })

  test('clears away what a crash left half written, and nothing else', async () => {
    const store = await open()
    await store.generate('x509-1', 'ec-p256')
    writeFileSync(join(folder, 'x509-2-abc.unfinished'), 'half a k', { mode: 0o600 })
    writeFileSync(join(folder, 'note.txt'), 'hello', { mode: 0o600 })
    const again = await open()
    expect(readdirSync(folder).toSorted()).toEqual(['note.txt', 'x509-1.key'])
    expect(await again.names()).toEqual(['x509-1'])
  })

  test('says what failed when the folder cannot be made', async () => {
    writeFileSync(join(parent, 'file'), '')
    const opening = openDiskKeyStore(join(parent, 'file', 'keys'), cryptography)
    await expect(opening).rejects.toThrowCode('KEY_STORE_FAILED', 'ENOTDIR')
  })
})
