import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { commonNameOf } from '../../src/x509/name.ts'
import { readPemCertificates } from '../../src/x509/pem.ts'
import { verifyChain } from '../../src/x509/verify-chain.ts'

const program = join(import.meta.dirname, '../../certs-dev/make-certs.ts')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-certs-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function run(...options: readonly string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [program, ...options], { encoding: 'utf8' })
  return { status, stderr }
}

test('makes certificates that we and openssl accept, and keys for the owner alone', async () => {
  expect(run('--dir', folder, '--node', 'web-1', '--trust-domain', 'example.org', '--label', 'rack/7')).toMatchObject({
    status: 0,
  })
  expect(readdirSync(folder).toSorted()).toEqual([
    'intermediate.key',
    'intermediate.pem',
    'root.key',
    'root.pem',
    'web-1.key',
    'web-1.pem',
  ])
  for (const name of readdirSync(folder)) {
    expect(statSync(join(folder, name)).mode & 0o777).toBe(name.endsWith('.key') ? 0o600 : 0o644)
  }
  const read = (name: string) => readPemCertificates(readFileSync(join(folder, name), 'utf8'))
  const [leaf] = read('web-1.pem')
  expect(commonNameOf(leaf!.subject)).toBe('web-1')
  expect(leaf!.uriSans).toEqual(['x509pop://example.org/rack/7'])
  const chain = [...read('web-1.pem'), ...read('intermediate.pem')]
  const path = await verifyChain({
    chain,
    authorities: read('root.pem'),
    now: new Date(),
    cryptography,
    purpose: 'clientAuth',
  })
  expect(path).toHaveLength(3)
  const files = ['-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', 'web-1.pem']
  const output = execFileSync('openssl', ['verify', '-x509_strict', ...files], { cwd: folder, encoding: 'utf8' })
  expect(output).toContain('OK')
})

test('overwrites nothing', () => {
  expect(run('--dir', folder).status).toBe(0)
  const before = readFileSync(join(folder, 'root.pem'), 'utf8')
  expect(run('--dir', folder)).toMatchObject({ status: 1, stderr: expect.stringContaining('exists already') as string })
  expect(readFileSync(join(folder, 'root.pem'), 'utf8')).toBe(before)
})

test.for([[], ['--dir', 'x', '--key-type', 'dsa'], ['--dir', 'x', '--node', '../evil'], ['--dir', 'x', '--days', '0']])(
  'explains itself for %o',
  (options) => {
    expect(run(...options)).toMatchObject({ status: 2, stderr: expect.stringContaining('--dir DIR') as string })
  },
)
