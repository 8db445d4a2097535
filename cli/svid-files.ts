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
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const files = [
    ['svid.pem', chainPem, 0o644],
    ['key.pem', keyPem, 0o600],
    ['bundle.pem', bundlePem, 0o644],
  ] as const
  for (const [name, text, mode] of files) {
    const path = join(folder, name)
    await writeFile(`${path}.new`, text, { mode })
    await rename(`${path}.new`, path)
  }
  return files.map(([name]) => join(folder, name))
}
