import { expect, test } from 'vitest'
import { codeMappings } from '../../../src/process/code-mappings.ts'

const mapping = (range: string, permissions: string, inode: string, path: string, anonymousKb: number): string =>
  [
    `${range} ${permissions} 00000000 fe:00 ${inode.padEnd(10)} ${path}`,
    'Size:               1024 kB',
    'Rss:                 512 kB',
    `Anonymous:      ${String(anonymousKb).padStart(8)} kB`,
    'VmFlags: rd ex mr mw me sd ',
  ].join('\n')

test('pages that exist in a file only are code mappings', () => {
  const smaps = [
    mapping('00400000-00500000', 'r--p', '1234', '/usr/bin/node', 0),
    mapping('00500000-00900000', 'r-xp', '1234', '/usr/bin/node', 0),
    mapping('7fff00000000-7fff00100000', 'r-xp', '99', '/lib/libc.so.6', 0),
  ].join('\n')
  expect(codeMappings(smaps)).toEqual([
    { start: 0x400000n, sizeBytes: 0x100000 },
    { start: 0x500000n, sizeBytes: 0x400000 },
    { start: 0x7fff00000000n, sizeBytes: 0x100000 },
  ])
})

test('whatever has been written, can be written or has no file is none: its content would be lost', () => {
  const smaps = [
    mapping('00900000-00a00000', 'r--p', '1234', '/usr/bin/node', 212),
    mapping('00a00000-00b00000', 'rw-p', '1234', '/usr/bin/node', 0),
    mapping('00b00000-00c00000', 'rw-p', '0', '[heap]', 0),
    mapping('00c00000-00d00000', 'r--p', '0', '', 0),
    mapping('00d00000-00e00000', 'r-xp', '0', '[vdso]', 0),
    mapping('00e00000-00f00000', 'rwxp', '1234', '/usr/bin/node', 0),
    mapping('00f00000-01000000', 'r--s', '77', '/dev/shm/shared', 0),
    mapping('01000000-01100000', '---p', '1234', '/usr/bin/node', 0),
  ].join('\n')
  expect(codeMappings(smaps)).toEqual([])
  expect(codeMappings('')).toEqual([])
})
