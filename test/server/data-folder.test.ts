import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDataFolder } from '../../server/data-folder.ts'

let parent: string
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'sallyport-data-'))
})
afterAll(() => rmSync(parent, { recursive: true }))

describe('openDataFolder()', () => {
  test('makes a folder that only its owner may enter, and keeps the name of the server', () => {
    const folder = join(parent, 'a/data')
    const first = openDataFolder(folder, randomBytes)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(first.serverId).toMatch(/^[0-9a-f]{16}$/)
    expect(openDataFolder(folder, randomBytes)).toEqual(first)
  })

  test('what a crash left half written does not keep it from the next start', () => {
    const folder = join(parent, 'crashed')
    mkdirSync(folder, { mode: 0o700 })
    writeFileSync(join(folder, 'server-id.unfinished'), 'ab')
    expect(openDataFolder(folder, randomBytes).serverId).toMatch(/^[0-9a-f]{16}$/)
    expect(readdirSync(folder)).toEqual(['server-id'])
  })

  test('refuses a folder that others may enter', () => {
    const folder = join(parent, 'open')
    openDataFolder(folder, randomBytes)
    chmodSync(folder, 0o750)
    expect(() => openDataFolder(folder, randomBytes)).toThrowCode('DATA_FOLDER_REFUSED', 'mode 750')
  })

  test('refuses a damaged name, and a place where nothing can be made', () => {
    const folder = join(parent, 'damaged')
    openDataFolder(folder, randomBytes)
    writeFileSync(join(folder, 'server-id'), 'x')
    expect(() => openDataFolder(folder, randomBytes)).toThrowCode('DATA_FOLDER_REFUSED', 'id of a server')
    expect(() => openDataFolder(join(folder, 'server-id/below'), randomBytes)).toThrowCode(
      'DATA_FOLDER_REFUSED',
      'cannot be made',
    )
  })
})
