import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { replaceFile } from '../../../src/disk/replace-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replace-file-'))
})
afterEach(() => rm(folder, { recursive: true }))

const inFolder = (name: string): string => join(folder, name)
const replacement = () => ({ unfinished: inFolder('state.new'), mode: 0o600 })

describe('replaceFile()', () => {
  test('puts the new content and its mode in the place of the old ones', async () => {
    await writeFile(inFolder('state'), 'a longer old one', { mode: 0o644 })
    await replaceFile(inFolder('state'), 'new', replacement())
    expect(await readFile(inFolder('state'), 'utf8')).toBe('new')
    expect((await stat(inFolder('state'))).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['state'])
  })

  test('leaves nothing unfinished where it fails', async () => {
    await mkdir(inFolder('state'))
    await expect(replaceFile(inFolder('state'), 'new', replacement())).rejects.toThrow()
    expect(await readdir(folder)).toEqual(['state'])
  })

  test('does not write through what has the unfinished name already', async () => {
    await writeFile(inFolder('state'), 'old')
    await writeFile(inFolder('state.new'), 'of somebody else')
    await expect(replaceFile(inFolder('state'), 'new', replacement())).rejects.toThrow('EEXIST')
    expect(await readFile(inFolder('state'), 'utf8')).toBe('old')
  })
})
