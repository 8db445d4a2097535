import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../src/disk/replace-file.ts'

interface SvidFiles {
  readonly chainPem: string
  readonly keyPem: string
  readonly bundlePem: string
  /** The authorities of other trust domains, by name. */
  readonly federatedPem?: ReadonlyMap<string, string>
}

const FEDERATED = 'federated'

/**
 * Writes svid.pem, key.pem (0600) and bundle.pem, each replaced at once, and a file in `federated` for each other trust domain: in one file
 * together their authorities could vouch for ours. Returns their paths.
 */
export async function writeSvidFiles(
  folder: string,
  { chainPem, keyPem, bundlePem, federatedPem = new Map() }: SvidFiles,
): Promise<readonly string[]> {
  const written = await writeFiles(folder, [
    ['svid.pem', chainPem, 0o644],
    ['key.pem', keyPem, 0o600],
    ['bundle.pem', bundlePem, 0o644],
  ])
  const partners = [...federatedPem].map(([name, pem]) => [`${name}.pem`, pem, 0o644] as const)
  await removeOthers(join(folder, FEDERATED), new Set(partners.map(([name]) => name)))
  if (partners.length === 0) return written
  return [...written, ...(await writeFiles(join(folder, FEDERATED), partners))]
}

/** Whoever is no partner any more must not be trusted for a file that was left. */
async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names) if (name.endsWith('.pem') && !kept.has(name)) await rm(join(folder, name))
}

interface WitFiles {
  readonly token: string
  /** A private JWK. */
  readonly keyJwk: string
  /** A JWK Set. */
  readonly bundleJwks: string
}

/** Writes wit.jwt, wit-key.json (0600) and wit-bundle.json, each replaced at once; returns their paths. */
export async function writeWitFiles(
  folder: string,
  { token, keyJwk, bundleJwks }: WitFiles,
): Promise<readonly string[]> {
  return writeFiles(folder, [
    ['wit.jwt', `${token}\n`, 0o644],
    ['wit-key.json', `${keyJwk}\n`, 0o600],
    ['wit-bundle.json', `${bundleJwks}\n`, 0o644],
  ])
}

async function writeFiles(
  folder: string,
  files: readonly (readonly [name: string, text: string, mode: number])[],
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [name, text, mode] of files) {
    const path = join(folder, name)
    // A name that nobody can have taken: into a file that lies there already, readable to others, a key would be written.
    await replaceFile(path, text, { unfinished: `${path}.${randomUUID()}.new`, mode })
  }
  return files.map(([name]) => join(folder, name))
}
