import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareSocketFolder } from '../../../server/access/admin-socket.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-socket-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('SE-05 the folder of the admin socket is made so that only its owner may enter', () => {
  prepareSocketFolder(join(folder, 'run/admin.sock'))
  expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700)
  prepareSocketFolder(join(folder, 'run/admin.sock'))
})

test('SE-05 a folder that others may enter is refused', () => {
  chmodSync(join(folder, 'run'), 0o755)
  expect(() => prepareSocketFolder(join(folder, 'run/admin.sock'))).toThrowCode(
    'SOCKET_FOLDER_REFUSED',
    'open to others',
  )
})
