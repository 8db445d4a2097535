import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

interface SvidFiles {
  readonly chainPem: string
  readonly keyPem: string
  readonly bundlePem: string
}

/** Writes svid.pem, key.pem (0600) and bundle.pem, each replaced at once; returns their paths. */
export async function writeSvidFiles(
  folder: string,
  { chainPem, keyPem, bundlePem }: SvidFiles,
): Promise<readonly string[]> {
  return writeFiles(folder, [
    ['svid.pem', chainPem, 0o644],
    ['key.pem', keyPem, 0o600],
    ['bundle.pem', bundlePem, 0o644],
  ])
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
    await writeFile(`${path}.new`, text, { mode })
    await rename(`${path}.new`, path)
  }
  return files.map(([name]) => join(folder, name))
}
