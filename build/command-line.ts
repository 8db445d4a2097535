import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { printNotices } from './notices.ts'

/** Bundles the processes, with everything that they need but koffi, whose native code cannot be in a bundle. */
export async function buildCommandLine(folder = 'dist'): Promise<void> {
  const { metafile } = await build({
    entryPoints: { sallyport: 'cli/main.ts', writer: 'server/store/writer.ts' },
    outdir: folder,
    bundle: true,
    splitting: true,
    platform: 'node',
    // The ES module of a dependency where it has one: a CommonJS one that is imported later loses its names.
    mainFields: ['module', 'main'],
    target: 'node26',
    format: 'esm',
    // Identifiers stay: `keepNames` would define a name on every closure when it is made, which costs 256 bytes and time each.
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    external: ['koffi'],
    // Some dependencies are CommonJS and ask for `require`.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;",
    },
    logLevel: 'warning',
  })
  writeFileSync(join(folder, 'NOTICES.txt'), printNotices(Object.keys(metafile.inputs)))
}
