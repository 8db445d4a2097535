import {
  chmodSync,
  chownSync,
  mkdirSync,
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
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { folderStore } from '../../../src/federation/folder-store.ts'
import { notRoot, testUnless } from '../../unless.ts'

const made: string[] = []
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundles-'))
  made.push(folder)
})

afterAll(() => {
  for (const each of made) rmSync(each, { recursive: true, force: true })
})

describe('FE-12 a folder', () => {
  test('keeps a text for each trust domain, for whoever opens it next', async () => {
    const store = await folderStore(join(folder, 'a/b'))
    expect(await store.read('partner.test')).toBeUndefined()
    await store.write('partner.test', 'one')
    await store.write('other.test', 'two')
    await store.write('partner.test', 'three')
    const again = await folderStore(join(folder, 'a/b'))
    expect([await again.read('partner.test'), await again.read('other.test')]).toEqual(['three', 'two'])
    expect(readdirSync(join(folder, 'a/b')).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'other.test.bundle.json',
      'partner.test.bundle.json',
    ])
    await again.remove('partner.test')
    await again.remove('partner.test')
    expect(await store.read('partner.test')).toBeUndefined()
  })

  test('takes every name that a trust domain may have', async () => {
    const store = await folderStore(folder)
    const names = ['.', '..', '...', '-', 'a'.repeat(255), `${'a'.repeat(254)}b`, 'x.bundle.json']
    for (const name of names) await store.write(name, `of ${name}`)
    for (const name of names) expect(await store.read(name)).toBe(`of ${name}`)
    expect(readdirSync(folder)).toHaveLength(names.length)
    for (const name of ['../x', 'a/b', '', 'A', '~a'])
      await expect(store.write(name, '')).rejects.toThrowCode('TRUST_DOMAIN_INVALID')
    await store.keepOnly(['..', 'a'.repeat(255)])
    expect(readdirSync(folder)).toHaveLength(2)
    expect(await store.read('a'.repeat(255))).toBe(`of ${'a'.repeat(255)}`)
  })

  test('FE-16 loses what is of no relationship, and what a crash has left, and nothing that is not its own', async () => {
    const store = await folderStore(folder)
    for (const name of ['partner.test', 'ended.test']) await store.write(name, name)
    writeFileSync(join(folder, 'partner.test.bundle.json.1234.new'), 'half')
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    await store.keepOnly(['partner.test'])
    expect(readdirSync(folder).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'notes.txt',
      'partner.test.bundle.json',
    ])
  })

  test('is readable by all and written by its owner alone', async () => {
    const store = await folderStore(join(folder, 'new'))
    await store.write('partner.test', 'text')
    expect(statSync(join(folder, 'new')).mode & 0o022).toBe(0)
    expect(statSync(join(folder, 'new/partner.test.bundle.json')).mode & 0o133).toBe(0)
  })

  test('replaces a file as a whole, and leaves the old one where that fails', async () => {
    const store = await folderStore(folder)
    await store.write('partner.test', 'old')
    const path = join(folder, 'partner.test.bundle.json')
    const before = statSync(path).ino
    await store.write('partner.test', 'new')
    expect(statSync(path).ino).not.toBe(before)
    rmSync(path)
    mkdirSync(path)
    writeFileSync(join(path, 'x'), '')
    await expect(store.write('partner.test', 'text')).rejects.toThrowCode('BUNDLE_STORE_FAILED', 'partner.test')
    expect(readdirSync(folder)).toEqual(['partner.test.bundle.json'])
    await expect(store.read('partner.test')).rejects.toThrowCode('BUNDLE_STORE_FAILED')
  })

  test('writes through no link that lies in its way', async () => {
    const victim = join(folder, 'victim')
    writeFileSync(victim, 'mine')
    const store = await folderStore(join(folder, 'store'))
    symlinkSync(victim, join(folder, 'store/partner.test.bundle.json'))
    await store.write('partner.test', 'text')
    expect([readFileSync(victim, 'utf8'), await store.read('partner.test')]).toEqual(['mine', 'text'])
  })

  testUnless(notRoot, 'is refused where it belongs to another user', async () => {
    chownSync(folder, 12_345, 12_345)
    await expect(folderStore(folder)).rejects.toThrowCode('BUNDLE_STORE_FAILED', 'belongs to another user')
  })

  test('is refused where others could say who is trusted', async () => {
    const inner = join(folder, 'inner')
    mkdirSync(inner)
    for (const mode of [0o777, 0o770, 0o1777]) {
      chmodSync(inner, mode)
      await expect(folderStore(inner)).rejects.toThrowCode('BUNDLE_STORE_FAILED', 'others may write to')
    }
    chmodSync(inner, 0o755)
    chmodSync(folder, 0o777)
    await expect(folderStore(inner)).rejects.toThrowCode('BUNDLE_STORE_FAILED', `others may write to ${folder}`)
    // Nobody can put another in its place there.
    chmodSync(folder, 0o1777)
    await folderStore(inner)
    symlinkSync(inner, join(folder, 'link'))
    chmodSync(inner, 0o777)
    await expect(folderStore(join(folder, 'link'))).rejects.toThrowCode('BUNDLE_STORE_FAILED', 'others may write to')
    writeFileSync(join(folder, 'file'), '')
    await expect(folderStore(join(folder, 'file'))).rejects.toThrowCode('BUNDLE_STORE_FAILED')
  })
})
