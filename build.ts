// `npm run build`: one file for the command line, one for the writer thread.
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: { sallyport: 'cli/main.ts', writer: 'server/store/writer.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  // The ES module of a dependency where it has one: a CommonJS one that is imported later loses its names.
  mainFields: ['module', 'main'],
  target: 'node26',
  format: 'esm',
  minify: true,
  keepNames: true,
  external: ['koffi'],
  // Some dependencies are CommonJS and ask for `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;",
  },
  logLevel: 'warning',
})
