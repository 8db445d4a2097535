// `npm run build`: what the package holds. The command line and the writer thread in `dist`, the SDK and its declarations in
// `dist/sdk`; with `sdk` as argument that alone.
import { rmSync } from 'node:fs'
import { buildCommandLine } from './command-line.ts'
import { buildSdk } from './sdk.ts'

if (process.argv[2] === 'sdk') {
  rmSync('dist/sdk', { recursive: true, force: true })
  await buildSdk()
} else {
  rmSync('dist', { recursive: true, force: true })
  await Promise.all([buildCommandLine(), buildSdk()])
}
