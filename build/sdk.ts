import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import packageJson from '../package.json' with { type: 'json' }

/** The entries of the SDK by name: as in `exports` of package.json. */
export const sdkEntries = {
  index: 'src/index.ts',
  broker: 'src/broker/index.ts',
  federation: 'src/federation/index.ts',
  grpc: 'src/grpc/index.ts',
  testing: 'src/testing/index.ts',
  wit: 'src/wit.ts',
} as const

/**
 * Compiles the SDK for Node 22: ES modules that share their parts, so that an error or an identity of one entry is one for the others too,
 * and one set for `import` and `require`. Gives the sources that it came from, by the file that holds them.
 */
export async function buildSdk(folder = 'dist/sdk'): Promise<void> {
  const { metafile } = await build({
    entryPoints: sdkEntries,
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: 'parts/[name]-[hash]',
    platform: 'node',
    target: 'node22',
    format: 'esm',
    external: Object.keys(packageJson.peerDependencies),
    metafile: true,
    logLevel: 'warning',
  })
  checkSources(Object.keys(metafile.inputs))
  declareSdk(join(folder, 'types'))
}

/** Whatever a service loads, it must trust: no code of the processes, no library. */
function checkSources(files: readonly string[]): void {
  const wrong = files.filter((file) => !file.startsWith('src/') || /^src\/(config|process|metrics|peer)\//.test(file))
  if (wrong.length > 0) throw new Error(`The SDK must not contain ${wrong.join(', ')}`)
}

/** Writes the declarations of everything that the entries reach into this folder. */
export function declareSdk(types: string): void {
  execFileSync('node_modules/.bin/tsc', ['-p', 'build/tsconfig.sdk.json', '--outDir', resolve(types)], {
    stdio: 'inherit',
  })
  for (const file of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts')) continue
    const path = join(types, file)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/(['"]\.{1,2}\/[^'"\n]+)\.ts(?=['"])/g, '$1.js'))
  }
}
