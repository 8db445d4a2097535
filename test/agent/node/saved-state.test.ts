import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { realDisk } from '../../../agent/node/real-disk.ts'
import { emptyNode, SavedState } from '../../../agent/node/saved-state.ts'
import { ViewDigest } from '../../../src/entry/view-digest.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { plain } from '../../fakes/plain.ts'
import { aFullEntry, anEntry, anId } from '../../fakes/store-objects.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const node = {
  ...emptyNode,
  home: { trustDomain: 'example.org', serverAddress: 'server:8081' },
  identity: {
    spiffeId: anId('/spire/agent/x'),
    privateKey,
    chain: [Buffer.from('a'), Buffer.from('b')],
    reattestable: false,
  },
  spentToken: 'hash',
  attempt: { privateKey, tokenHash: 'other' },
  pushSeen: true,
  serverTime: new Date(5000),
  checkpoints: [{ keyId: 'k', epoch: 'e', sequence: 7, hash: Buffer.alloc(32, 7) }],
}

describe('SavedState', () => {
  test('reads what it wrote', async () => {
    const saved = new SavedState(new MemoryDisk(), '/data')
    expect(await saved.readNode()).toEqual(emptyNode)
    expect(await saved.readView()).toBeUndefined()
    await saved.writeNode(node)
    const read = await saved.readNode()
    expect({ ...read, identity: undefined, attempt: undefined }).toEqual({
      ...node,
      identity: undefined,
      attempt: undefined,
    })
    expect(read.identity?.privateKey.equals(privateKey)).toBe(true)
    expect(read.attempt?.privateKey.equals(privateKey)).toBe(true)
    expect(read.identity?.chain).toEqual(node.identity.chain)

    const bundles = [(await TestAuthority.create()).bundle()]
    // Labels stay at the server: agents and workloads never see them.
    const entries = [anEntry('a'), { ...aFullEntry('b'), labels: {} }]
    const digest = ViewDigest.of(entries, bundles).bytes
    await saved.writeView({ revision: 5, epoch: 'e', entries, bundles, digest })
    const view = await saved.readView()
    expect(view).toMatchObject({ revision: 5, epoch: 'e', digest })
    expect(plain(view?.entries)).toEqual(plain(entries))
    expect(plain(view?.bundles[0]?.trustDomain)).toBe('example.org')
  })

  test('any changed byte of the view is found', async () => {
    const disk = new MemoryDisk()
    const saved = new SavedState(disk, '/data')
    await saved.writeView({ revision: 5, epoch: 'e', entries: [anEntry('a')], bundles: [], digest: Buffer.alloc(16) })
    const good = disk.files.get(saved.viewPath)!
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad[at] = bad[at]! ^ 1
      disk.files.set(saved.viewPath, bad)
      await expect(saved.readView()).rejects.toThrowCode('AGENT_STATE_INVALID', saved.viewPath)
    }
  })

  test('what is said about a damaged file does not quote it', async () => {
    const disk = new MemoryDisk()
    const saved = new SavedState(disk, '/data')
    await saved.writeNode(node)
    const text = disk.files.get(saved.nodePath)!.toString()
    const secret = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
    expect(text).toContain(secret)
    disk.files.set(saved.nodePath, Buffer.from(text.replace('"chain"', '"chian"')))
    const error = await saved.readNode().catch((thrown: unknown) => thrown as Error)
    expect(error).toThrowCode('AGENT_STATE_INVALID')
    expect(inspect(error)).not.toContain(secret)
  })
})

describe('realDisk', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-disk-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('writes whole files of mode 0600, over what a crash left behind', async () => {
    const path = join(folder, 'file')
    await writeFile(`${path}.new`, 'left over', { mode: 0o666 })
    await realDisk.write(path, Buffer.from('one'))
    await realDisk.write(path, Buffer.from('two'))
    expect((await realDisk.read(path))?.toString()).toBe('two')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['file'])
    await realDisk.remove(path)
    expect(await realDisk.read(path)).toBeUndefined()
  })

  test('makes folders of mode 0700', async () => {
    await realDisk.makeFolder(join(folder, 'a'))
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700)
  })

  test('SE-21 tells memory from disk by the kind of file system', async () => {
    expect(await realDisk.isVolatile('/dev/shm')).toBe(true)
    expect(await realDisk.isVolatile('/proc')).toBe(false)
  })
})
