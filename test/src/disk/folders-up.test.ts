import { describe, expect, test } from 'vitest'
import { foldersUp, othersMayReplace, othersMayWrite } from '../../../src/disk/folders-up.ts'

test('foldersUp() ends at the root', () => {
  expect([...foldersUp('/var/lib/orders')]).toEqual(['/var/lib/orders', '/var/lib', '/var', '/'])
  expect([...foldersUp('/')]).toEqual(['/'])
})

describe('modes of folders', () => {
  test.for([
    [0o700, false, false],
    [0o755, false, false],
    [0o775, true, true],
    [0o702, true, true],
    [0o1777, true, false],
  ] as const)('%o: others may write: %s, replace: %s', ([mode, write, replace]) => {
    expect([othersMayWrite(mode), othersMayReplace(mode)]).toEqual([write, replace])
  })
})
